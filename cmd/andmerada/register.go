package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict/casetest"
)

func newRegisterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Check, show and test declared registers",
	}
	cmd.AddCommand(newRegisterNewCommand(), newRegisterCheckCommand(), newRegisterShowCommand(), newRegisterTestCommand(), newRegisterCoverageCommand(), newRegisterDiffCommand(), newRegisterTryCommand(), newAnswerDutiesCommand(), newRegisterExportCommand())
	return cmd
}

func newRegisterCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [DIRECTORY]",
		Short: "Check registers: types, references, unknown names, overlaps",
		Long: `Check reads every register of a directory (those built in, if none is given) and names
each fault with its file, line and column and how to mend it. It exits with 1 if a register
would not load.`,
		Example: "  andmerada register check deploy/registers\n  andmerada register check --json | jq .problem",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			fsys, err := registersFS(strings.Join(a, ""))
			if err != nil {
				return err
			}
			loaded, findings, err := register.Check(fsys)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			bad := false
			for _, f := range findings {
				bad = bad || !f.Warning
				if asJSON {
					if err := json.NewEncoder(out).Encode(f); err != nil {
						return fmt.Errorf("write a finding: %w", err)
					}
					continue
				}
				fmt.Fprintln(out, f)
			}
			if !asJSON {
				for _, r := range loaded {
					fmt.Fprintf(out, "%s: %s, %d purposes, %d recipients, %d rules and periods, version %s\n",
						r.File, r.Controller.Name, len(r.Purposes), len(r.Recipients), len(r.AllRules()), r.Version)
				}
			}
			if bad {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a finding")
	return cmd
}

func newRegisterTestCommand() *cobra.Command {
	var asJSON bool
	var dir, controller string
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run worked cases against the registers",
		Long: `Test runs cases: an event, the facts known about it, the verdict expected and the rules it
rests on. A case passes if the verdict is the expected one, every rule that it names had
something to say, and a verdict that is not "allowed" rests on one of them. "-" reads
standard input. It exits with 1 if a case failed.`,
		Example: "  andmerada register test cases.yaml\n  andmerada register test --json cases.yaml | jq 'select(.passed | not)'",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			set, err := loadRegisters(dir)
			if err != nil {
				return err
			}
			passed, failed := 0, 0
			for _, file := range files {
				cases, err := readCases(cmd.InOrStdin(), file)
				if err != nil {
					return err
				}
				for i := range cases {
					if controller != "" && cases[i].Controller != controller {
						continue
					}
					res := casetest.Run(set, &cases[i])
					if res.Passed {
						passed++
					} else {
						failed++
					}
					if err := printResult(cmd.OutOrStdout(), &cases[i], &res, asJSON); err != nil {
						return err
					}
				}
			}
			// With --json the closing line is not for the reader of the objects.
			closing := cmd.OutOrStdout()
			if asJSON {
				closing = cmd.ErrOrStderr()
			}
			fmt.Fprintf(closing, "%d passed, %d failed\n", passed, failed)
			if failed > 0 {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a case")
	cmd.Flags().StringVar(&dir, "registers", "", registersFlag)
	cmd.Flags().StringVar(&controller, "controller", "", "only the cases of this controller")
	return cmd
}

func readCases(stdin io.Reader, file string) ([]casetest.Case, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open the cases: %w", err)
		}
		defer f.Close()
		in = f
	}
	cases, err := casetest.Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cases, nil
}

func printResult(out io.Writer, c *casetest.Case, res *casetest.Result, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(out).Encode(res); err != nil {
			return fmt.Errorf("write a result: %w", err)
		}
		return nil
	}
	if res.Passed {
		fmt.Fprintf(out, "ok    %-6s %s\n", res.ID, res.Verdict)
		return nil
	}
	fmt.Fprintf(out, "FAIL  %-6s %s\n", res.ID, res.Problem)
	if c.Why != "" {
		fmt.Fprintf(out, "             the case says: %s\n", c.Why)
	}
	if res.Explanation == nil {
		return nil
	}
	for _, rule := range res.Explanation.Rules {
		for _, req := range rule.Requirements {
			if rule.Decided && !req.Skipped && req.Truth != "true" {
				fmt.Fprintf(out, "             %s: not that %s (%s)\n", rule.ID, req.Says, req.Truth)
			}
		}
	}
	return nil
}

func newRegisterShowCommand() *cobra.Command {
	var asJSON bool
	var dir, language string
	cmd := &cobra.Command{
		Use:   "show [CONTROLLER]",
		Short: "Show what a register declares",
		Long:  "Show lists the registers; with a controller, its purposes, recipients, sources, rules, periods and rights, each with its clause.",
		Example: `  andmerada register show
  andmerada register show elektrum
  andmerada register show hamina --language fi
  andmerada register show netpro --json | jq '.rules[].id'`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			set, err := loadRegisters(dir)
			if err != nil {
				return err
			}
			if !slices.Contains(register.Languages, language) {
				return usageError{fmt.Errorf("--language %s: there are names in %s", language, strings.Join(register.Languages, ", "))}
			}
			all := set.All()
			if len(a) == 0 {
				return showList(cmd.OutOrStdout(), all, asJSON)
			}
			i := slices.IndexFunc(all, func(r *register.Register) bool { return r.Controller.ID == a[0] })
			if i < 0 {
				return usageError{fmt.Errorf("there is no register of %q: there are %s", a[0], strings.Join(set.Controllers(), ", "))}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), all[i])
			}
			return showRegister(cmd.OutOrStdout(), all[i], language)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&language, "language", "en", "language of names: en, et, fi, lv or ru; where there is none in it, English")
	cmd.Flags().StringVar(&dir, "registers", "", registersFlag)
	return cmd
}

func showList(out io.Writer, all []*register.Register, asJSON bool) error {
	if asJSON {
		return writeJSON(out, all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONTROLLER\tNAME\tIN FORCE FROM\tPURPOSES\tRECIPIENTS\tRULES\tVERSION")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", r.Controller.ID, r.Controller.Name,
			cmp.Or(r.InForce.From, "undated"), len(r.Purposes), len(r.Recipients), len(r.AllRules()), r.Version)
	}
	return w.Flush()
}

func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/register"
)

func newRegisterDiffCommand() *cobra.Command {
	var asJSON bool
	var dir string
	var width int
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what changes for people from one register to another",
		Long: `Diff compares two registers of one controller and tells in words what changes for the people
whose data they are about. Each is a file, or CONTROLLER@DATE of the registers in use
("undated" where there is no date), or CONTROLLER for its latest. Decisions that lie beside a
file count. Order, notes and wording change nothing for people; nor does a category that a
list takes in already.`,
		Example: `  andmerada register diff elektrum draft/elektrum/2026-03-01.yaml
  andmerada register diff acme@2024-01-01 acme@2026-03-01
  andmerada register diff --json old/acme.yaml new/acme.yaml | jq '.changes[] | select(.group == "recipients") | .says'`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			fsys, err := registersFS(dir)
			if err != nil {
				return err
			}
			before, err := oneRegister(fsys, a[0])
			if err != nil {
				return err
			}
			after, err := oneRegister(fsys, a[1])
			if err != nil {
				return err
			}
			if before.Controller.ID != after.Controller.ID {
				return usageError{fmt.Errorf("%s is of %s and %s of %s: compare two registers of one controller", a[0], before.Controller.ID, a[1], after.Controller.ID)}
			}
			out := cmd.OutOrStdout()
			changes := register.Diff(before, after)
			if asJSON {
				return writeJSON(out, struct {
					From    diffSide          `json:"from"`
					To      diffSide          `json:"to"`
					Changes []register.Change `json:"changes"`
				}{sideOf(before), sideOf(after), changes})
			}
			width, err := lineWidth(out, width)
			if err != nil {
				return err
			}
			printDiff(out, before, after, changes, width)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&width, "width", 0, widthFlag)
	cmd.Flags().StringVar(&dir, "registers", "", registersFlag)
	return cmd
}

// oneRegister is the register of a file, or of a name among those in use.
func oneRegister(inUse fs.FS, name string) (*register.Register, error) {
	if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" || strings.ContainsRune(name, filepath.Separator) {
		return registerFile(name, inUse)
	}
	set, err := register.Load(inUse)
	if err != nil {
		return nil, fmt.Errorf("load the registers: %w", err)
	}
	return namedRegister(set.All(), name)
}

// diffSide names one of two registers that are compared.
type diffSide struct {
	Controller string `json:"controller"`
	InForce    string `json:"in_force,omitempty"`
	File       string `json:"file"`
	Version    string `json:"version"`
}

func sideOf(r *register.Register) diffSide {
	return diffSide{r.Controller.ID, r.InForce.From, r.File, r.Version}
}

func printDiff(out io.Writer, before, after *register.Register, changes []register.Change, width int) {
	if len(changes) == 0 {
		writeWrapped(out, "", "Nothing changes for people.", width)
		return
	}
	writeWrapped(out, "", fmt.Sprintf("%s: from the register of %s (version %s) to that of %s (version %s)", after.Controller.Name,
		cmp.Or(before.InForce.From, "no date"), before.Version, cmp.Or(after.InForce.From, "no date"), after.Version), width)
	signs := map[string]string{register.DiffAdded: "  + ", register.DiffRemoved: "  - ", register.DiffChanged: "  ~ "}
	group := ""
	for _, c := range changes {
		if c.Group != group {
			group = c.Group
			fmt.Fprintf(out, "\n%s\n", strings.ToUpper(group))
		}
		writeWrapped(out, signs[c.Kind], c.Says, width)
	}
	fmt.Fprintf(out, "\n%s\n", counted(len(changes), "change", "changes"))
}

// counted is a number of things, in the singular where there is one.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

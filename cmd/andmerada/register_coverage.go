package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/register"
)

func newRegisterCoverageCommand() *cobra.Command {
	var asJSON bool
	var dir, notice string
	var width int
	cmd := &cobra.Command{
		Use:   "coverage [CONTROLLER[@DATE]]",
		Short: "Show, clause by clause, what a register makes of its notice",
		Long: `Coverage goes through the notice's clauses in order and says what the register makes of each:
the entries that rest on it, or why it bears on nothing. Without a controller it gives one
line a register. With --notice it checks that the file is the very text the register was
drawn from, by its SHA-256, and prints each clause's own words beside what the register
makes of them. It exits with 1 if a clause is not accounted for.`,
		Example: `  andmerada register coverage
  andmerada register coverage elektrum
  andmerada register coverage elektrum --notice elektrum.txt
  andmerada register coverage --json netpro | jq '.clauses[] | select(.no_bearing)'`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if notice != "" && len(a) == 0 {
				return usageError{fmt.Errorf("--notice is the text of one register: name its controller")}
			}
			fsys, err := registersFS(dir)
			if err != nil {
				return err
			}
			all, err := draftRegisters(fsys)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			width, err := lineWidth(out, width)
			if err != nil {
				return err
			}
			if len(a) == 0 {
				return coverageList(out, all, asJSON)
			}
			r, err := namedRegister(all, a[0])
			if err != nil {
				return err
			}
			c := r.Coverage()
			if notice != "" {
				if err := addNotice(r, c, notice); err != nil {
					return err
				}
			}
			if asJSON {
				err = writeJSON(out, c)
			} else {
				err = printCoverage(out, r, c, width)
			}
			if err == nil && !c.Complete() {
				err = errFound
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&notice, "notice", "", "file with the notice's text, to print its words beside the register's entries")
	cmd.Flags().IntVar(&width, "width", 0, widthFlag)
	cmd.Flags().StringVar(&dir, "registers", "", registersFlag)
	return cmd
}

// draftRegisters reads all registers of a directory, those too that do not
// check: a clause that is not accounted for is what coverage is there to show.
func draftRegisters(fsys fs.FS) ([]*register.Register, error) {
	loaded, findings, err := register.Check(fsys)
	if err != nil {
		return nil, fmt.Errorf("load the registers: %w", err)
	}
	ok := make(map[string]bool)
	for _, r := range loaded {
		ok[r.File] = true
	}
	categories, err := fs.ReadFile(fsys, register.CategoriesFile)
	if err != nil {
		return nil, fmt.Errorf("read the category vocabulary: %w", err)
	}
	for _, f := range findings {
		if f.Warning || ok[f.File] || !strings.Contains(f.File, "/") {
			continue
		}
		ok[f.File] = true
		data, err := fs.ReadFile(fsys, f.File)
		if err != nil {
			return nil, fmt.Errorf("read register %q: %w", f.File, err)
		}
		r, unread := register.Draft(f.File, data, categories)
		if r == nil {
			return nil, fmt.Errorf("load the registers: %w", &register.FindingsError{Findings: unread})
		}
		loaded = append(loaded, r)
	}
	return register.NewSet(loaded...).All(), nil
}

func addNotice(r *register.Register, c *register.Coverage, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("open the notice: %w", err)
	}
	if info.Size() > register.MaxNoticeSize {
		return fmt.Errorf("read the notice %s: it has %d bytes, more than %d", file, info.Size(), register.MaxNoticeSize)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the notice: %w", err)
	}
	if err := r.CheckNotice(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := c.AddWords(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func coverageList(out io.Writer, all []*register.Register, asJSON bool) error {
	covers := make([]*register.Coverage, len(all))
	complete := true
	for i, r := range all {
		covers[i] = r.Coverage()
		complete = complete && covers[i].Complete()
	}
	var err error
	if asJSON {
		err = writeJSON(out, covers)
	} else {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CONTROLLER\tIN FORCE FROM\tCLAUSES\tDECLARE SOMETHING\tNO BEARING\tNOT ACCOUNTED FOR")
		for _, c := range covers {
			named, no, missing := c.Count()
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", c.Controller, cmp.Or(c.InForce, undated), len(c.Clauses), named, no, missing)
		}
		err = w.Flush()
	}
	if err == nil && !complete {
		err = errFound
	}
	return err
}

// kindNames are the kinds of entries as a reader calls them.
var kindNames = map[string]string{
	"in-force": "in force", "category-list": "categories", "not-recipient": "no recipient", "retention": "kept for", "ambiguity": "read as",
}

const kindWidth = 12

func printCoverage(out io.Writer, r *register.Register, c *register.Coverage, width int) error {
	since := undated
	if c.InForce != "" {
		since = "in force from " + c.InForce
	}
	writeWrapped(out, "", fmt.Sprintf("%s (%s), %s", c.Name, c.Controller, since), width)
	writeWrapped(out, "Notice  ", r.Notice.Title, width)
	writeWrapped(out, "sha256  ", r.Notice.SHA256, width)
	column := 8 // for the clauses' ids
	for i := range c.Clauses {
		column = max(column, min(utf8.RuneCountInString(c.Clauses[i].ID)+2, 16))
	}
	for i := range c.Clauses {
		cl := &c.Clauses[i]
		fmt.Fprintln(out)
		writeWrapped(out, padded(cl.ID, column-1)+" ", cl.Says, width)
		if cl.Words != "" {
			writeWrapped(out, strings.Repeat(" ", column)+"| ", cl.Words, width)
		}
		for _, e := range cl.Entries {
			text := e.ID
			switch {
			case e.Kind == "in-force":
				text = "from " + cmp.Or(e.ID, undated)
			case e.Name != "" && e.Name != e.ID:
				text += ": " + e.Name
			}
			writeWrapped(out, strings.Repeat(" ", column)+padded(cmp.Or(kindNames[e.Kind], e.Kind), kindWidth)+" ", text, width)
		}
		if cl.NoBearing != "" {
			writeWrapped(out, strings.Repeat(" ", column)+padded("no bearing:", kindWidth)+" ", cl.NoBearing, width)
		}
		if !cl.Accounted {
			writeWrapped(out, strings.Repeat(" ", column), "NOT ACCOUNTED FOR: name the clause where it belongs, or say in no_bearing why it has none", width)
		}
	}
	named, no, missing := c.Count()
	fmt.Fprintln(out)
	switch {
	case len(c.Clauses) == 0:
		writeWrapped(out, "", "The register lists no clauses: it cannot be told what it leaves out. List them under \"clauses\".", width)
	case missing > 0:
		writeWrapped(out, "", fmt.Sprintf("%d clauses: %d declare something, %d bear on nothing; %d NOT ACCOUNTED FOR", len(c.Clauses), named, no, missing), width)
	default:
		writeWrapped(out, "", fmt.Sprintf("%d clauses: %d declare something, %d bear on nothing and say why; all accounted for", len(c.Clauses), named, no), width)
	}
	return nil
}

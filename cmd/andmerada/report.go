package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/report"
)

// reporting is what a command that can write its answer as a report was told.
type reporting struct{ file, language string }

func (r *reporting) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.file, "report", "", "write the answer as a report to this file: .pdf, .csv or .json")
	f.StringVar(&r.language, "language", report.Fallback, "language of the report: "+strings.Join(report.Languages(), ", "))
}

// check says what is wrong with the flags, before anything is asked.
func (r *reporting) check() error {
	if !report.Known(r.language) {
		return usageError{fmt.Errorf("--language: there are no reports in %q: write one of %s", r.language, strings.Join(report.Languages(), ", "))}
	}
	if _, ok := report.FormatOf(r.file); r.file != "" && !ok {
		return usageError{fmt.Errorf("--report: the name of the file says no format: let it end in .pdf, .csv or .json")}
	}
	return nil
}

// write writes an answer as a report, for its owner alone to read: it is about
// persons.
func (r *reporting) write(out io.Writer, c *config, deps *answer.Deps, a any) error {
	names, err := loadNames(c.Registers, func() *register.Set { return deps.Registers })
	if err != nil {
		return err
	}
	doc, err := names.Report(r.language, a, deps.Now())
	if err != nil {
		return err
	}
	format, _ := report.FormatOf(r.file)
	var b bytes.Buffer
	if err := doc.Write(&b, format, a); err != nil {
		return err
	}
	if err := os.WriteFile(r.file, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", r.file, doc.Title)
	return err
}

// loadNames reads what things are called in the languages of reports.
func loadNames(dir string, set func() *register.Set) (*report.Names, error) {
	fsys, err := registersFS(dir)
	if err != nil {
		return nil, err
	}
	return report.LoadNames(fsys, set)
}

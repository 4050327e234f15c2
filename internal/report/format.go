package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Format is a form in which a report is written.
type Format string

// The formats of a report.
const (
	PDF  Format = "pdf"
	CSV  Format = "csv"
	JSON Format = "json"
)

// FormatOf is the format of a file of that name; ok is false where its name
// says none.
func FormatOf(file string) (f Format, ok bool) {
	f = Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(file), ".")))
	return f, f == PDF || f == CSV || f == JSON
}

// MediaType is the format's (RFC 6838).
func (f Format) MediaType() string {
	switch f {
	case PDF:
		return "application/pdf"
	case CSV:
		return "text/csv; charset=utf-8"
	}
	return "application/json"
}

// Write writes the document in a format. As JSON it is the document beside the
// answer that it was made of.
func (d *Document) Write(w io.Writer, f Format, answer any) error {
	switch f {
	case PDF:
		return d.PDF(w)
	case CSV:
		return d.CSV(w)
	case JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"report": d, "answer": answer}); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		return nil
	}
	return fmt.Errorf("there is no report as %q: write pdf, csv or json", f)
}

// CSV writes the document line by line: under which heading, what it is called,
// and the cells. A cell that a spreadsheet would take for a formula is quoted.
func (d *Document) CSV(w io.Writer) error {
	// The mark tells spreadsheets that it is UTF-8: they would garble letters.
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	section := ""
	row := func(cells ...string) {
		for i, cell := range cells {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cells[i] = "'" + cell
			}
		}
		_ = out.Write(append([]string{section}, cells...)) // its error is that of Error
	}
	row(d.Title, d.Subtitle)
	for i := range d.Blocks {
		b := &d.Blocks[i]
		switch b.Kind {
		case Heading:
			section = b.Text
		case Paragraph:
			row(b.Text)
		case List:
			for _, item := range b.Items {
				row(item)
			}
		case Facts:
			for _, p := range b.Pairs {
				row(p.Name, p.Value)
			}
		case Table:
			row(append([]string{}, b.Head...)...)
			for _, cells := range b.Rows {
				line := make([]string, len(cells))
				for k := range cells {
					line[k] = cells[k].Text
				}
				row(line...)
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

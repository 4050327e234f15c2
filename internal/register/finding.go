package register

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is a fault of a register file, and how to mend it.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0 = the file as a whole
	Column  int    `json:"column"`
	Where   string `json:"where"` // "rules[3].requires[0].that"
	Problem string `json:"problem"`
	Mend    string `json:"mend,omitempty"`
	Warning bool   `json:"warning,omitempty"` // the register loads all the same
}

// String is "file:line:column: problem; mend".
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", f.File, max(f.Line, 1), max(f.Column, 1))
	if f.Warning {
		b.WriteString("warning: ")
	}
	if f.Where != "" {
		fmt.Fprintf(&b, "%s: ", f.Where)
	}
	b.WriteString(f.Problem)
	if f.Mend != "" {
		b.WriteString("; " + f.Mend)
	}
	return b.String()
}

// FindingsError is a register that does not check.
type FindingsError struct{ Findings []Finding }

// Error gives one line a finding.
func (e *FindingsError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// faults are the findings that keep a register from loading.
func faults(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Warning })
}

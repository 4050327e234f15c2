package register

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxNoticeSize bounds the text of a notice, in bytes.
const MaxNoticeSize = 4 << 20

// Coverage is what a register makes of its notice, clause by clause.
type Coverage struct {
	Controller string           `json:"controller"`
	Name       string           `json:"name"`
	InForce    string           `json:"in_force,omitempty"` // "" = undated
	File       string           `json:"file"`
	Version    string           `json:"version"`
	Clauses    []ClauseCoverage `json:"clauses"` // in the notice's order
}

// ClauseCoverage is one clause and what rests on it.
type ClauseCoverage struct {
	ID        string          `json:"id"`
	Line      int             `json:"line"`
	Says      string          `json:"says"`            // in the register's words
	Words     string          `json:"words,omitempty"` // the notice's own, where its text is at hand
	NoBearing string          `json:"no_bearing,omitempty"`
	Entries   []CoverageEntry `json:"entries,omitempty"`
	Accounted bool            `json:"accounted"` // an entry rests on it, or it says why none does

	begins string
}

// CoverageEntry is an entry of the register that names a clause. One of kind
// "ambiguity" only says how the clause is read: nothing rests on it.
type CoverageEntry struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

const ambiguityKind = "ambiguity"

// Coverage says what the register makes of each clause of its notice.
func (r *Register) Coverage() *Coverage {
	c := &Coverage{
		Controller: r.Controller.ID, Name: r.Controller.Name, InForce: r.InForce.From, File: r.File, Version: r.Version,
		Clauses: make([]ClauseCoverage, len(r.Clauses)),
	}
	at := make(map[string]int, len(r.Clauses))
	for i, cl := range r.Clauses {
		c.Clauses[i] = ClauseCoverage{
			ID: cl.ID, Line: cl.Line, Says: cl.Says, NoBearing: cl.NoBearing, Accounted: cl.NoBearing != "", begins: cl.Begins,
		}
		at[cl.ID] = i
	}
	add := func(clauses []string, e CoverageEntry) {
		for _, id := range clauses {
			if i, ok := at[id]; ok {
				c.Clauses[i].Entries = append(c.Clauses[i].Entries, e)
				c.Clauses[i].Accounted = c.Clauses[i].Accounted || e.Kind != ambiguityKind
			}
		}
	}
	for _, ref := range r.References() {
		add(ref.Clauses, CoverageEntry{ref.Kind, ref.ID, ref.Name})
	}
	for _, a := range r.Ambiguities {
		add(a.Clauses, CoverageEntry{ambiguityKind, a.ID, a.Reading})
	}
	return c
}

// Count says how many clauses an entry rests on, how many bear on nothing and
// say why, and how many are not accounted for.
func (c *Coverage) Count() (named, noBearing, missing int) {
	for i := range c.Clauses {
		switch cl := &c.Clauses[i]; {
		case !cl.Accounted:
			missing++
		case cl.NoBearing != "" && len(cl.Entries) == 0:
			noBearing++
		default:
			named++
		}
	}
	return named, noBearing, missing
}

// Complete says that the register lists clauses and accounts for all of them.
func (c *Coverage) Complete() bool {
	_, _, missing := c.Count()
	return missing == 0 && len(c.Clauses) > 0
}

// NoticeError is a text that is not the one that a register was drawn from.
type NoticeError struct{ Want, Got string }

// Error names both hashes and the mend.
func (e *NoticeError) Error() string {
	return fmt.Sprintf("this is not the text that the register was drawn from: its SHA-256 is %s, the register's notice.sha256 is %s; "+
		"give the very file that was read, byte for byte, or, if the notice has changed, read it again and write a register of its own for it", e.Got, e.Want)
}

// CheckNotice says whether a text is the one that the register was drawn from,
// with a *NoticeError if not. The hash is evidence, so not a byte may differ.
func (r *Register) CheckNotice(text []byte) error {
	sum := sha256.Sum256(text)
	if got := hex.EncodeToString(sum[:]); got != r.Notice.SHA256 {
		return &NoticeError{Want: r.Notice.SHA256, Got: got}
	}
	return nil
}

// AddWords gives each clause the notice's own words: from where it begins in
// its line to where the next clause does. A clause that does not begin where it
// is said to is an error.
func (c *Coverage) AddWords(notice []byte) error {
	if !utf8.Valid(notice) {
		return fmt.Errorf("the notice is not UTF-8 text")
	}
	text := string(notice)
	starts := []int{0} // of each line, in bytes
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	places := make([]int, len(c.Clauses))
	for i := range c.Clauses {
		cl := &c.Clauses[i]
		if cl.Line < 1 || cl.Line > len(starts) {
			return fmt.Errorf("clause %s begins in line %d, but the notice has %d lines", cl.ID, cl.Line, len(starts))
		}
		end := len(text)
		if cl.Line < len(starts) {
			end = starts[cl.Line]
		}
		from := starts[cl.Line-1]
		if i > 0 && places[i-1] >= from {
			from = places[i-1] + 1 // the next one in the same line
		}
		found := -1
		if from <= end {
			found = strings.Index(text[from:end], cl.begins)
		}
		if found < 0 || cl.begins == "" {
			return fmt.Errorf("clause %s is said to begin with %q in line %d of the notice, after the clause before it: it does not", cl.ID, cl.begins, cl.Line)
		}
		places[i] = from + found
	}
	for i := range c.Clauses {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1]
		}
		c.Clauses[i].Words = plain(text[places[i]:end])
	}
	return nil
}

// plain takes out what only lays a text out: indents, runs of blanks, empty lines.
func plain(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return strings.Join(lines, "\n")
}

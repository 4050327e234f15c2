package register

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

//go:embed scaffold.yaml.tmpl
var scaffoldText string

//go:embed scaffold_cases.yaml.tmpl
var scaffoldCasesText string

var (
	scaffoldTemplate      = template.Must(template.New("register").Funcs(scaffoldFuncs).Parse(scaffoldText))
	scaffoldCasesTemplate = template.Must(template.New("cases").Funcs(scaffoldFuncs).Parse(scaffoldCasesText))
)

var scaffoldFuncs = template.FuncMap{"quote": yamlQuote}

// yamlQuote writes a text as a double-quoted YAML scalar (YAML 1.2 §7.3.1).
func yamlQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// Scaffold is what a new register begins with.
type Scaffold struct {
	ID, Name string // of the controller
	Country  string // ISO 3166-1 alpha-2
	Zone     string // IANA time zone
	Language string // of the notice, ISO 639-1
	From     string // the day from which it is in force; "" = undated
	Notice   []byte // the notice's text; nil = not at hand yet
}

// Files are a register that checks as it is, marked where it is to be
// replaced, and worked cases that pass. With the notice's text at hand the
// register has its hash, and a clause for each line that holds words.
func (s Scaffold) Files() (register, cases []byte, err error) {
	data := struct {
		Scaffold
		SHA256  string
		Clauses []Clause
		At      string
	}{Scaffold: s, SHA256: strings.Repeat("0", 2*sha256.Size), At: "2026-01-02T10:00:00Z"}
	if s.From != "" {
		t, err := time.Parse(time.DateOnly, s.From)
		if err != nil {
			return nil, nil, fmt.Errorf("the day %q: write it as YYYY-MM-DD", s.From)
		}
		data.At = t.AddDate(0, 0, 2).Format(time.RFC3339)
	}
	if s.Notice != nil {
		if !utf8.Valid(s.Notice) {
			return nil, nil, fmt.Errorf("the notice is not UTF-8 text: save it as plain text")
		}
		sum := sha256.Sum256(s.Notice)
		data.SHA256 = hex.EncodeToString(sum[:])
		data.Clauses = clausesOf(string(s.Notice))
	}
	if len(data.Clauses) == 0 {
		data.Clauses = []Clause{{ID: "L1", Line: 1, Begins: "REPLACE", NoBearing: ""}}
	}
	var r, c bytes.Buffer
	if err := scaffoldTemplate.Execute(&r, data); err != nil {
		return nil, nil, fmt.Errorf("write the register: %w", err)
	}
	if err := scaffoldCasesTemplate.Execute(&c, data); err != nil {
		return nil, nil, fmt.Errorf("write the cases: %w", err)
	}
	return r.Bytes(), c.Bytes(), nil
}

// beginWords is how many words of a line are enough to find it by.
const beginWords = 6

// clausesOf makes a clause of each line that holds words.
func clausesOf(notice string) (clauses []Clause) {
	n := 0
	for line := range strings.Lines(notice) {
		n++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		if text == "" {
			continue
		}
		begins := text
		if words := strings.Fields(text); len(words) > beginWords {
			// As it stands in the line, however its words are spaced.
			begins = text[:strings.Index(text, words[beginWords-1])+len(words[beginWords-1])]
			if !strings.Contains(line, begins) {
				begins = words[0]
			}
		}
		clauses = append(clauses, Clause{ID: fmt.Sprintf("L%d", n), Line: n, Begins: begins})
	}
	return clauses
}

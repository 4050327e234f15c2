package register_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/register"
)

func TestParseNamesTheFault(t *testing.T) {
	t.Parallel()
	if r, findings := register.Parse("acme/2024-01-01.yaml", []byte(minimal), categories(t)); r == nil || len(findings) > 0 {
		t.Fatalf("the minimal register does not check: %v", findings)
	}
	for _, c := range []struct {
		name      string
		from, to  string // what is replaced in the minimal register
		at        string // the line with this text is named; "" = any
		problem   string // part of what is said
		mend      string
		otherwise string // another fault that must not be reported
	}{
		{name: "unknown key", from: "  country: EE", to: "  county: EE", at: "county", problem: `unknown field "county"`},
		{name: "key twice", from: "  country: EE", to: "  country: EE\n  country: FI", at: "country: FI", problem: "already defined"},
		{name: "wrong type", from: "clauses: [\"§2\"]", to: "clauses: {a: b}", at: "clauses: {a: b}", problem: "mapping was used where sequence is expected"},
		{name: "bad zone", from: "Europe/Tallinn", to: "Europe/Talinn", at: "zone:", problem: `"Europe/Talinn" is no time zone`, mend: "Europe/Tallinn"},
		{name: "bad date", from: `"2024-01-01"`, to: `"2024-02-30"`, at: "from:", problem: "2024-02-30", mend: "first day"},
		{name: "bad hash", from: "sha256: aaa", to: "sha256: zzz", at: "sha256", problem: "not the SHA-256"},
		{name: "unknown format", from: "register/v1", to: "register/v9", at: "andmerada:", problem: "register/v9"},
		{name: "unknown category", from: "categories: [name, phone]", to: "categories: [name, fone]", at: "fone", problem: `category "fone" is not in the vocabulary`, mend: `did you mean "phone"?`},
		{name: "unknown list", from: `"@who"`, to: `"@whom"`, at: "@whom", problem: `no category list "whom"`, mend: `"who"`},
		{name: "unknown purpose", from: "purposes: [billing]", to: "purposes: [biling]", at: "purposes: [biling]", problem: `no purpose "biling"`, mend: `"billing"`},
		{name: "unknown recipient", from: "recipients: [bank]", to: "recipients: [banc]", at: "recipients: [banc]", problem: `no recipient "banc"`, mend: `"bank"`},
		{name: "unknown operation", from: "operations: [transfer]", to: "operations: [transfr]", at: "transfr", problem: `unknown operation "transfr"`, mend: `"transfer"`},
		{name: "id twice", from: "sources: []", to: "  - id: bank\n    name: {en: b}\n    kind: p\n    purposes: [all]\n    clauses: [x]\nsources: []", problem: `"bank" is listed twice`, mend: "the first is recipients[0]"},
		{name: "no clause", from: `    kind: processor
    purposes: [billing]
    clauses: ["§3"]`, to: `    kind: processor
    purposes: [billing]
    clauses: []`, at: "clauses: []", problem: "names no clause"},
		{name: "no such legal basis", from: "legal_basis: [contract]", to: "legal_basis: [contrct]", at: "contrct", problem: "contrct", mend: `"contract"`},
		{name: "stated basis is empty", from: "legal_basis: [contract]", to: "legal_basis: []", at: "legal_basis: []", problem: "is empty"},
		{name: "unknown name in a condition", from: "processor.storage_country,", to: "processor.storage_contry,", at: "that:", problem: `unknown name`},
		{name: "ill-typed condition", from: "in_eea(processor.storage_country, event.date)", to: "in_eea(event.date, event.date)", at: "that:", problem: "no matching overload"},
		{name: "condition that is no truth", from: "in_eea(processor.storage_country, event.date)", to: "processor.storage_country", at: "that:", problem: "must give true or false"},
		{name: "condition that does not parse", from: "in_eea(processor.storage_country, event.date)", to: "in_eea(", at: "that:", problem: "column"},
		{name: "a date against an instant", from: "in_eea(processor.storage_country, event.date)", to: "breach.date < event.time", at: "that:", problem: "no matching overload"},
		{name: "loop in a condition", from: "in_eea(processor.storage_country, event.date)", to: "event.categories.all(c, c == 'name')", at: "that:", problem: "unknown name"},
		{name: "misspelt purpose in a condition", from: "in_eea(processor.storage_country, event.date)", to: "event.purpose == 'acme/biling'", at: "that:", problem: `"acme/biling"`, mend: `"billing"`},
		{name: "misspelt value in a condition", from: "in_eea(processor.storage_country, event.date)", to: "breach.kind == 'paymnt'", at: "that:", problem: `"paymnt"`, mend: `"payment"`},
		{name: "misspelt list in a condition", from: "in_eea(processor.storage_country, event.date)", to: "within(event.categories, listed('whom'))", at: "that:", problem: `"whom"`, mend: `"who"`},
		{name: "misspelt fact", from: "        says: the data are kept", to: "        skip_if_absent: [necesity]\n        says: the data are kept", at: "necesity", problem: `no fact "necesity"`, mend: `"necessity"`},
		{name: "no such verdict", from: "    status: stated\nretention", to: "    status: stated\n    unmet: forbidden\nretention", at: "unmet:", problem: `unknown verdict "forbidden"`},
		{name: "a rule with nothing to require", from: `    requires:
      - that: in_eea(processor.storage_country, event.date)
        says: the data are kept in the EEA
`, to: "", problem: "not_judged"},
		{name: "closed and empty", from: `categories: ["@who"]`, to: "categories: []", at: "categories: []", problem: "nothing could ever be allowed"},
		{name: "anchor", from: "name: {en: billing}", to: "name: &n {en: billing}", at: "&n", problem: "anchors"},
		{name: "two documents", from: "rights: []\n", to: "rights: []\n---\na: b\n", problem: "2 documents"},
		{name: "unknown ambiguity", from: "    status: stated\nretention", to: "    status: stated\n    ambiguities: [AMB-1]\nretention", at: "AMB-1", problem: `no ambiguity "AMB-1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(minimal, c.from) {
				t.Fatalf("the minimal register has no %q", c.from)
			}
			text := strings.Replace(minimal, c.from, c.to, 1)
			r, findings := register.Parse("acme/2024-01-01.yaml", []byte(text), categories(t))
			if r != nil {
				t.Fatal("it loads all the same")
			}
			f := findings[0]
			if !strings.Contains(f.Problem, c.problem) || !strings.Contains(f.Mend, c.mend) {
				t.Errorf("got %v\nwant a problem with %q and a mend with %q", f, c.problem, c.mend)
			}
			if c.at != "" && f.Line != lineOf(t, text, c.at) {
				t.Errorf("%v: line %d, want %d", f, f.Line, lineOf(t, text, c.at))
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"alias bomb":   "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n",
		"nesting bomb": "a: " + strings.Repeat("[", 10_000),
		"block nesting": func() string {
			var b strings.Builder
			for i := range 3000 {
				fmt.Fprintf(&b, "%s- \n", strings.Repeat(" ", i))
			}
			return b.String()
		}(),
		"too large": strings.Repeat("# a comment\n", register.MaxFileSize/10),
		"too many rules": strings.Replace(minimal, "retention: []",
			strings.Repeat("  - {id: B, title: t, kind: k, clauses: [c], says: s, not_judged: n, status: stated}\n", 3000)+"retention: []", 1),
		"long condition": strings.Replace(minimal, "in_eea(processor.storage_country, event.date)", strings.Repeat("necessity && ", 400)+"necessity", 1),
		"empty":          "",
		"a scalar":       "42",
		"NUL":            "andmerada: \x00",
		"not UTF-8":      "andmerada: \xff\xfe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r, findings := register.Parse("x.yaml", []byte(text), categories(t)); r != nil || len(findings) == 0 {
				t.Errorf("register %v, findings %v: want it refused", r != nil, findings)
			}
		})
	}
}

func TestOverlapIsWarnedOf(t *testing.T) {
	t.Parallel()
	at := strings.Index(minimal, "  - id: A-1")
	end := strings.Index(minimal, "retention: []")
	twice := minimal[:end] + strings.Replace(minimal[at:end], "A-1", "A-2", 1) + minimal[end:]
	r, findings := register.Parse("x.yaml", []byte(twice), categories(t))
	if r == nil || len(findings) != 1 || !findings[0].Warning || !strings.Contains(findings[0].Problem, "A-2 selects the same events by the same conditions as A-1") {
		t.Errorf("loads %v, findings %v", r != nil, findings)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("andmerada: register/v1\nrules: [{}]\n"))
	f.Add([]byte("a: [[[[{"))
	cats := categories(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, findings := register.Parse("fuzz.yaml", data, cats)
		if r == nil && len(findings) == 0 {
			t.Error("refused without a finding")
		}
		for _, finding := range findings {
			if finding.Problem == "" {
				t.Errorf("a finding without a problem: %v", finding)
			}
		}
	})
}

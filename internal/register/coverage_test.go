package register_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/register"
)

// noticeText is the notice of the minimal register, clause by clause.
const noticeText = "PRIVACY\r\n\r\n  1. We keep   names.\r\n     All of them.\r\n  2. We bill. 3. The bank\r\n\r\n  helps. 4. Hello.\r\n"

const noticeClauses = `clauses:
  - {id: "§1", line: 3, begins: "1. We keep", says: what data}
  - {id: "§2", line: 5, begins: "2. We bill", says: billing}
  - {id: "§3", line: 5, begins: "3. The", says: the bank}
  - {id: "§4", line: 7, begins: "4. Hello", says: a greeting, no_bearing: it promises nothing}
`

func covered(t *testing.T, clauses string) *register.Register {
	t.Helper()
	sum := sha256.Sum256([]byte(noticeText))
	text := strings.Replace(minimal, strings.Repeat("a", 64), hex.EncodeToString(sum[:]), 1) + clauses
	r, findings := register.Draft("acme/a.yaml", []byte(text), categories(t))
	if r == nil {
		t.Fatal(findings)
	}
	return r
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	r := covered(t, noticeClauses)
	c := r.Coverage()
	if named, no, missing := c.Count(); named != 3 || no != 1 || missing != 0 || !c.Complete() {
		t.Errorf("%d named, %d no bearing, %d missing; want 3, 1, 0", named, no, missing)
	}
	var entries []string
	for _, cl := range c.Clauses {
		for _, e := range cl.Entries {
			entries = append(entries, cl.ID+" "+e.Kind+" "+e.ID)
		}
	}
	want := "§1 category name, §1 category-list who, §2 purpose billing, §3 recipient bank, §3 rule A-1"
	if got := strings.Join(entries, ", "); got != want {
		t.Errorf("entries %s\nwant %s", got, want)
	}
}

func TestCoverageOfWhatIsNotAccountedFor(t *testing.T) {
	t.Parallel()
	gap := strings.Replace(noticeClauses, ", no_bearing: it promises nothing", "", 1) +
		"ambiguities: [{id: A, clauses: [\"§4\"], issue: i, reading: r, severity: low}]\n"
	c := covered(t, gap).Coverage()
	last := c.Clauses[3]
	if _, _, missing := c.Count(); missing != 1 || c.Complete() || last.Accounted || len(last.Entries) != 1 {
		t.Errorf("%d missing, %+v: an ambiguity alone accounts for no clause", missing, last)
	}
	if covered(t, "").Coverage().Complete() {
		t.Error("a register that lists no clauses is complete")
	}
}

func TestWordsOfClauses(t *testing.T) {
	t.Parallel()
	r := covered(t, noticeClauses)
	if err := r.CheckNotice([]byte(noticeText)); err != nil {
		t.Fatal(err)
	}
	c := r.Coverage()
	if err := c.AddWords([]byte(noticeText)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"1. We keep names.\nAll of them.", "2. We bill.", "3. The bank\nhelps.", "4. Hello."} {
		if got := c.Clauses[i].Words; got != want {
			t.Errorf("%s: %q, want %q", c.Clauses[i].ID, got, want)
		}
	}
	for name, clauses := range map[string]string{
		"another line":      strings.Replace(noticeClauses, "line: 3", "line: 2", 1),
		"no such line":      strings.Replace(noticeClauses, "line: 7", "line: 70", 1),
		"before the former": strings.Replace(noticeClauses, "3. The", "2. We bill", 1),
		"no words":          strings.Replace(noticeClauses, "1. We keep", "", 1),
	} {
		if err := covered(t, clauses).Coverage().AddWords([]byte(noticeText)); err == nil || !strings.Contains(err.Error(), "clause §") {
			t.Errorf("%s: error %v, want one that names the clause", name, err)
		}
	}
}

func TestOnlyTheVeryNotice(t *testing.T) {
	t.Parallel()
	r := covered(t, noticeClauses)
	err := r.CheckNotice([]byte(strings.ReplaceAll(noticeText, "\r\n", "\n")))
	var other *register.NoticeError
	if !errors.As(err, &other) || other.Want != r.Notice.SHA256 || !strings.Contains(err.Error(), other.Got) || !strings.Contains(err.Error(), other.Want) {
		t.Errorf("another line end: error %v, want one with both hashes", err)
	}
	if err := r.Coverage().AddWords([]byte("\xff")); err == nil {
		t.Error("a text that is no UTF-8 has words")
	}
}

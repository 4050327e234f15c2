package answer_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// A case keeps whom a trace found, page by page, and two can be compared.
func TestCases(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	frozen := func(change func(*answer.ActsRequest)) string {
		a, err := answer.Breach(t.Context(), d, answer.BreachRequest{Windows: []answer.Window{window("", change)}, Freeze: "leak"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a.Case == nil || a.Case.Persons != uint64(a.Persons) {
			t.Fatalf("%d persons, frozen %+v", a.Persons, a.Case)
		}
		return a.Case.ID
	}
	all := frozen(nil)
	bank := frozen(func(r *answer.ActsRequest) { r.Recipients = []string{"acme/bank"} })
	list, err := answer.Cases(t.Context(), d, answertest.Controller)
	if err != nil || len(list.Cases) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	var pages []string
	for req := (answer.CaseRequest{ID: all, Limit: 1}); ; {
		c, err := answer.CaseOf(t.Context(), d, req)
		if err != nil || len(c.Affected) != 1 {
			t.Fatalf("%+v, %v", c, err)
		}
		pages = append(pages, c.Affected[0].Pseudonym)
		if raw, err := base64.RawURLEncoding.DecodeString(c.Next); err != nil || strings.Contains(hex.EncodeToString(raw), c.Affected[0].Pseudonym) {
			t.Errorf("the cursor %s shows a pseudonym: %v", c.Next, err)
		}
		if req.Cursor = c.Next; req.Cursor == "" {
			break
		}
	}
	if len(pages) != 2 || pages[0] >= pages[1] {
		t.Errorf("persons %v", pages)
	}
	var changes []string
	tell := func(c *answer.CaseChange) error {
		changes = append(changes, c.Change+" "+c.Pseudonym)
		return nil
	}
	if c, err := answer.CompareCases(t.Context(), d, all, bank, tell); err != nil || c.Both != 1 || c.Only1 != 1 || c.Only2 != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := answer.CompareCases(t.Context(), d, bank, all, tell); err != nil || c.Both != 1 || c.Only1 != 0 || c.Only2 != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	var persons []string
	if err := answer.EachPerson(t.Context(), d, all, func(p *answer.AffectedPerson) error {
		persons = append(persons, p.Pseudonym)
		return nil
	}); err != nil || !slices.Equal(persons, pages) {
		t.Errorf("all persons %v, page by page %v, %v", persons, pages, err)
	}
	if len(changes) != 2 || changes[0][:5] != "gone " || changes[1] != "new "+changes[0][5:] {
		t.Errorf("changes %v", changes)
	}
	if _, err := answer.CaseOf(t.Context(), d, answer.CaseRequest{ID: "none"}); !errors.Is(err, answer.ErrNotFound) {
		t.Errorf("a case that is not there: %v", err)
	}
	var f *answer.Fault
	if _, err := answer.CaseOf(t.Context(), d, answer.CaseRequest{ID: all, Cursor: "x"}); !errors.As(err, &f) {
		t.Errorf("a page after nonsense: %v", err)
	}
	first, err := answer.CaseOf(t.Context(), d, answer.CaseRequest{ID: all, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := answer.CaseOf(t.Context(), d, answer.CaseRequest{ID: bank, Cursor: first.Next}); !errors.As(err, &f) || f.Pointer != "/cursor" {
		t.Errorf("another case's cursor: %v", err)
	}
}

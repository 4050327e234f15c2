package register_test

import (
	"maps"
	"slices"
	"testing"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// TestTermsHaveNames: each word that registers and verdicts use has a name in
// every language, and what each register declares in English and in the
// language of its notice.
func TestTermsHaveNames(t *testing.T) {
	t.Parallel()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]map[string]bool{
		register.TermLegalBasis: {}, register.TermOperation: {}, register.TermRecipientKind: {}, register.TermSourceKind: {},
		register.TermVerdict: {"allowed": true, "review": true, "violation": true}, register.TermGeneralRule: {"no-register-in-force": true},
	}
	for _, id := range register.GeneralRules {
		used[register.TermGeneralRule][id] = true
	}
	for _, b := range register.Bases {
		used[register.TermLegalBasis][b] = true
	}
	for _, op := range event.Operations() {
		used[register.TermOperation][op.String()] = true
	}
	for _, r := range set.All() {
		language := r.Notice.Language
		named := func(what string, n register.Names) {
			if n["en"] == "" || n[language] == "" {
				t.Errorf("%s: %s has no name in English and in %q: %v", r.Controller.ID, what, language, n)
			}
		}
		for _, p := range r.Purposes {
			named("purpose "+p.ID, p.Name)
		}
		for _, c := range r.Categories {
			if r.CategoryName(c.ID, "en") == c.ID || c.Name[language] == "" {
				t.Errorf("%s: category %s has no name in English and in %q", r.Controller.ID, c.ID, language)
			}
		}
		for _, e := range r.Recipients {
			used[register.TermRecipientKind][e.Kind] = true
		}
		for _, s := range r.Sources {
			used[register.TermSourceKind][s.Kind] = true
		}
	}
	for group, words := range used {
		if got := register.Terms(group); !slices.Equal(got, slices.Sorted(maps.Keys(words))) {
			t.Errorf("%s: there are names of %v; used are %v", group, got, slices.Sorted(maps.Keys(words)))
		}
		for word := range words {
			for _, language := range register.Languages {
				name := register.Term(group, word, language)
				if name == "" || language != "en" && name == register.Term(group, word, "en") {
					t.Errorf("%s %s has no name in %q", group, word, language)
				}
			}
		}
	}
	if got := register.Term(register.TermVerdict, "no-such-word", "et"); got != "no-such-word" {
		t.Errorf("a word without a name is called %q", got)
	}
}

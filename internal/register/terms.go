package register

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed terms.yaml
var termsText []byte

// Languages are those in which every shared word has a name, by ISO 639-1.
var Languages = []string{"en", "et", "fi", "lv", "ru"}

// Groups of the words that all registers share.
const (
	TermLegalBasis    = "legal_basis"
	TermOperation     = "operation"
	TermRecipientKind = "recipient_kind"
	TermSourceKind    = "source_kind"
	TermVerdict       = "verdict"
	TermGeneralRule   = "general_rule"
)

var terms = sync.OnceValue(func() map[string]map[string]Names {
	all := make(map[string]map[string]Names)
	if err := yaml.Unmarshal(termsText, &all); err != nil {
		panic(fmt.Sprintf("read the names of terms: %v", err)) // a test reads them
	}
	return all
})

// Term is what a word of a group is called in a language: in English where
// there is no name in that language, and the word itself where there is none.
func Term(group, word, language string) string {
	names, ok := terms()[group][word]
	if !ok {
		return word
	}
	return names.In(language)
}

// Terms lists the words of a group, sorted.
func Terms(group string) []string { return slices.Sorted(maps.Keys(terms()[group])) }

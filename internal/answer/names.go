package answer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

// language is that of names in answers.
const language = "en"

// Counted is something that events have in common, and how many do.
type Counted struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// Rule is a rule or retention period of a register, in plain words.
type Rule struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Says    string   `json:"says" doc:"What the clause means, in plain words."`
	Clauses []string `json:"clauses" doc:"Where the notice says so; none for a rule that holds for every register."`
}

// names finds what the ids of a row are called, in the register that the row
// was judged by.
type names struct {
	set       *register.Set
	byVersion map[string]*register.Register
}

func newNames(set *register.Set) *names {
	return &names{set: set, byVersion: make(map[string]*register.Register)}
}

// register is that of a version, nil if it is not loaded.
func (n *names) register(version string) *register.Register {
	r, ok := n.byVersion[version]
	if !ok {
		r, _ = n.set.Version(version)
		n.byVersion[version] = r
	}
	return r
}

func (n *names) purpose(version, id string) string {
	if r := n.register(version); r != nil {
		if p, ok := r.Purpose(id); ok {
			return p.Name.In(language)
		}
	}
	if question, person, ok := event.ParseQuestionPurpose(id); ok {
		if person {
			return "a question about a person, asked of the trail: " + question
		}
		return "a question asked of the trail: " + question
	}
	return id
}

func (n *names) category(version, id string) string {
	if r := n.register(version); r != nil {
		return r.CategoryName(id, language)
	}
	return id
}

func (n *names) categories(version string, ids []string) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = n.category(version, id)
	}
	return all
}

func (n *names) rule(version, id string) Rule {
	if title, says, ok := verdict.General(id); ok {
		return Rule{ID: id, Title: title, Says: says, Clauses: []string{}}
	}
	if r := n.register(version); r != nil {
		if rule, ok := r.Rule(id); ok {
			return Rule{ID: id, Title: rule.Title, Says: rule.Says, Clauses: rule.Clauses}
		}
	}
	return Rule{ID: id, Title: id, Says: "The register that this rule stands in is not loaded.", Clauses: []string{}}
}

func (n *names) rules(version string, ids []string) []Rule {
	all := make([]Rule, len(ids))
	for i, id := range ids {
		all[i] = n.rule(version, id)
	}
	return all
}

// factName is what a fact of the vocabulary means.
func factName(name string) string {
	if info, ok := event.FieldNamed(name); ok {
		return info.Meaning
	}
	switch name {
	case "consent":
		return "the person's consents"
	case "objection":
		return "the person's objections"
	case "opt_out":
		return "the person's opt-outs"
	case "request":
		return "the person's requests"
	case "recipient":
		return "who received the data"
	}
	return strings.ReplaceAll(name, "_", " ")
}

// counted lists counts, most first.
func counted(counts map[string]uint64, name func(id string) string) []Counted {
	all := make([]Counted, 0, len(counts))
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, Counted{id, name(id), counts[id]})
	}
	slices.SortStableFunc(all, func(a, b Counted) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

// basisNames are the legal bases of GDPR Art. 6(1) in plain words.
var basisNames = map[string]string{
	"consent":             "consent (Art. 6(1)(a))",
	"contract":            "contract (Art. 6(1)(b))",
	"pre-contract":        "steps before a contract (Art. 6(1)(b))",
	"legal-obligation":    "legal obligation (Art. 6(1)(c))",
	"vital-interest":      "vital interest (Art. 6(1)(d))",
	"public-task":         "public task (Art. 6(1)(e))",
	"legitimate-interest": "legitimate interest (Art. 6(1)(f))",
}

// BasisName is a legal basis in plain words, with its place in the GDPR.
func BasisName(id string) string { return cmp.Or(basisNames[id], id) }

package unusual

import (
	"cmp"
	"slices"
	"sync"

	rules "github.com/andmerada/andmerada/deploy/unusual"
)

// Format is the value of the file's first key: its format and version.
const Format = "unusual/v1"

// Kind is in which way an access is unusual.
type Kind string

// The kinds of rules.
const (
	OwnRecord      Kind = "own-record"      // one's own, by the fact actor_relation
	Relation       Kind = "relation"        // of somebody close, by that fact
	Colleague      Kind = "colleague"       // of another employee, by that fact
	PublicEye      Kind = "public-figure"   // by the fact public_figure
	NoRelationship Kind = "no-relationship" // no contract, relationship, request or debt, by these facts
	Volume         Kind = "volume"          // more persons than usual
	Hour           Kind = "hour"            // of the day
	NewUse         Kind = "new-use"         // a purpose or category
)

// Severity is how much a hit matters.
type Severity string

// The severities.
const (
	High   Severity = "high"
	Medium Severity = "medium"
	Low    Severity = "low"
)

var severities = []Severity{High, Medium, Low}

// compare puts what matters most first.
func (s Severity) compare(t Severity) int {
	return cmp.Compare(slices.Index(severities, s), slices.Index(severities, t))
}

// Rules are those of a file.
type Rules struct {
	HistoryDays  int      // how far back habits are learnt
	Operations   []string // that are looked at
	WithoutRoles []string // that are not
	Rules        []Rule   // as in the file
}

// Rule is one rule. Of its numbers only those that its kind has are set.
type Rule struct {
	ID       string   `yaml:"id"`
	Kind     Kind     `yaml:"kind"`
	Severity Severity `yaml:"severity"`
	Title    string   `yaml:"title"`
	Why      string   `yaml:"why"` // it is worth a look

	Off     bool     `yaml:"off"`      // for all controllers
	OffFor  []string `yaml:"off_for"`  // these controllers
	OnlyFor []string `yaml:"only_for"` // these controllers and no others; empty = all

	Relations    []string `yaml:"relations"`     // values of actor_relation
	UnlessReason bool     `yaml:"unless_reason"` // an act with a reason is no hit
	AfterDays    int      `yaml:"after_days"`    // since the end of the relationship
	WhenUnknown  bool     `yaml:"when_unknown"`  // a person of whom nothing is known is a hit

	Per        string `yaml:"per"` // day, hour
	Minimum    int    `yaml:"minimum"`
	Deviations int    `yaml:"deviations"`
	Percentile int    `yaml:"percentile"`
	Always     int    `yaml:"always"`

	Of          string `yaml:"of"` // purpose, category
	Around      int    `yaml:"around"`
	OwnDays     int    `yaml:"own_days"`
	OwnAtMost   int    `yaml:"own_at_most"`
	Peers       int    `yaml:"peers"`
	PeersAtMost int    `yaml:"peers_at_most"`
}

// On says whether the rule is asked of a controller.
func (r *Rule) On(controller string) bool {
	return !r.Off && !slices.Contains(r.OffFor, controller) && (len(r.OnlyFor) == 0 || slices.Contains(r.OnlyFor, controller))
}

// ByFact says whether the rule is about what is known of the person, and not
// about habits.
func (r *Rule) ByFact() bool { return slices.Contains(byFact, r.Kind) }

var byFact = []Kind{OwnRecord, Relation, Colleague, PublicEye, NoRelationship}

// For are the rules that are asked of a controller.
func (rs *Rules) For(controller string) (all []*Rule) {
	for i := range rs.Rules {
		if rs.Rules[i].On(controller) {
			all = append(all, &rs.Rules[i])
		}
	}
	return all
}

// Default is the file that comes with Andmerada.
var Default = sync.OnceValue(func() *Rules {
	rs, err := Parse("rules.yaml", rules.Rules)
	if err != nil {
		panic(err) // built in: a test reads it
	}
	return rs
})

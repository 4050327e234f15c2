package verdict_test

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

// slow is a second evaluator: it reads the YAML as it stands, with nothing
// prepared, and answers each question from the start. Obvious rather than fast.
type slow struct {
	file       map[string]any
	categories []any
	zone       *time.Location
}

type object = map[string]any

func newSlow(t testing.TB, file string) *slow {
	t.Helper()
	s := &slow{}
	read := func(name string, into any) {
		data, err := fs.ReadFile(registers.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	var vocabulary object
	read("categories.yaml", &vocabulary)
	read(file, &s.file)
	s.categories = vocabulary["categories"].([]any)
	var err error
	if s.zone, err = time.LoadLocation(s.file["controller"].(object)["zone"].(string)); err != nil {
		t.Fatal(err)
	}
	return s
}

func texts(v any) (list []string) {
	for _, e := range asList(v) {
		list = append(list, e.(string))
	}
	return list
}

func asList(v any) []any { l, _ := v.([]any); return l }

func or(v any, byDefault string) string {
	if s, ok := v.(string); ok {
		return s
	}
	return byDefault
}

func find(list any, id string) object {
	for _, e := range asList(list) {
		if e.(object)["id"] == id {
			return e.(object)
		}
	}
	return nil
}

// takesIn says whether a list takes in a category: it, a whole of it, or all
// parts that it is the sum of.
func (s *slow) takesIn(list []string, category string) bool {
	if slices.Contains(list, category) {
		return true
	}
	c := find(s.categories, category)
	if c == nil {
		return false
	}
	for parent := or(c["parent"], ""); parent != ""; parent = or(find(s.categories, parent)["parent"], "") {
		if slices.Contains(list, parent) {
			return true
		}
	}
	sum, _ := c["sum_of_parts"].(bool)
	parts := 0
	for _, e := range s.categories {
		if part := e.(object); part["parent"] == category {
			parts++
			sum = sum && s.takesIn(list, part["id"].(string))
		}
	}
	return sum && parts > 0
}

// named spells "@list" out.
func (s *slow) named(list any) (categories []string) {
	for _, c := range texts(list) {
		if id, ok := strings.CutPrefix(c, "@"); ok {
			categories = append(categories, texts(find(s.file["category_lists"], id)["categories"])...)
		} else {
			categories = append(categories, c)
		}
	}
	return categories
}

// question is what is asked of the evaluator.
type question struct {
	s       *slow
	ev      *event.Event
	facts   *event.Facts
	id      string // of the controller
	purpose object
}

func (q *question) covered() (list []string) {
	for _, p := range []object{q.purpose, find(q.s.file["purposes"], or(q.purpose["companion"], ""))} {
		for _, key := range []string{"categories", "categories_from_text", "categories_inferred"} {
			if p != nil {
				list = append(list, q.s.named(p[key])...)
			}
		}
	}
	return list
}

func (q *question) uncovered() []string {
	list := []string{}
	for _, c := range q.ev.Categories {
		if known := find(q.s.categories, c); q.purpose != nil && (known == nil || known["group"] != "class") && !q.s.takesIn(q.covered(), c) {
			list = append(list, c)
		}
	}
	return list
}

func (q *question) day() time.Time {
	y, m, d := q.ev.Time.In(q.s.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func (q *question) slug(id string) string { return strings.TrimPrefix(id, q.id+"/") }

func (q *question) recipient() object {
	if !strings.HasPrefix(q.ev.Recipient.ID, q.id+"/") {
		return nil
	}
	return find(q.s.file["recipients"], q.slug(q.ev.Recipient.ID))
}

// judge gives the outcome, the rules it rests on, and what is missing.
func (q *question) judge() (outcome string, rules []string, lacks lacking) {
	worth := []string{"not-applicable", "allowed", "review", "violation"}
	outcome, lacks = "allowed", lacking{}
	say := func(id, came string, missing lacking, general bool) {
		if slices.Index(worth, came) > slices.Index(worth, outcome) {
			outcome, rules, lacks = came, nil, lacking{}
		}
		if came == outcome && (!general || came != "allowed") {
			rules = append(rules, id)
			lacks = together(lacks, missing)
		}
	}
	op := q.ev.Operation.String()
	if !slices.Contains([]string{"erase", "rectify", "restrict"}, op) {
		q.general(say)
	}
	for _, list := range []string{"rules", "retention"} {
		for _, e := range asList(q.s.file[list]) {
			rule := e.(object)
			if came, missing := q.rule(rule); came != "not-applicable" {
				say(rule["id"].(string), came, missing, false)
			}
		}
	}
	if outcome != "review" {
		lacks = lacking{}
	}
	if len(rules) == 0 && q.purpose != nil {
		rules = []string{"X-02"}
	}
	return outcome, rules, lacks
}

func (q *question) general(say func(id, came string, missing lacking, general bool)) {
	lists := q.s.file["lists"].(object)
	foreign := func(id string) bool { return strings.Contains(id, "/") && !strings.HasPrefix(id, q.id+"/") }
	if foreign(q.ev.Purpose) || foreign(q.ev.Recipient.ID) {
		say("X-01", "violation", nil, true)
	}
	switch {
	case q.ev.Purpose == "":
		say("X-02", "review", lacking{"purpose": true}, true)
	case q.purpose == nil && lists["purposes"] == "closed":
		say("X-02", "violation", nil, true)
	case q.purpose == nil:
		say("X-02", "review", nil, true)
	}
	to := q.ev.Recipient
	gives := q.ev.Operation == event.Transfer || q.ev.Operation == event.Disclose
	entry := q.recipient()
	switch {
	case to == event.Recipient{}:
		if gives {
			say("X-03", "review", lacking{"recipient": true}, true)
			return
		}
	case to.ID == event.DataSubject:
		return
	case entry == nil:
		if !gives || lists["recipients"] == "open" {
			say("X-03", "review", nil, true)
			return
		}
	case gives && q.purpose != nil:
		if for_ := texts(entry["purposes"]); !slices.Contains(for_, "all") && !slices.Contains(for_, q.slug(q.ev.Purpose)) {
			say("X-03", "review", nil, true)
			return
		}
	}
	if entry != nil && entry["geography"] != nil {
		return
	}
	for _, country := range []any{
		q.fact("processor.establishment_country"), q.fact("processor.storage_country"), q.fact("transfer.destination_country"), to.Country,
	} {
		if c, ok := country.(string); ok && c != "" && q.inEEA(c) != true {
			say("X-03", "review", nil, true)
			return
		}
	}
}

func (q *question) rule(rule object) (came string, missing lacking) {
	if rule["not_judged"] != nil {
		return "not-applicable", nil
	}
	applies, _ := rule["applies"].(object)
	has := func(key, value string) bool {
		list := texts(applies[key])
		return len(list) == 0 || slices.Contains(list, value)
	}
	op := q.ev.Operation.String()
	switch {
	case len(asList(applies["operations"])) == 0 && slices.Contains([]string{"erase", "rectify", "restrict"}, op),
		!has("operations", op),
		len(asList(applies["purposes"])) > 0 && (q.purpose == nil || !has("purposes", q.slug(q.ev.Purpose))),
		len(asList(applies["recipients"])) > 0 && (q.ev.Recipient.ID == "" || q.ev.Recipient.ID != event.DataSubject && q.recipient() == nil || !has("recipients", q.slug(q.ev.Recipient.ID))):
		return "not-applicable", nil
	}
	if about := q.s.named(applies["categories"]); len(about) > 0 && !slices.ContainsFunc(q.ev.Categories, func(c string) bool { return q.s.takesIn(about, c) }) {
		return "not-applicable", nil
	}
	if when := or(applies["when"], ""); when != "" {
		switch truth, lacks := q.holds(when); truth {
		case "unknown":
			return "review", lacks
		case "false":
			return "not-applicable", nil
		}
	}
	worth := []string{"not-applicable", "allowed", "review", "violation"}
	came, missing = "not-applicable", lacking{}
	for _, e := range asList(rule["requires"]) {
		req := e.(object)
		if slices.ContainsFunc(texts(req["skip_if_absent"]), func(name string) bool { return q.state(name) == event.Absent }) {
			continue
		}
		truth, lacks := q.holds(req["that"].(string))
		var outcome string
		switch truth {
		case "true":
			outcome = or(rule["met"], "allowed")
		case "unknown":
			outcome = or(req["unknown"], or(rule["unknown"], "review"))
		default:
			outcome = or(req["unmet"], or(rule["unmet"], "violation"))
			for _, x := range asList(req["except"]) {
				if truth, _ := q.holds(x.(object)["when"].(string)); truth == "true" {
					outcome = x.(object)["verdict"].(string)
					break
				}
			}
		}
		if slices.Index(worth, outcome) >= 2 {
			missing = together(missing, lacks)
		}
		if slices.Index(worth, outcome) > slices.Index(worth, came) {
			came = outcome
		}
	}
	return came, missing
}

func (q *question) holds(condition string) (truth string, lacks lacking) {
	switch v := evaluate(&world{q.value, q.call}, condition).(type) {
	case bool:
		return strconv.FormatBool(v), nil
	case lacking:
		return "unknown", v
	default:
		return "unknown", lacking{"condition": true}
	}
}

// TestSlowEvaluatorAgrees holds the evaluator against the slow one on random
// events and facts, of all registers in turn.
func TestSlowEvaluatorAgrees(t *testing.T) {
	t.Parallel()
	set := load(t)
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 5_000
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ANDMERADA_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (again with ANDMERADA_SEED=%d)", seed, seed)
	all := set.All()
	for i, r := range all {
		t.Run(r.Controller.ID+" "+r.InForce.From, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			s := newSlow(t, r.File)
			seen := make(map[register.Outcome]int)
			for range n / len(all) {
				ev := randomEvent(rng, r)
				facts := randomFacts(rng, r, ev)
				fast := verdict.Judge(r, ev, &facts)
				seen[fast.Outcome]++
				q := &question{s: s, ev: ev, facts: &facts, id: r.Controller.ID}
				if strings.HasPrefix(ev.Purpose, q.id+"/") {
					q.purpose = find(s.file["purposes"], q.slug(ev.Purpose))
				}
				outcome, rules, lacks := q.judge()
				missing := slices.Sorted(maps.Keys(lacks))
				if outcome != fast.Outcome.String() || !slices.Equal(rules, fast.Rules) || !slices.Equal(missing, fast.Unknown) && len(missing)+len(fast.Unknown) > 0 {
					t.Fatalf("%s\n%s: fast %s by %v for want of %v, slow %s by %v for want of %v",
						fmt.Sprintf("%s %s %v to %q at %s", ev.Operation, ev.Purpose, ev.Categories, ev.Recipient, ev.Time.Format(time.RFC3339)),
						facts.AppendJSON(nil), fast.Outcome, fast.Rules, fast.Unknown, outcome, rules, missing)
				}
			}
			for _, o := range []register.Outcome{verdict.Allowed, verdict.Review, verdict.Violation} {
				if seen[o] < n/len(all)/100 {
					t.Errorf("only %d of %d events come to %s: the events are not random enough", seen[o], n/len(all), o)
				}
			}
		})
	}
}

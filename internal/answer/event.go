package answer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// EventRequest asks for one event in full.
type EventRequest struct {
	Place
	Person int // whose verdict to explain, by index; negative: the worst
	// Reveal says who acted, by id: only for what was asked with a reason that is
	// kept. A mask stands there otherwise.
	Reveal bool
}

// EventAnswer is one event in full: what arrived, what was known, and how the
// verdict came about.
type EventAnswer struct {
	Entry
	ID             string          `json:"id" doc:"CloudEvents id."`
	Recorded       time.Time       `json:"recorded" doc:"Timestamp of the Kafka record."`
	Stored         time.Time       `json:"stored"`
	ControllerName string          `json:"controller_name"`
	ActorID        string          `json:"actor_id,omitempty" doc:"A mask, the same for all that the same actor did: who it is is told by /v1/reveals."`
	OnBehalfOf     string          `json:"actor_on_behalf_of,omitempty" doc:"Masked in the same way."`
	RecipientCode  string          `json:"recipient_code,omitempty"`
	Country        string          `json:"recipient_country,omitempty"`
	Fields         []string        `json:"fields"`
	Records        uint64          `json:"records,omitempty"`
	DataSource     string          `json:"data_source,omitempty"`
	BasisReference string          `json:"basis_reference,omitempty"`
	Channel        string          `json:"channel,omitempty"`
	CohortID       string          `json:"cohort_id,omitempty"`
	CohortSize     uint64          `json:"cohort_size,omitempty"`
	Sequence       uint64          `json:"sequence,omitempty"`
	TraceID        string          `json:"trace_id,omitempty"`
	SpanID         string          `json:"span_id,omitempty"`
	BodyHash       string          `json:"body_hash" doc:"First half of the SHA-256 of the event's bytes."`
	Fact           string          `json:"fact,omitempty" doc:"Of a fact: its name."`
	FactValue      json.RawMessage `json:"fact_value,omitempty"`
	FactValidFrom  time.Time       `json:"fact_valid_from,omitzero"`
	Persons        []PersonVerdict `json:"persons" doc:"Each person the event concerns, with every verdict on it, newest last."`
	Explanation    *Explanation    `json:"explanation,omitempty"`
	NotExplained   string          `json:"not_explained,omitempty" doc:"Why the verdict is not explained."`
}

// PersonVerdict is one verdict on an event as far as it concerns one person.
type PersonVerdict struct {
	Index           uint16    `json:"index"`
	Pseudonym       string    `json:"pseudonym,omitempty" doc:"Of the person or the cohort; left out if the event is about nobody."`
	Verdict         string    `json:"verdict" enum:"none,allowed,review,violation"`
	Rules           []string  `json:"rules"`
	Unknown         []string  `json:"unknown"`
	RegisterVersion string    `json:"register_version,omitempty"`
	Evaluator       uint16    `json:"evaluator,omitempty"`
	JudgedAt        time.Time `json:"judged_at,omitzero"`
	Cause           string    `json:"cause,omitempty" doc:"Why it was judged again; left out for the first judgement."`
	Because         string    `json:"because,omitempty" doc:"The cause in words."`
	Current         bool      `json:"current" doc:"It is the verdict that stands."`
}

// Known is a fact and what was known of it.
type Known struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Explanation is a verdict recomputed, with the way it came about.
type Explanation struct {
	Person     uint16       `json:"person" doc:"Index of the person whose verdict it is."`
	Verdict    string       `json:"verdict" enum:"allowed,review,violation"`
	Rules      []RuleResult `json:"rules"`
	Recalled   []Known      `json:"recalled" doc:"Facts that were known of the person, the actor and the recipient at the time."`
	Stated     []Known      `json:"stated" doc:"Facts that the event itself states."`
	Uncovered  []string     `json:"uncovered" doc:"Categories that the purpose's lists do not cover."`
	Clauses    []string     `json:"clauses"`
	Register   string       `json:"register" doc:"Notice that the register was drawn from."`
	Version    string       `json:"register_version"`
	Evaluator  uint16       `json:"evaluator"`
	Differs    bool         `json:"differs" doc:"The recomputed verdict is not the stored one."`
	Difference []string     `json:"difference,omitempty"`
}

// RuleResult is what one rule made of the event.
type RuleResult struct {
	Rule
	Outcome      string        `json:"outcome" enum:"not-applicable,allowed,review,violation"`
	Decided      bool          `json:"decided" doc:"The verdict rests on it."`
	Requirements []Requirement `json:"requirements"`
	Missing      []Named       `json:"missing" doc:"Facts for want of which it could not be told."`
}

// Requirement is what one condition of a rule came to.
type Requirement struct {
	Says    string  `json:"says"`
	Truth   string  `json:"truth" enum:"true,false,unknown,not tested"`
	Outcome string  `json:"outcome" enum:"not-applicable,allowed,review,violation"`
	Because string  `json:"because,omitempty" doc:"Why the outcome is another than the rule's."`
	Facts   []Known `json:"facts" doc:"Facts that it read."`
}

// Event answers what one event was and how its verdict came about.
func Event(ctx context.Context, d Deps, req EventRequest) (*EventAnswer, error) {
	if err := d.inHouse(); err != nil {
		return nil, err
	}
	if len(req.Topic) > 249 || req.Partition < 0 || req.Offset < 0 {
		return nil, ErrNotFound
	}
	rows, err := d.Trail.Event(ctx, req.Topic, req.Partition, req.Offset)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrNotFound
	}
	latest, row := standing(rows)
	n := newNames(d.Registers)
	a := &EventAnswer{Persons: []PersonVerdict{}}
	changes, err := d.history(ctx, rows)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		p := personVerdict(&rows[i])
		p.Current = latest[p.Index] == &rows[i]
		for _, c := range changes[judgedAt(&rows[i])] {
			if c.At.Equal(p.JudgedAt) {
				p.Because = c.Because
			}
		}
		a.Persons = append(a.Persons, p)
	}
	slices.SortStableFunc(a.Persons, func(x, y PersonVerdict) int { return int(x.Index) - int(y.Index) })
	if req.Person >= 0 {
		if row = latest[uint16(min(req.Person, 1<<16-1))]; row == nil {
			return nil, ErrNotFound
		}
	}
	a.arrived(&d, n, row)
	if !req.Reveal {
		a.ActorID, a.OnBehalfOf = d.Mask(row.Controller, row.Actor), d.Mask(row.Controller, row.ActorOnBehalfOf)
	}
	if list := changes[judgedAt(row)]; len(list) > 0 {
		a.Changed = list[len(list)-1]
	}
	a.ControllerName = row.Controller
	if r, err := d.controller(row.Controller, ""); err == nil {
		a.ControllerName = r.Controller.Name
	}
	a.Explanation, a.NotExplained, err = d.explain(n, row)
	return a, err
}

// standing finds of an event's rows the latest judgement of each person, which is
// the last of its rows, and the worst of these.
func standing(rows []trail.Row) (latest map[uint16]*trail.Row, worst *trail.Row) {
	latest = make(map[uint16]*trail.Row)
	for i := range rows {
		latest[rows[i].PersonIndex] = &rows[i]
	}
	worst = latest[rows[0].PersonIndex]
	for _, i := range slices.Sorted(maps.Keys(latest)) {
		if latest[i].Verdict > worst.Verdict {
			worst = latest[i]
		}
	}
	return latest, worst
}

func personVerdict(row *trail.Row) PersonVerdict {
	p := PersonVerdict{
		Index: row.PersonIndex, Verdict: verdictName(row.Verdict), Rules: orEmpty(row.Rules), Unknown: orEmpty(row.Unknown),
		RegisterVersion: row.RegisterVersion, Evaluator: row.Evaluator, JudgedAt: row.JudgedAt, Cause: row.Cause,
	}
	if who := identity.Pseudonym(row.Person); !who.IsZero() {
		p.Pseudonym = who.String()
	}
	return p
}

func (a *EventAnswer) arrived(d *Deps, n *names, row *trail.Row) {
	a.Entry = d.entry(n, row)
	a.ID, a.Recorded, a.Stored = row.EventID, row.Recorded, row.Stored
	a.ActorID, a.OnBehalfOf = row.Actor, row.ActorOnBehalfOf
	a.RecipientCode, a.Country = row.RecipientCode, row.RecipientCountry
	a.Fields, a.Records, a.DataSource = orEmpty(row.Fields), row.Records, row.DataSource
	a.BasisReference, a.Channel = row.BasisReference, row.Channel
	a.CohortID, a.CohortSize, a.Sequence = row.CohortID, row.CohortSize, row.Sequence
	a.BodyHash = fmt.Sprintf("%x", row.BodyHash)
	if row.TraceID != [16]byte{} {
		a.TraceID, a.SpanID = fmt.Sprintf("%x", row.TraceID), fmt.Sprintf("%x", row.Span)
	}
	a.Fact, a.FactValidFrom = row.Fact, row.FactValidFrom
	if json.Valid([]byte(row.FactValue)) {
		a.FactValue = json.RawMessage(row.FactValue)
	}
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// explain judges the event again by the register and the facts that the stored
// verdict rests on. why says why that cannot be done.
func (d *Deps) explain(n *names, row *trail.Row) (x *Explanation, why string, err error) {
	switch {
	case row.Verdict == register.NotApplicable:
		return nil, "Facts and lists of members are not judged.", nil
	case slices.Contains(row.Rules, verdict.NotInForce):
		return nil, "No register of this controller was in force at the time.", nil
	case d.Facts == nil:
		return nil, "The facts of the time are not at hand here.", nil
	}
	r := n.register(row.RegisterVersion)
	if r == nil {
		return nil, "The register version that it was judged by is not loaded.", nil
	}
	ev := event.Event{
		Kind: event.Processing, ID: row.EventID, Source: row.Source, Time: row.Time, Controller: row.Controller,
		Cohort: event.Cohort{ID: row.CohortID, Size: row.CohortSize}, Operation: row.Operation,
		Actor:   event.Actor{ID: row.Actor, Kind: row.ActorKind, Role: row.ActorRole, Organisation: row.ActorOrganisation, OnBehalfOf: row.ActorOnBehalfOf},
		Purpose: row.Purpose, Categories: row.Categories, Fields: row.Fields, Records: row.Records,
		Recipient:  event.Recipient{ID: row.Recipient, Organisation: row.RecipientOrganisation, Code: row.RecipientCode, Country: row.RecipientCountry},
		DataSource: row.DataSource, Basis: event.Basis{Kind: row.Basis, Reference: row.BasisReference}, Reason: row.Reason, Channel: row.Channel,
	}
	if row.Statements != "" {
		if ev.Statements, err = event.DecodeFacts([]byte(row.Statements)); err != nil {
			return nil, "", fmt.Errorf("read the statements of %s: %w", Place{row.Topic, row.Partition, row.Offset}.Path(), err)
		}
	}
	at := facts.Order{Recorded: row.Recorded, Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}
	if row.Cause != "" {
		at.Offset = math.MaxInt64 // judged again, by all that there was
	}
	known := d.Facts(at, row.Controller, row.Person, row.Actor, row.Recipient, row.Time)
	x = &Explanation{Person: row.PersonIndex, Rules: []RuleResult{}, Register: r.Notice.Title, Version: r.Version, Evaluator: verdict.Evaluator}
	var err1, err2 error
	x.Recalled, err1 = knownFacts(&known)
	x.Stated, err2 = knownFacts(&ev.Statements)
	if err := errors.Join(err1, err2); err != nil {
		return nil, "", err
	}
	known.Overlay(&ev.Statements)
	explained := verdict.Explain(r, &ev, &known)
	x.Verdict, x.Uncovered, x.Clauses = explained.Outcome.String(), n.categories(r.Version, explained.Uncovered), orEmpty(explained.Clauses)
	for i := range explained.Rules {
		if !explained.Rules[i].General || explained.Rules[i].Outcome > register.Allowed {
			x.Rules = append(x.Rules, ruleResult(&explained.Rules[i]))
		}
	}
	slices.SortStableFunc(x.Rules, func(a, b RuleResult) int { return int(rank(b.Outcome)) - int(rank(a.Outcome)) })
	compare := func(what string, stored, now []string) {
		if !slices.Equal(stored, now) {
			x.Difference = append(x.Difference, fmt.Sprintf("%s: stored %s, recomputed %s", what, listed(stored), listed(now)))
		}
	}
	compare("verdict", []string{row.Verdict.String()}, []string{x.Verdict})
	compare("rules", row.Rules, explained.Verdict.Rules)
	compare("missing facts", row.Unknown, explained.Unknown)
	x.Differs = x.Difference != nil
	return x, "", nil
}

func listed(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func ruleResult(e *verdict.RuleExplanation) RuleResult {
	res := RuleResult{
		Rule: Rule{ID: e.ID, Title: e.Title, Says: e.Says, Clauses: orEmpty(e.Clauses)}, Outcome: e.Outcome.String(), Decided: e.Decided,
		Requirements: []Requirement{}, Missing: []Named{},
	}
	for _, id := range e.Missing {
		res.Missing = append(res.Missing, Named{id, factName(id)})
	}
	for _, q := range e.Requirements {
		req := Requirement{Says: q.Says, Truth: q.Truth, Outcome: q.Outcome.String(), Because: q.Because, Facts: []Known{}}
		if q.Skipped {
			req.Truth = "not tested"
		}
		for _, f := range q.Facts {
			req.Facts = append(req.Facts, Known(f))
		}
		res.Requirements = append(res.Requirements, req)
	}
	return res
}

// knownFacts lists what is known, one line a fact, or an entry of a list.
func knownFacts(f *event.Facts) ([]Known, error) {
	all := []Known{}
	var object map[string]any
	if err := json.Unmarshal(f.AppendJSON(nil), &object); err != nil {
		return nil, fmt.Errorf("list the known facts: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch v := object[name].(type) {
		case []any:
			if len(v) == 0 {
				all = append(all, Known{name, "none"})
			}
			for _, e := range v {
				all = append(all, Known{name, plain(e)})
			}
		case map[string]any:
			for _, member := range slices.Sorted(maps.Keys(v)) {
				all = append(all, Known{name + "." + member, plain(v[member])})
			}
		default:
			all = append(all, Known{name, plain(v)})
		}
	}
	return all, nil
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, strings.ReplaceAll(k, "_", " ")+": "+plain(v[k]))
		}
		return strings.Join(parts, ", ")
	default:
		return fmt.Sprint(v)
	}
}

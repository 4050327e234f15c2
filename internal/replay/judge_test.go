package replay

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

func builtIn(t testing.TB) *register.Set {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// past is a made-up history as rows of the trail, and all facts in it.
type past struct {
	registers *register.Set
	facts     *facts.Store
	events    []*event.Event // one a row
	rows      []trail.Row
}

func newPast(t testing.TB, events int) *past {
	t.Helper()
	p := &past{registers: builtIn(t), facts: facts.New()}
	secret, err := identity.ParseSecret(strings.Repeat("0f", identity.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	g, err := history.New(p.registers, history.Options{Seed: 3, Events: events, Persons: history.MinPersons, CohortPart: 100})
	if err != nil {
		t.Fatal(err)
	}
	var offset int64
	for ev := range g.Events() {
		offset++
		var persons []identity.Pseudonym
		for _, who := range ev.Persons {
			one, err := keys.Pseudonym(ev.Controller, who.Scheme, who.Value)
			if err != nil {
				t.Fatal(err)
			}
			persons = append(persons, one)
		}
		if ev.Cohort.ID != "" {
			one, err := keys.Cohort(ev.Controller, ev.Cohort.ID)
			if err != nil {
				t.Fatal(err)
			}
			persons = append(persons, one)
		}
		switch ev.Kind {
		case event.FactEvent:
			p.facts.Learn(ev.Controller, persons, &ev.Fact, facts.Order{Recorded: ev.Time, Topic: "t", Offset: offset})
		case event.Processing:
			for i, who := range persons {
				row := rowOf(ev)
				row.Topic, row.Partition, row.Offset = "t", 0, offset
				row.Person, row.PersonIndex, row.Of = who, uint16(i), uint16(len(persons))
				p.events, p.rows = append(p.events, ev), append(p.rows, row)
			}
		}
	}
	return p
}

// rowOf is an event as ingest writes it.
func rowOf(ev *event.Event) trail.Row {
	row := trail.Row{
		EventID: ev.ID, Source: ev.Source, Operation: ev.Operation, Time: ev.Time, Recorded: ev.Time, Controller: ev.Controller,
		Cohort: ev.Cohort.ID != "", CohortID: ev.Cohort.ID, CohortSize: ev.Cohort.Size,
		Actor: ev.Actor.ID, ActorKind: ev.Actor.Kind, ActorRole: ev.Actor.Role, ActorOrganisation: ev.Actor.Organisation, ActorOnBehalfOf: ev.Actor.OnBehalfOf,
		Purpose: ev.Purpose, Categories: ev.Categories, Fields: ev.Fields, Records: ev.Records,
		Recipient: ev.Recipient.ID, RecipientOrganisation: ev.Recipient.Organisation, RecipientCode: ev.Recipient.Code, RecipientCountry: ev.Recipient.Country,
		DataSource: ev.DataSource, Basis: ev.Basis.Kind, BasisReference: ev.Basis.Reference, Reason: ev.Reason, Channel: ev.Channel, Sequence: ev.Sequence,
	}
	if !ev.Statements.IsZero() {
		row.Statements = string(ev.Statements.AppendJSON(nil))
	}
	return row
}

// TestVerdictsOfRows: an event judged by its row is judged as the event is.
func TestVerdictsOfRows(t *testing.T) {
	t.Parallel()
	p := newPast(t, 20_000)
	j := &Judge{Registers: p.registers, Facts: p.facts}
	outcomes := make(map[verdict.Outcome]int)
	stated := 0
	for i, ev := range p.events {
		row := &p.rows[i]
		reg, err := p.registers.For(ev.Controller, ev.Time)
		if err != nil {
			t.Fatal(err)
		}
		known := p.facts.AsOf(ev.Controller, row.Person, ev.Actor.ID, ev.Recipient.ID, ev.Time)
		known.Overlay(&ev.Statements)
		want := verdict.Judge(reg, ev, &known)
		got, err := j.Verdict(row)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("event %d, %+v\nis judged %+v, %v\nwant      %+v", i, row, got, err, want)
		}
		outcomes[got.Outcome]++
		if row.Statements != "" {
			stated++
		}
	}
	if len(p.events) < 10_000 || outcomes[verdict.Allowed] == 0 || outcomes[verdict.Review] == 0 || outcomes[verdict.Violation] == 0 || stated == 0 {
		t.Errorf("%d events, %v, %d with statements: the test says little", len(p.events), outcomes, stated)
	}
}

// TestEventOfRow: what ingest puts into a row comes out again, but for what a
// verdict never rests on.
func TestEventOfRow(t *testing.T) {
	t.Parallel()
	p := newPast(t, 20_000)
	seen := make(map[string]bool) // members that are not zero in some event
	for i, ev := range p.events {
		got, err := Event(&p.rows[i])
		if err != nil {
			t.Fatal(err)
		}
		want := *ev
		want.ID, want.Type, want.TraceParent, want.Persons = "", "", "", nil
		if !reflect.DeepEqual(*got, want) {
			t.Fatalf("event %d came back as\n%+v\nwant\n%+v", i, *got, want)
		}
		for f, v := 0, reflect.ValueOf(want); f < v.NumField(); f++ {
			if !v.Field(f).IsZero() {
				seen[v.Type().Field(f).Name] = true
			}
		}
	}
	for _, name := range []string{"Source", "Time", "Sequence", "Controller", "Cohort", "Operation", "Actor", "Purpose", "Categories", "Fields", "Records", "Recipient", "DataSource", "Basis", "Channel", "Statements"} {
		if !seen[name] {
			t.Errorf("no event has %s", name)
		}
	}
}

func TestVerdictRefuses(t *testing.T) {
	t.Parallel()
	j := &Judge{Registers: builtIn(t), Facts: facts.New()}
	good := trail.Row{Operation: event.Use, Controller: "elektrum", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Purpose: "elektrum/billing", Topic: "t", Offset: 7}
	if v, err := j.Verdict(&good); err != nil || v.Outcome == 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	for name, c := range map[string]struct {
		change func(*trail.Row)
		is     error
	}{
		"a fact":             {func(r *trail.Row) { r.Operation = trail.OperationFact }, ErrNotJudged},
		"a listing":          {func(r *trail.Row) { r.Operation = trail.OperationCohort }, ErrNotJudged},
		"nothing":            {func(r *trail.Row) { r.Operation = 0 }, ErrNotJudged},
		"another controller": {func(r *trail.Row) { r.Controller = "nobody" }, register.ErrUnknownController},
	} {
		row := good
		c.change(&row)
		if _, err := j.Verdict(&row); !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", name, err, c.is)
		}
	}
	row := good
	row.Statements = `{"necessity":`
	var fault *event.Fault
	if _, err := j.Verdict(&row); !errors.As(err, &fault) {
		t.Errorf("broken statements: %v", err)
	}
	// What was refused leaves nothing behind for the next.
	if v, err := j.Verdict(&good); err != nil || v.Outcome == 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestNotInForce(t *testing.T) {
	t.Parallel()
	set := builtIn(t)
	var later *register.Register
	for _, r := range set.All() {
		if !r.From.IsZero() {
			later = r
		}
	}
	if later == nil {
		t.Fatal("no register has a date")
	}
	j := &Judge{Registers: register.NewSet(later), Facts: facts.New()}
	v, err := j.Verdict(&trail.Row{Operation: event.Use, Controller: later.Controller.ID, Time: later.From.Add(-time.Second)})
	if err != nil || v.Outcome != verdict.Review || !slices.Equal(v.Rules, []string{verdict.NotInForce}) || v.RegisterVersion != "" {
		t.Errorf("%+v, %v", v, err)
	}
}

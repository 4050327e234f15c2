package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/replay"
	"github.com/andmerada/andmerada/internal/trail"
)

// replayResult is how fast stored events are judged again, each by two
// registers: that in force and a draft.
type replayResult struct {
	Verdicts int           `json:"verdicts"`
	Took     time.Duration `json:"took_ns"`
	PerSec   float64       `json:"verdicts_per_second"`
	CPU      float64       `json:"cpu_us_per_verdict"` // ClickHouse's included
	Facts    int           `json:"facts"`
	Learn    time.Duration `json:"learn_ns"` // reading the facts, before
}

const replayTopic = "replayed"

// replays fills a trail with ready-made rows and tries a draft on it.
func (p *place) replays(ctx context.Context, r *result) (err error) {
	db, database, err := p.database(ctx, "replay")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), p.drop(ctx, database)) }()
	if err := p.plant(ctx, db); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	draft, err := p.draft()
	if err != nil {
		return err
	}
	store, began := facts.New(), time.Now()
	if err := ingest.LearnFacts(store, db.Facts(ctx, replayTopic)); err != nil {
		return err
	}
	res := &replayResult{Facts: store.Len(), Learn: time.Since(began)}
	q := replay.Question{Trail: db, Facts: store, Current: p.registers, Draft: draft, Topic: replayTopic, Examples: 3}
	var runs []runResult
	for range p.Runs {
		began, used := time.Now(), cpu()+p.house.cpu()
		var tried *replay.Result
		err := p.profiled(func() (err error) { tried, err = replay.Try(ctx, q); return err })
		if err != nil {
			return err
		}
		took := time.Since(began)
		res.Verdicts = int(tried.Verdicts)
		runs = append(runs, runResult{Took: took, PerSec: float64(tried.Verdicts) / took.Seconds(), CPU: float64((cpu() + p.house.cpu() - used).Microseconds()) / float64(tried.Verdicts)})
		p.say("replay: %d verdicts twice in %s, %.0f a second, %.2f CPU us each; %d change", tried.Verdicts, took.Round(time.Millisecond), runs[len(runs)-1].PerSec, runs[len(runs)-1].CPU, tried.Changed.Verdicts)
	}
	res.PerSec, res.CPU = median(runs, perSecond), median(runs, cpuEach)
	res.Took = time.Duration(float64(res.Verdicts) / res.PerSec * float64(time.Second))
	r.Replay = res
	return nil
}

// draft is the registers in force, each in another version that says the same:
// every event is judged by both.
func (p *place) draft() (*register.Set, error) {
	categories, err := fs.ReadFile(registers.FS, register.CategoriesFile)
	if err != nil {
		return nil, fmt.Errorf("read the categories: %w", err)
	}
	var drafts []*register.Register
	for _, r := range p.registers.All() {
		data, err := fs.ReadFile(registers.FS, r.File)
		if err != nil {
			return nil, fmt.Errorf("read register %q: %w", r.File, err)
		}
		decisions, err := register.ReadDecisions(registers.FS, r.Controller.ID)
		if err != nil {
			return nil, err
		}
		draft, findings := register.Parse(r.File, append(data, "\n# a draft\n"...), categories, decisions...)
		if draft == nil || draft.Version == r.Version {
			return nil, fmt.Errorf("a draft of %q: %v", r.File, findings)
		}
		drafts = append(drafts, draft)
	}
	return register.NewSet(drafts...), nil
}

// plant writes the past as ingest would, without Kafka in between.
func (p *place) plant(ctx context.Context, db *trail.DB) error {
	const rows = 100_000
	store := facts.New()
	j := &replay.Judge{Registers: p.registers, Facts: store}
	began, blocks := time.Now(), trail.NewBlocks()
	var first, next int64
	var written int
	insert := func() error {
		if next == first {
			return nil
		}
		if err := db.Insert(ctx, trail.Range{Topic: replayTopic, First: first, Last: next - 1}, p.past.Manifest().End, blocks); err != nil {
			return err
		}
		written += blocks.Trail.Rows()
		first = next
		blocks.Reset()
		return nil
	}
	for ev := range p.past.Events() {
		if ev.Kind == event.CohortPart {
			continue
		}
		persons, err := p.persons(ev)
		if err != nil {
			return err
		}
		row := rowOf(ev)
		row.Offset, row.Of = next, uint16(max(1, len(persons)))
		if ev.Kind == event.FactEvent {
			store.Learn(ev.Controller, persons, &ev.Fact, facts.Order{Recorded: ev.Time, Topic: replayTopic, Offset: next})
		}
		for i := range row.Of {
			if row.PersonIndex = i; int(i) < len(persons) {
				row.Person = persons[i]
			}
			if ev.Kind == event.Processing {
				v, err := j.Verdict(&row)
				if err != nil {
					return err
				}
				row.Verdict, row.Rules, row.Unknown, row.RegisterVersion, row.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
			}
			blocks.Trail.Append(&row)
		}
		if next++; blocks.Trail.Rows() >= rows {
			if err := insert(); err != nil {
				return err
			}
		}
	}
	if err := insert(); err != nil {
		return err
	}
	p.say("replay: %d rows planted in %s", written, time.Since(began).Round(time.Millisecond))
	return nil
}

// persons are an event's pseudonyms, or its cohort's.
func (p *place) persons(ev *event.Event) ([]identity.Pseudonym, error) {
	if ev.Cohort.ID != "" {
		one, err := p.keys.Cohort(ev.Controller, ev.Cohort.ID)
		return []identity.Pseudonym{one}, err
	}
	var all []identity.Pseudonym
	for _, who := range ev.Persons {
		one, err := p.keys.Pseudonym(ev.Controller, who.Scheme, who.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// rowOf is what all rows of an event share.
func rowOf(ev *event.Event) trail.Row {
	row := trail.Row{
		EventID: ev.ID, Source: ev.Source, Operation: ev.Operation, Time: ev.Time, Recorded: ev.Time, Controller: ev.Controller,
		Cohort: ev.Cohort.ID != "", CohortID: ev.Cohort.ID, CohortSize: ev.Cohort.Size,
		Actor: ev.Actor.ID, ActorKind: ev.Actor.Kind, ActorRole: ev.Actor.Role, ActorOrganisation: ev.Actor.Organisation, ActorOnBehalfOf: ev.Actor.OnBehalfOf,
		Purpose: ev.Purpose, Categories: ev.Categories, Fields: ev.Fields, Records: ev.Records,
		Recipient: ev.Recipient.ID, RecipientOrganisation: ev.Recipient.Organisation, RecipientCode: ev.Recipient.Code, RecipientCountry: ev.Recipient.Country,
		DataSource: ev.DataSource, Basis: ev.Basis.Kind, BasisReference: ev.Basis.Reference, Reason: ev.Reason, Channel: ev.Channel, Sequence: ev.Sequence,
		JudgedAt: ev.Time.Truncate(24 * time.Hour),
	}
	switch {
	case ev.Kind == event.FactEvent:
		row.Operation, row.Fact, row.FactValidFrom = trail.OperationFact, ev.Fact.Name, ev.Fact.ValidFrom
		row.Actor, row.Recipient = ev.Fact.AboutActor, ev.Fact.AboutOrg
		if ev.Fact.Name != event.IdentityFact {
			row.FactValue = string(ev.Fact.Value.AppendJSON(nil))
		}
	case !ev.Statements.IsZero():
		row.Statements = string(ev.Statements.AppendJSON(nil))
	}
	return row
}

package answertest

import (
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// Planted is the first offset after those of [Plant].
const Planted = 13

// Store puts processing events into the trail from an offset on, as ingest
// would, but for their verdicts. Each names one person, by pseudonym, or a cohort.
func Store(t testing.TB, d answer.Deps, first int64, events ...*event.Event) {
	t.Helper()
	blocks := trail.NewBlocks()
	for i, ev := range events {
		row := trail.Row{
			EventID: ev.ID, Source: ev.Source, Time: ev.Time, Recorded: ev.Time, Controller: ev.Controller, Of: 1, JudgedAt: ev.Time, Topic: Topic, Offset: first + int64(i),
			Operation: ev.Operation, Purpose: ev.Purpose, Categories: ev.Categories, Records: ev.Records, Reason: ev.Reason, BasisReference: ev.Basis.Reference,
			Recipient: ev.Recipient.ID, RecipientOrganisation: ev.Recipient.Organisation, RecipientCode: ev.Recipient.Code, RecipientCountry: ev.Recipient.Country,
			Actor: ev.Actor.ID, ActorKind: ev.Actor.Kind, ActorRole: ev.Actor.Role, ActorOrganisation: ev.Actor.Organisation, Verdict: verdict.Allowed,
			Cohort: ev.Cohort.ID != "", CohortID: ev.Cohort.ID, CohortSize: ev.Cohort.Size,
		}
		row.DataSource = ev.DataSource
		if !ev.Statements.IsZero() {
			row.Statements = string(ev.Statements.AppendJSON(nil))
		}
		var who identity.Pseudonym
		var err error
		if row.Cohort {
			who, err = d.Keys.Cohort(ev.Controller, ev.Cohort.ID)
		} else {
			who, err = identity.ParsePseudonym(ev.Persons[0].Value)
		}
		if err != nil {
			t.Fatal(err)
		}
		row.Person = who
		blocks.Trail.Append(&row)
	}
	if err := d.Trail.Insert(t.Context(), trail.Range{Topic: Topic, First: first, Last: first + int64(len(events)) - 1}, Start.Add(48*time.Hour), blocks); err != nil {
		t.Fatal(err)
	}
}

// Freeze keeps a case of one person.
func Freeze(t testing.TB, d answer.Deps, id, controller, name string, who identity.Pseudonym) {
	t.Helper()
	c := trail.Case{ID: id, Controller: controller, Name: name, Request: []byte("{}"), Answer: []byte("{}"), FrozenAt: Start}
	if err := d.Trail.FreezeCase(t.Context(), &c, []trail.CasePerson{{Person: who, First: Start, Last: Start, Events: 1, Categories: []string{"name"}}}); err != nil {
		t.Fatal(err)
	}
}

// Away is a trail that cannot be asked any more.
func Away(t testing.TB) *trail.DB {
	t.Helper()
	engine := embeddedtest.ClickHouse(t)
	user, password := engine.Credentials(embedded.Owner)
	db, err := trail.Open(t.Context(), trail.Config{Addr: engine.Addr(), Database: embeddedtest.Database(t), User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return db
}

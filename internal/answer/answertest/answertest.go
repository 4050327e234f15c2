// Package answertest plants a small trail on the embedded engine, for tests of
// answers and of what shows them. What is planted is told in [Plant].
package answertest

import (
	_ "embed"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	profiles "github.com/andmerada/andmerada/deploy/profiles"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/profile"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// The person that the answers are about, by two identifiers, and another.
const (
	Controller = "acme"
	Customer   = "C-100200300"
	Email      = "mari.maasikas@example.com"
	Other      = "C-999"
)

// Case is a frozen case that is planted, of one person.
const Case = "20260310-0000000000000001"

// Topic is where everything is planted, in partition 0.
const Topic = "andmerada.events"

// Start is the time of the first event; each later one is an hour after the
// one before it.
var Start = time.Date(2026, 3, 10, 6, 0, 0, 0, time.UTC)

var (
	//go:embed register.yaml
	registerYAML []byte
	//go:embed categories.yaml
	categoriesYAML []byte
)

type planter struct {
	t      testing.TB
	keys   *identity.Keys
	reg    *register.Register
	facts  *facts.Store
	blocks *trail.Blocks
	next   int64
}

// Plant makes a trail of one controller:
//
//	0  an identity fact links Customer and Email
//	1  a fact: the bank keeps its data in the US
//	2  a transfer to the bank, by Customer: a violation of A-1
//	3  a disclosure to an undeclared Post24 OÜ, by Email: a review
//	4  a bill is sent to the person
//	5  use by the controller itself
//	6  the members of the cohort "june": Email, Other
//	7  a transfer of the cohort to a courier named only as a class: allowed
//	8  event 2 again: a duplicate
//	9  a disclosure about Other to Elsewhere AS
//	10 quarantined
//	11 use for a purpose that is not declared: a violation
//	12 a transfer to the bank that itself says the data are kept in Estonia: allowed
func Plant(t testing.TB) answer.Deps {
	t.Helper()
	d, _ := plant(t)
	return d
}

// PlantForReader is Plant, and gives answers by the users that a server has: one
// who may read, within bounds, and nothing else, and one who may keep cases, and
// nothing else.
func PlantForReader(t testing.TB) answer.Deps {
	t.Helper()
	d, database := plant(t)
	engine := embeddedtest.ClickHouse(t)
	user, password := engine.Credentials(embedded.Reader)
	casesUser, casesPassword := engine.Credentials(embedded.Cases)
	db, err := trail.Open(t.Context(), trail.Config{
		Addr: engine.Addr(), Database: database, User: user, Password: password, Timeout: 20 * time.Second, ReadOnly: true, CasesUser: casesUser, CasesPassword: casesPassword,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d.Trail = db
	return d
}

func plant(t testing.TB) (d answer.Deps, database string) {
	t.Helper()
	reg, findings := register.Parse("acme/2024-01-01.yaml", registerYAML, categoriesYAML)
	if reg == nil {
		t.Fatal(findings)
	}
	secret, err := identity.ParseSecret(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	p := &planter{t: t, keys: keys, reg: reg, facts: facts.New(), blocks: trail.NewBlocks()}
	p.all()
	database = embeddedtest.Database(t)
	engine := embeddedtest.ClickHouse(t)
	user, password := engine.Credentials(embedded.Owner)
	db, err := trail.Open(t.Context(), trail.Config{
		Addr: engine.Addr(), Database: database, User: user, Password: password, Timeout: 20 * time.Second,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Insert(t.Context(), trail.Range{Topic: Topic, First: 0, Last: p.next - 1}, p.now(), p.blocks); err != nil {
		t.Fatal(err)
	}
	leak := trail.Case{ID: Case, Controller: Controller, Name: "a leak", Request: []byte("{}"), Answer: []byte("{}"), FrozenAt: Start}
	if err := db.FreezeCase(t.Context(), &leak, []trail.CasePerson{{Person: p.customer(), First: Start, Last: Start, Events: 1, Categories: []string{"name"}}}); err != nil {
		t.Fatal(err)
	}
	jurisdictions, err := profile.Load(profiles.FS)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Deps{Trail: db, Registers: register.NewSet(reg), Keys: keys, Facts: p.facts.AsSeen, Now: func() time.Time { return Start.Add(24 * time.Hour) }, Profiles: jurisdictions}, database
}

func (p *planter) all() {
	p.fact(event.Fact{Name: event.IdentityFact}, p.customer(), p.email())
	storage := event.Fact{Name: "processor", AboutOrg: "acme/bank"}
	storage.Value.Set(event.ProcessorStorageCountry, event.TextValue("US"))
	p.fact(storage)
	bank := event.Event{
		Operation: event.Transfer, Purpose: "acme/billing", Categories: []string{"name", "phone"}, Recipient: event.Recipient{ID: "acme/bank"},
		Basis: event.Basis{Kind: "contract", Reference: "K-1"}, Actor: event.Actor{ID: "u17", Kind: event.ActorHuman, Role: "bookkeeper", Organisation: "Acme OÜ"},
	}
	p.event(bank, false, p.customer())
	p.event(event.Event{
		Operation: event.Disclose, Purpose: "acme/billing", Categories: []string{"name"},
		Recipient: event.Recipient{Organisation: "Post24 OÜ", Code: "12345678", Country: "EE"},
	}, false, p.email())
	p.event(event.Event{Operation: event.Send, Purpose: "acme/billing", Categories: []string{"name"}, Recipient: event.Recipient{ID: event.DataSubject}}, false, p.email())
	p.event(event.Event{Operation: event.Use, Purpose: "acme/billing", Categories: []string{"name"}}, false, p.customer(), p.email())
	p.members("june", p.email(), p.pseudonym("customer-number", Other))
	june, err := p.keys.Cohort(Controller, "june")
	if err != nil {
		p.t.Fatal(err)
	}
	p.event(event.Event{
		Operation: event.Transfer, Purpose: "acme/billing", Categories: []string{"phone"}, Recipient: event.Recipient{ID: "acme/couriers"},
		Cohort: event.Cohort{ID: "june", Size: 2},
	}, false, june)
	p.event(bank, true, p.customer())
	p.event(event.Event{
		Operation: event.Disclose, Purpose: "acme/billing", Categories: []string{"name"},
		Recipient: event.Recipient{Organisation: "Elsewhere AS", Code: "1", Country: "EE"},
	}, false, p.pseudonym("customer-number", Other))
	p.blocks.Quarantine.Append(&trail.QuarantineRow{Offset: p.next, Recorded: p.now(), Reason: "syntax", Sealed: []byte("x"), Size: 1})
	p.next++
	p.event(event.Event{Operation: event.Use, Purpose: "acme/gossip", Categories: []string{"name"}}, false, p.customer())
	bank.Statements.Set(event.ProcessorStorageCountry, event.TextValue("EE"))
	p.event(bank, false, p.customer())
}

func (p *planter) now() time.Time { return Start.Add(time.Duration(p.next) * time.Hour) }

func (p *planter) pseudonym(scheme, value string) identity.Pseudonym {
	who, err := p.keys.Pseudonym(Controller, scheme, value)
	if err != nil {
		p.t.Fatal(err)
	}
	return who
}

func (p *planter) customer() identity.Pseudonym { return p.pseudonym("customer-number", Customer) }
func (p *planter) email() identity.Pseudonym    { return p.pseudonym("email", Email) }

func (p *planter) row() trail.Row {
	return trail.Row{
		EventID: "e-" + p.now().Format("1504"), Source: "/acme/crm", Time: p.now(), Recorded: p.now().Add(time.Second), Controller: Controller,
		Of: 1, JudgedAt: p.now(), Topic: Topic, Offset: p.next,
	}
}

func (p *planter) order() facts.Order {
	return facts.Order{Recorded: p.now().Add(time.Second), Topic: Topic, Offset: p.next}
}

func (p *planter) fact(f event.Fact, persons ...identity.Pseudonym) {
	f.ValidFrom = p.now()
	p.facts.Learn(Controller, persons, &f, p.order())
	row := p.row()
	row.Operation, row.Fact, row.FactValidFrom, row.Recipient = trail.OperationFact, f.Name, f.ValidFrom, f.AboutOrg
	if f.Name != event.IdentityFact {
		row.FactValue = string(f.Value.AppendJSON(nil))
	}
	p.append(row, persons)
}

func (p *planter) members(cohort string, persons ...identity.Pseudonym) {
	row := p.row()
	who, err := p.keys.Cohort(Controller, cohort)
	if err != nil {
		p.t.Fatal(err)
	}
	row.Operation, row.Cohort, row.CohortID, row.CohortPart, row.CohortParts, row.Records = trail.OperationCohort, true, cohort, 1, 1, uint64(len(persons))
	for _, m := range persons {
		p.blocks.Members.Append(&trail.Member{Controller: Controller, CohortID: cohort, Person: m, Part: 1, Offset: p.next})
	}
	p.append(row, []identity.Pseudonym{who})
}

func (p *planter) event(ev event.Event, duplicate bool, persons ...identity.Pseudonym) {
	ev.Kind, ev.Controller, ev.Time = event.Processing, Controller, p.now()
	row := p.row()
	row.Operation, row.Purpose, row.Categories = ev.Operation, ev.Purpose, ev.Categories
	row.Recipient, row.RecipientOrganisation, row.RecipientCode, row.RecipientCountry = ev.Recipient.ID, ev.Recipient.Organisation, ev.Recipient.Code, ev.Recipient.Country
	row.Basis, row.BasisReference, row.Cohort, row.CohortID, row.CohortSize = ev.Basis.Kind, ev.Basis.Reference, ev.Cohort.ID != "", ev.Cohort.ID, ev.Cohort.Size
	row.Actor, row.ActorKind, row.ActorRole, row.ActorOrganisation, row.Duplicate = ev.Actor.ID, ev.Actor.Kind, ev.Actor.Role, ev.Actor.Organisation, duplicate
	if !ev.Statements.IsZero() {
		row.Statements = string(ev.Statements.AppendJSON(nil))
	}
	known := p.facts.AsSeen(p.order(), Controller, persons[0], ev.Actor.ID, ev.Recipient.ID, ev.Time)
	known.Overlay(&ev.Statements)
	v := verdict.Judge(p.reg, &ev, &known)
	row.Verdict, row.Rules, row.Unknown, row.RegisterVersion, row.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
	p.append(row, persons)
}

func (p *planter) append(row trail.Row, persons []identity.Pseudonym) {
	row.Of = uint16(max(1, len(persons)))
	if len(persons) == 0 {
		p.blocks.Trail.Append(&row)
	}
	for i, who := range persons {
		row.Person, row.PersonIndex = who, uint16(i)
		p.blocks.Trail.Append(&row)
	}
	p.next++
}

// Register is the text of the planted controller's register.
func Register() []byte { return slices.Clone(registerYAML) }

// Categories is the text of the list of categories that it uses.
func Categories() []byte { return slices.Clone(categoriesYAML) }

package bundle

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

func placeOf(row *trail.Row) Place {
	return Place{answer.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}, row.PersonIndex}
}

func pseudonymOf(row *trail.Row) string {
	if p := identity.Pseudonym(row.Person); !p.IsZero() {
		return p.String()
	}
	return ""
}

func eventOf(row *trail.Row, mask func(controller, actor string) string, windows []int) Event {
	e := Event{
		Place: placeOf(row), Of: row.Of, ID: row.EventID, Source: row.Source, Operation: row.Operation.String(), Time: row.Time.UTC(), Recorded: row.Recorded.UTC(), Stored: utc(row.Stored),
		Controller: row.Controller, Pseudonym: pseudonymOf(row), Cohort: row.Cohort, CohortID: row.CohortID, CohortSize: row.CohortSize,
		Actor: Actor{
			ID: mask(row.Controller, row.Actor), Kind: uint8(row.ActorKind), Role: row.ActorRole, Organisation: row.ActorOrganisation,
			OnBehalfOf: mask(row.Controller, row.ActorOnBehalfOf),
		},
		Purpose: row.Purpose, Categories: row.Categories, Fields: row.Fields, Records: row.Records,
		Recipient:  Recipient{row.Recipient, row.RecipientOrganisation, row.RecipientCode, row.RecipientCountry},
		DataSource: row.DataSource, Basis: row.Basis, BasisRef: row.BasisReference, Reason: row.Reason, Channel: row.Channel,
		Sequence: row.Sequence, BodyHash: hex.EncodeToString(row.BodyHash[:]), Duplicate: row.Duplicate, Windows: windows,
	}
	if row.Statements != "" {
		e.Statements = json.RawMessage(row.Statements)
	}
	return e
}

func verdictOf(row *trail.Row) Verdict {
	v := Verdict{
		Place: placeOf(row), Verdict: row.Verdict.String(), Rules: row.Rules, Unknown: row.Unknown, Register: row.RegisterVersion,
		Evaluator: row.Evaluator, JudgedAt: utc(row.JudgedAt), Cause: row.Cause,
	}
	if v.Rules == nil {
		v.Rules = []string{}
	}
	if v.Unknown == nil {
		v.Unknown = []string{}
	}
	return v
}

func factOf(row *trail.Row, mask func(controller, actor string) string) Fact {
	f := Fact{
		Place: placeOf(row), Of: row.Of, ID: row.EventID, Source: row.Source, Recorded: row.Recorded.UTC(), Controller: row.Controller,
		Pseudonym: pseudonymOf(row), Fact: row.Fact, ValidFrom: row.FactValidFrom.UTC(), Actor: mask(row.Controller, row.Actor), Recipient: row.Recipient,
		BodyHash: hex.EncodeToString(row.BodyHash[:]),
	}
	if row.FactValue != "" {
		f.Value = json.RawMessage(row.FactValue)
	}
	return f
}

// utc leaves the zero time as it is.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// row is the event as the trail has it, with a verdict.
func (e *Event) row(v *Verdict) (*trail.Row, error) {
	row := &trail.Row{
		EventID: e.ID, Source: e.Source, Time: e.Time, Recorded: e.Recorded, Stored: e.Stored, Controller: e.Controller, PersonIndex: e.Person, Of: e.Of,
		Cohort: e.Cohort, CohortID: e.CohortID, CohortSize: e.CohortSize,
		Actor: e.Actor.ID, ActorKind: event.ActorKind(e.Actor.Kind), ActorRole: e.Actor.Role, ActorOrganisation: e.Actor.Organisation, ActorOnBehalfOf: e.Actor.OnBehalfOf,
		Purpose: e.Purpose, Categories: e.Categories, Fields: e.Fields, Records: e.Records,
		Recipient: e.Recipient.ID, RecipientOrganisation: e.Recipient.Organisation, RecipientCode: e.Recipient.Code, RecipientCountry: e.Recipient.Country,
		DataSource: e.DataSource, Basis: e.Basis, BasisReference: e.BasisRef, Reason: e.Reason, Channel: e.Channel, Statements: string(e.Statements),
		Sequence: e.Sequence, Duplicate: e.Duplicate, Topic: e.Topic, Partition: e.Partition, Offset: e.Offset,
		Rules: v.Rules, Unknown: v.Unknown, RegisterVersion: v.Register, Evaluator: v.Evaluator, JudgedAt: v.JudgedAt, Cause: v.Cause,
	}
	var err error
	if row.Operation, err = event.ParseOperation(e.Operation); err != nil {
		return nil, fmt.Errorf("the event at %s: %w", e.Path(), err)
	}
	if row.Verdict, err = register.ParseOutcome(v.Verdict); err != nil {
		return nil, fmt.Errorf("the verdict on the event at %s: %w", e.Path(), err)
	}
	row.Person, err = readPseudonym(e.Pseudonym)
	return row, err
}

func readPseudonym(text string) ([16]byte, error) {
	if text == "" {
		return [16]byte{}, nil
	}
	p, err := identity.ParsePseudonym(text)
	return p, err
}

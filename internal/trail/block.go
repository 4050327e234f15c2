package trail

import (
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// Block is rows of the trail in typed columns, ready for the wire. It is
// kept and Reset between batches, so that appending allocates nothing once the
// columns have grown. Strings of the repetitive columns are referred to, not
// copied, until the next Reset.
type Block struct {
	eventID                                       proto.ColStr
	source                                        *lowCard
	operation                                     enum8
	time, recorded, stored                        millis
	controller                                    *lowCard
	person                                        proto.ColFixedStr16
	personIndex, of                               proto.ColUInt16
	cohort                                        proto.ColBool
	cohortID                                      *lowCard
	cohortSize                                    proto.ColUInt64
	cohortPart, cohortParts                       proto.ColUInt32
	actor                                         *lowCard
	actorKind                                     enum8
	actorRole, actorOrganisation, actorOnBehalfOf *lowCard
	purpose                                       *lowCard
	recipient, recipientOrganisation              *lowCard
	recipientCode, recipientCountry               *lowCard
	categories, fields                            *proto.ColArr[string]
	records                                       proto.ColUInt64
	dataSource, basis                             *lowCard
	basisReference, reason                        proto.ColStr
	channel                                       *lowCard
	statements                                    proto.ColStr
	fact                                          *lowCard
	factValue                                     proto.ColStr
	factValidFrom                                 millis
	sequence                                      proto.ColUInt64
	traceID                                       proto.ColFixedStr16
	span                                          proto.ColFixedStr8
	bodyHash                                      proto.ColFixedStr16
	duplicate                                     proto.ColBool
	verdict                                       enum8
	rules, unknown                                *proto.ColArr[string]
	registerVersion                               *lowCard
	evaluator                                     proto.ColUInt16
	judgedAt                                      millis
	cause, topic                                  *lowCard
	partition                                     proto.ColUInt32
	offset                                        proto.ColUInt64

	columns []column
}

// NewBlock is an empty block.
func NewBlock() *Block {
	b := new(Block)
	for _, c := range []**lowCard{
		&b.source, &b.controller, &b.cohortID, &b.actor, &b.actorRole, &b.actorOrganisation, &b.actorOnBehalfOf,
		&b.purpose, &b.recipient, &b.recipientOrganisation, &b.recipientCode, &b.recipientCountry,
		&b.dataSource, &b.basis, &b.channel, &b.fact, &b.registerVersion, &b.cause, &b.topic,
	} {
		*c = newLowCard()
	}
	for _, c := range []**proto.ColArr[string]{&b.categories, &b.fields, &b.rules, &b.unknown} {
		*c = newLowCard().Array()
	}
	b.columns = []column{
		{"event_id", &b.eventID},
		{"source", b.source},
		{"operation", &b.operation},
		{"time", &b.time},
		{"recorded", &b.recorded},
		{"stored", &b.stored},
		{"controller", b.controller},
		{"person", &b.person},
		{"person_index", &b.personIndex},
		{"of", &b.of},
		{"cohort", &b.cohort},
		{"cohort_id", b.cohortID},
		{"cohort_size", &b.cohortSize},
		{"cohort_part", &b.cohortPart},
		{"cohort_parts", &b.cohortParts},
		{"actor", b.actor},
		{"actor_kind", &b.actorKind},
		{"actor_role", b.actorRole},
		{"actor_organisation", b.actorOrganisation},
		{"actor_on_behalf_of", b.actorOnBehalfOf},
		{"purpose", b.purpose},
		{"recipient", b.recipient},
		{"recipient_organisation", b.recipientOrganisation},
		{"recipient_code", b.recipientCode},
		{"recipient_country", b.recipientCountry},
		{"categories", b.categories},
		{"fields", b.fields},
		{"records", &b.records},
		{"data_source", b.dataSource},
		{"basis", b.basis},
		{"basis_reference", &b.basisReference},
		{"reason", &b.reason},
		{"channel", b.channel},
		{"statements", &b.statements},
		{"fact", b.fact},
		{"fact_value", &b.factValue},
		{"fact_valid_from", &b.factValidFrom},
		{"sequence", &b.sequence},
		{"trace_id", &b.traceID},
		{"span", &b.span},
		{"body_hash", &b.bodyHash},
		{"duplicate", &b.duplicate},
		{"verdict", &b.verdict},
		{"rules", b.rules},
		{"unknown", b.unknown},
		{"register_version", b.registerVersion},
		{"evaluator", &b.evaluator},
		{"judged_at", &b.judgedAt},
		{"cause", b.cause},
		{"topic", b.topic},
		{"partition", &b.partition},
		{"offset", &b.offset},
	}
	return b
}

// Rows is how many rows the block holds.
func (b *Block) Rows() int { return len(b.offset) }

// Reset empties the block and keeps its memory.
func (b *Block) Reset() { resetColumns(b.columns) }

// Append adds a row. Where it came from (topic, partition) and the stored date
// are the range's and are filled in when the block is inserted.
func (b *Block) Append(r *Row) {
	b.eventID.Append(r.EventID)
	b.source.Append(r.Source)
	b.operation.Append(proto.Enum8(r.Operation))
	b.time.append(r.Time)
	b.recorded.append(r.Recorded)
	b.controller.Append(r.Controller)
	b.person.Append(r.Person)
	b.personIndex.Append(r.PersonIndex)
	b.of.Append(r.Of)
	b.cohort.Append(r.Cohort)
	b.cohortID.Append(r.CohortID)
	b.cohortSize.Append(r.CohortSize)
	b.cohortPart.Append(r.CohortPart)
	b.cohortParts.Append(r.CohortParts)
	b.actor.Append(r.Actor)
	b.actorKind.Append(proto.Enum8(r.ActorKind))
	b.actorRole.Append(r.ActorRole)
	b.actorOrganisation.Append(r.ActorOrganisation)
	b.actorOnBehalfOf.Append(r.ActorOnBehalfOf)
	b.purpose.Append(r.Purpose)
	b.recipient.Append(r.Recipient)
	b.recipientOrganisation.Append(r.RecipientOrganisation)
	b.recipientCode.Append(r.RecipientCode)
	b.recipientCountry.Append(r.RecipientCountry)
	b.categories.Append(r.Categories)
	b.fields.Append(r.Fields)
	b.records.Append(r.Records)
	b.dataSource.Append(r.DataSource)
	b.basis.Append(r.Basis)
	b.basisReference.Append(r.BasisReference)
	b.reason.Append(r.Reason)
	b.channel.Append(r.Channel)
	b.statements.Append(r.Statements)
	b.fact.Append(r.Fact)
	b.factValue.Append(r.FactValue)
	b.factValidFrom.append(r.FactValidFrom)
	b.sequence.Append(r.Sequence)
	b.traceID.Append(r.TraceID)
	b.span.Append(r.Span)
	b.bodyHash.Append(r.BodyHash)
	b.duplicate.Append(r.Duplicate)
	b.verdict.Append(proto.Enum8(r.Verdict))
	b.rules.Append(r.Rules)
	b.unknown.Append(r.Unknown)
	b.registerVersion.Append(r.RegisterVersion)
	b.evaluator.Append(r.Evaluator)
	b.judgedAt.append(r.JudgedAt)
	b.cause.Append(r.Cause)
	b.offset.Append(uint64(r.Offset))
}

// stamp fills in what all rows of a range share.
func (b *Block) stamp(r Range, stored time.Time) {
	n := b.Rows()
	b.stored.fill(n, stored)
	b.topic.fill(n, r.Topic)
	fill(&b.partition, n, uint32(r.Partition))
}

// row is row i, as it was appended or read.
func (b *Block) row(i int) Row {
	return Row{
		EventID:               b.eventID.Row(i),
		Source:                b.source.Row(i),
		Operation:             event.Operation(b.operation.Row(i)),
		Time:                  b.time.at(i),
		Recorded:              b.recorded.at(i),
		Stored:                b.stored.at(i),
		Controller:            b.controller.Row(i),
		Person:                b.person[i],
		PersonIndex:           b.personIndex[i],
		Of:                    b.of[i],
		Cohort:                b.cohort[i],
		CohortID:              b.cohortID.Row(i),
		CohortSize:            b.cohortSize[i],
		CohortPart:            b.cohortPart[i],
		CohortParts:           b.cohortParts[i],
		Actor:                 b.actor.Row(i),
		ActorKind:             event.ActorKind(b.actorKind.Row(i)),
		ActorRole:             b.actorRole.Row(i),
		ActorOrganisation:     b.actorOrganisation.Row(i),
		ActorOnBehalfOf:       b.actorOnBehalfOf.Row(i),
		Purpose:               b.purpose.Row(i),
		Recipient:             b.recipient.Row(i),
		RecipientOrganisation: b.recipientOrganisation.Row(i),
		RecipientCode:         b.recipientCode.Row(i),
		RecipientCountry:      b.recipientCountry.Row(i),
		Categories:            b.categories.Row(i),
		Fields:                b.fields.Row(i),
		Records:               b.records[i],
		DataSource:            b.dataSource.Row(i),
		Basis:                 b.basis.Row(i),
		BasisReference:        b.basisReference.Row(i),
		Reason:                b.reason.Row(i),
		Channel:               b.channel.Row(i),
		Statements:            b.statements.Row(i),
		Fact:                  b.fact.Row(i),
		FactValue:             b.factValue.Row(i),
		FactValidFrom:         b.factValidFrom.at(i),
		Sequence:              b.sequence[i],
		TraceID:               b.traceID[i],
		Span:                  b.span[i],
		BodyHash:              b.bodyHash[i],
		Duplicate:             b.duplicate[i],
		Verdict:               register.Outcome(b.verdict.Row(i)),
		Rules:                 b.rules.Row(i),
		Unknown:               b.unknown.Row(i),
		RegisterVersion:       b.registerVersion.Row(i),
		Evaluator:             b.evaluator[i],
		JudgedAt:              b.judgedAt.at(i),
		Cause:                 b.cause.Row(i),
		Topic:                 b.topic.Row(i),
		Partition:             int32(b.partition[i]),
		Offset:                int64(b.offset[i]),
	}
}

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
	eventID                proto.ColStr
	operation              enum8
	time, recorded, stored millis
	controller             *lowCard
	person                 proto.ColFixedStr16
	personIndex, of        proto.ColUInt16
	actor                  *lowCard
	context                *contextColumn
	records                proto.ColUInt64
	basisReference, reason proto.ColStr
	statements             proto.ColStr
	fact                   *lowCard
	factValue              proto.ColStr
	factValidFrom          millis
	sequence               proto.ColUInt64
	traceID                proto.ColFixedStr16
	span                   proto.ColFixedStr8
	bodyHash               proto.ColFixedStr16
	duplicate              proto.ColBool
	verdict                enum8
	judgedAt               millis
	cause, topic           *lowCard
	partition              proto.ColUInt32
	offset                 proto.ColUInt64

	columns []column
}

// NewBlock is an empty block.
func NewBlock() *Block {
	b := &Block{controller: newLowCard(), actor: newLowCard(), context: newContextColumn(), fact: newLowCard(), cause: newLowCard(), topic: newLowCard()}
	b.columns = []column{
		{"event_id", &b.eventID},
		{"operation", &b.operation},
		{"time", &b.time},
		{"recorded", &b.recorded},
		{"stored", &b.stored},
		{"controller", b.controller},
		{"person", &b.person},
		{"person_index", &b.personIndex},
		{"of", &b.of},
		{"actor", b.actor},
		{"context", b.context},
		{"records", &b.records},
		{"basis_reference", &b.basisReference},
		{"reason", &b.reason},
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
	b.operation.Append(proto.Enum8(r.Operation))
	b.time.append(r.Time)
	b.recorded.append(r.Recorded)
	b.controller.Append(r.Controller)
	b.person.Append(r.Person)
	b.personIndex.Append(r.PersonIndex)
	b.of.Append(r.Of)
	b.actor.Append(r.Actor)
	b.context.append(r)
	b.records.Append(r.Records)
	b.basisReference.Append(r.BasisReference)
	b.reason.Append(r.Reason)
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

// row is row i of a block that was read; its context is filled in if that
// column was read, too.
func (b *Block) row(i int) Row {
	r := Row{
		EventID:        b.eventID.Row(i),
		Operation:      event.Operation(b.operation.Row(i)),
		Time:           b.time.at(i),
		Recorded:       b.recorded.at(i),
		Stored:         b.stored.at(i),
		Controller:     b.controller.Row(i),
		Person:         b.person[i],
		PersonIndex:    b.personIndex[i],
		Of:             b.of[i],
		Actor:          b.actor.Row(i),
		Records:        b.records[i],
		BasisReference: b.basisReference.Row(i),
		Reason:         b.reason.Row(i),
		Statements:     b.statements.Row(i),
		Fact:           b.fact.Row(i),
		FactValue:      b.factValue.Row(i),
		FactValidFrom:  b.factValidFrom.at(i),
		Sequence:       b.sequence[i],
		TraceID:        b.traceID[i],
		Span:           b.span[i],
		BodyHash:       b.bodyHash[i],
		Duplicate:      b.duplicate[i],
		Verdict:        register.Outcome(b.verdict.Row(i)),
		JudgedAt:       b.judgedAt.at(i),
		Cause:          b.cause.Row(i),
		Topic:          b.topic.Row(i),
		Partition:      int32(b.partition[i]),
		Offset:         int64(b.offset[i]),
	}
	if c := b.context.at(i); c != nil {
		c.in(&r)
	}
	return r
}

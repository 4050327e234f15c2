package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// Reasons of the quarantine beside the codes of [event.Fault].
const (
	ReasonEmpty             = "empty"              // a tombstone, or no value
	ReasonTime              = "time-implausible"   // before 2000, or more than a day ahead
	ReasonUnknownController = "unknown-controller" // no register of the controller is loaded
	ReasonIdentifier        = "bad-identifier"     // nothing is left of a person's identifier
	ReasonInternal          = "internal-error"     // the program failed at it: a fault of ours
)

// Events are plausible from then on, and up to so long after their record.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const ahead = 24 * time.Hour

// sink takes what a record became; a batch of the trail's blocks, or a test.
type sink interface {
	trail(r *trail.Row)
	member(m *trail.Member)
	quarantine(q *trail.QuarantineRow)
}

// judge makes rows of the records of one partition, in their order. What it
// makes of a record depends on that record, the ones before it in the
// partition, the facts and the registers, and on when the batch is stored: never
// on where a batch begins or ends.
type judge struct {
	topic     string
	partition int32
	registers *register.Set
	keys      *identity.Keys
	facts     *facts.Store
	recent    *recent
	rejected  map[int64]*event.Fault // offsets that the store does not take
	schemas   schemas
	decoder   event.Decoder // asks schemas
	log       *slog.Logger

	event    event.Event // the one at work
	row      trail.Row
	reader   *facts.Reader
	known    event.Facts // its lists are the reader's to overwrite
	body     []byte
	sealed   []byte
	scratch  []byte
	persons  []identity.Pseudonym
	verdicts []verdict.Verdict
}

// record turns one record into rows. stored is the time that its batch is
// stored under; it stands for the present, so that judging a batch again gives
// the same. An error says that nothing was done, as the schema that the record
// was written with must be asked for first.
func (j *judge) record(r *Record, stored time.Time, out sink) error {
	ev, fault, err := j.read(r, stored)
	if err != nil {
		return err
	}
	j.body = r.Append(j.body[:0])
	hash := bodyHash(j.body)
	if fault == nil {
		fault = j.safely(r, ev, stored)
	}
	if fault != nil {
		j.refuse(r, ev, fault, hash, out)
		return nil
	}
	j.row.BodyHash = hash
	j.emit(ev, out)
	return nil
}

// read decodes a record and looks whether its time can be right.
func (j *judge) read(r *Record, stored time.Time) (ev *event.Event, fault *event.Fault, err error) {
	if len(r.Value) == 0 {
		return nil, &event.Fault{Code: ReasonEmpty, Got: "a record without a value", Want: "an event", Mend: "do not send tombstones to this topic, and keep it uncompacted"}, nil
	}
	defer func() {
		if p := recover(); p != nil {
			ev, fault, err = nil, j.failed(r, p), nil
		}
	}()
	ev = &j.event
	if err := j.decoder.Decode(ev, r.Headers, r.Value); err != nil {
		var unknown unknownSchema
		switch {
		case errors.As(err, &fault):
		case errors.As(err, &unknown):
			return nil, nil, unknown
		default:
			fault = &event.Fault{Code: ReasonInternal, Got: "an error without a code"}
		}
		return nil, fault, nil
	}
	// The record's timestamp may be the producer's; it counts where it can be right.
	latest := stored
	if r.Time.After(earliest) && r.Time.Before(stored) {
		latest = r.Time
	}
	switch {
	case ev.Time.Before(earliest):
		fault = &event.Fault{Code: ReasonTime, Pointer: "/time", Got: ev.Time.Format(time.RFC3339), Want: "a time since 2000", Mend: "the source's clock is wrong, or the unit of its time"}
	case ev.Time.After(latest.Add(ahead)):
		fault = &event.Fault{Code: ReasonTime, Pointer: "/time", Got: ev.Time.Format(time.RFC3339), Want: "a time that has come: at most a day after the record's " + latest.UTC().Format(time.RFC3339), Mend: "the source's clock is wrong, or the unit of its time"}
	}
	return ev, fault, nil
}

// safely judges an event; a panic, which is a fault of ours, costs that event
// its verdict and nothing else.
func (j *judge) safely(r *Record, ev *event.Event, stored time.Time) (fault *event.Fault) {
	defer func() {
		if p := recover(); p != nil {
			fault = j.failed(r, p)
		}
	}()
	return j.judge(r, ev, stored)
}

func (j *judge) failed(r *Record, p any) *event.Fault {
	// Neither the panic's value nor anything of the event: both may hold identifiers.
	j.log.Error("the program failed at an event, which goes to the quarantine: please report this",
		slog.String("topic", j.topic), slog.Int("partition", int(j.partition)), slog.Int64("offset", r.Offset), slog.String("panic", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
	return &event.Fault{Code: ReasonInternal, Got: fmt.Sprintf("a failure of the program (%T)", p), Mend: "replay it with a later version"}
}

// judge fills j.row, j.persons and j.verdicts with what the event becomes. It
// learns a fact.
func (j *judge) judge(r *Record, ev *event.Event, stored time.Time) *event.Fault {
	reg, err := j.registers.For(ev.Controller, ev.Time)
	switch {
	case errors.Is(err, register.ErrUnknownController):
		return &event.Fault{
			Code: ReasonUnknownController, Pointer: "/data/controller", Got: fmt.Sprintf("%q", ev.Controller),
			Want: "a controller that has a register", Mend: "correct the name, or add its register and replay the quarantine",
		}
	case err != nil:
		reg = nil // not in force: nothing to hold the event against
	}
	if fault := j.pseudonyms(ev); fault != nil {
		return fault
	}
	duplicate := j.recent.add(trail.EventHash(ev.Source, ev.ID))
	j.fill(r, ev, stored, duplicate)
	at := facts.Order{Recorded: r.Time, Topic: j.topic, Partition: j.partition, Offset: r.Offset}
	j.verdicts = j.verdicts[:0]
	switch ev.Kind {
	case event.FactEvent:
		if !duplicate {
			j.facts.Learn(ev.Controller, j.persons, &ev.Fact, at)
		}
	case event.Processing:
		for i := range max(1, len(j.persons)) {
			var who identity.Pseudonym
			if i < len(j.persons) {
				who = j.persons[i]
			}
			j.verdicts = append(j.verdicts, j.verdict(reg, ev, who, at))
		}
	case event.CohortPart: // who belongs to it: nothing to judge
	}
	return nil
}

func (j *judge) verdict(reg *register.Register, ev *event.Event, who identity.Pseudonym, at facts.Order) verdict.Verdict {
	if reg == nil {
		return verdict.Verdict{Outcome: verdict.Review, Rules: []string{verdict.NotInForce}, Evaluator: verdict.Evaluator}
	}
	if j.reader == nil {
		j.reader = j.facts.Reader()
	}
	j.reader.AsSeen(&j.known, at, ev.Controller, who, ev.Actor.ID, ev.Recipient.ID, ev.Time)
	j.known.Overlay(&ev.Statements)
	return verdict.Judge(reg, ev, &j.known)
}

// pseudonyms fills j.persons: of a cohort the cohort's own, first, and in a
// listing the members after it.
func (j *judge) pseudonyms(ev *event.Event) *event.Fault {
	j.persons = j.persons[:0]
	if ev.Cohort.ID != "" {
		p, err := j.keys.Cohort(ev.Controller, ev.Cohort.ID)
		if err != nil {
			return &event.Fault{Code: ReasonInternal, Pointer: "/data/cohort", Got: err.Error()}
		}
		j.persons = append(j.persons, p)
	}
	add := func(list []event.Person, where string) *event.Fault {
		for i := range list {
			p, err := j.keys.Pseudonym(ev.Controller, list[i].Scheme, list[i].Value)
			if err != nil {
				return &event.Fault{Code: ReasonIdentifier, Pointer: fmt.Sprintf("%s/%d/value", where, i), Got: err.Error(), Want: "an identifier of its scheme"}
			}
			j.persons = append(j.persons, p)
		}
		return nil
	}
	if fault := add(ev.Persons, "/data/person"); fault != nil {
		return fault
	}
	return add(ev.Cohort.Members, "/data/members")
}

// fill sets what all rows of the event share.
func (j *judge) fill(r *Record, ev *event.Event, stored time.Time, duplicate bool) {
	j.row = trail.Row{
		EventID: ev.ID, Source: ev.Source, Operation: ev.Operation, Time: ev.Time, Recorded: r.Time,
		Controller: ev.Controller, Of: 1,
		Cohort: ev.Cohort.ID != "", CohortID: ev.Cohort.ID, CohortSize: ev.Cohort.Size, CohortPart: ev.Cohort.Part, CohortParts: ev.Cohort.Parts,
		Actor: ev.Actor.ID, ActorKind: ev.Actor.Kind, ActorRole: ev.Actor.Role,
		ActorOrganisation: ev.Actor.Organisation, ActorOnBehalfOf: ev.Actor.OnBehalfOf,
		Purpose: ev.Purpose, Recipient: ev.Recipient.ID, RecipientOrganisation: ev.Recipient.Organisation,
		RecipientCode: ev.Recipient.Code, RecipientCountry: ev.Recipient.Country,
		Categories: ev.Categories, Fields: ev.Fields, Records: ev.Records, DataSource: ev.DataSource,
		Basis: ev.Basis.Kind, BasisReference: ev.Basis.Reference, Reason: ev.Reason, Channel: ev.Channel,
		Sequence: ev.Sequence, Duplicate: duplicate, JudgedAt: stored, Offset: r.Offset,
	}
	j.row.TraceID, j.row.Span = traceContext(ev.TraceParent)
	switch ev.Kind {
	case event.Processing:
		if !ev.Statements.IsZero() {
			j.scratch = ev.Statements.AppendJSON(j.scratch[:0])
			j.row.Statements = string(j.scratch)
		}
	case event.FactEvent:
		j.row.Operation = trail.OperationFact
		j.row.Fact, j.row.FactValidFrom = ev.Fact.Name, ev.Fact.ValidFrom
		if ev.Fact.Name != event.IdentityFact {
			j.scratch = ev.Fact.Value.AppendJSON(j.scratch[:0])
			j.row.FactValue = string(j.scratch)
		}
		j.row.Actor, j.row.Recipient = ev.Fact.AboutActor, ev.Fact.AboutOrg
	case event.CohortPart:
		j.row.Operation = trail.OperationCohort
		j.row.Records = uint64(len(ev.Cohort.Members))
	}
}

// traceContext takes a W3C trace parent (§3.2) apart: 00-<32 hex>-<16 hex>-<2 hex>.
func traceContext(parent string) (trace [16]byte, span [8]byte) {
	if len(parent) != 55 {
		return trace, span
	}
	_, err1 := hex.Decode(trace[:], []byte(parent[3:35]))
	_, err2 := hex.Decode(span[:], []byte(parent[36:52]))
	if err1 != nil || err2 != nil {
		return [16]byte{}, [8]byte{}
	}
	return trace, span
}

// emit hands on the rows of an event that was judged.
func (j *judge) emit(ev *event.Event, out sink) {
	if ev.Kind == event.CohortPart {
		for _, p := range j.persons[1:] {
			out.member(&trail.Member{Controller: ev.Controller, CohortID: ev.Cohort.ID, Person: p, Part: ev.Cohort.Part, Offset: j.row.Offset})
		}
		j.row.Person = j.persons[0]
		out.trail(&j.row)
		return
	}
	n := max(1, len(j.persons))
	j.row.Of = uint16(n)
	for i := range n {
		j.row.PersonIndex = uint16(i)
		if i < len(j.persons) {
			j.row.Person = j.persons[i]
		}
		if i < len(j.verdicts) {
			v := &j.verdicts[i]
			j.row.Verdict, j.row.Rules, j.row.Unknown, j.row.RegisterVersion, j.row.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
		}
		out.trail(&j.row)
	}
}

// refuse puts a record into the quarantine, whole and sealed.
func (j *judge) refuse(r *Record, ev *event.Event, fault *event.Fault, hash [16]byte, out sink) {
	q := trail.QuarantineRow{
		Offset: r.Offset, Recorded: r.Time, Reason: string(fault.Code), Pointer: fault.Pointer, Detail: detail(fault),
		BodyHash: hash, Size: uint32(len(j.body)),
	}
	source, id := headerText(r.Headers, "ce_source"), headerText(r.Headers, "ce_id")
	if ev != nil {
		source, id = ev.Source, ev.ID
	}
	q.Source = source
	if source != "" && id != "" {
		q.EventHash = trail.EventHash(source, id)
	}
	if len(j.body) <= maxSealed {
		j.sealed = j.keys.Seal(j.sealed[:0], j.body, identity.Place{Topic: j.topic, Partition: j.partition, Offset: r.Offset})
		q.Sealed = j.sealed
	} else {
		q.Detail += "; it is not kept, as it has more than 16 MiB"
	}
	out.quarantine(&q)
	if cap(j.sealed) > maxKept {
		j.sealed = nil
	}
	if cap(j.body) > maxKept {
		j.body = nil
	}
}

// maxSealed bounds what the quarantine keeps of a record. Brokers take no more
// than 1 MiB unless told otherwise, but that counts compressed bytes: one record
// of a few KB may unpack to hundreds of MiB, which ClickHouse would refuse, so
// that its partition stood still for ever.
const maxSealed = 16 << 20

// detail is what was found and how to mend it: the fault without its code and
// pointer, which stand beside it.
func detail(f *event.Fault) string {
	g := *f
	g.Code, g.Pointer = "", ""
	return strings.TrimPrefix(g.Error(), ": ")
}

// headerText is a CloudEvents attribute from the headers, if it is a text that
// can be kept; a record that does not decode may have anything there.
func headerText(headers []event.Header, name string) string {
	for i := range headers {
		if v := headers[i].Value; strings.EqualFold(headers[i].Key, name) && len(v) <= event.MaxID && printable(v) {
			return string(v)
		}
	}
	return ""
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// newJudge makes a judge for a partition that goes on where recent ends.
func (i *Ingest) newJudge(ctx context.Context, topic string, partition int32, next int64) (*judge, error) {
	j := &judge{topic: topic, partition: partition, keys: i.cfg.Keys, facts: i.cfg.Facts, log: i.log, recent: newRecent(i.cfg.Limits.RecentIDs)}
	if i.cfg.Schemas != nil {
		progress := i.stats.partition(topic, partition)
		j.schemas = schemas{registry: i.cfg.Schemas, met: make(map[uint32]*event.Schema), longest: &i.cfg.Limits, log: i.log.With(slog.String("topic", topic), slog.Int("partition", int(partition)))}
		j.schemas.waiting = func(err error) {
			if err != nil {
				progress.set(Stalled, err)
				return
			}
			progress.set(Running, nil)
		}
		j.decoder.Schema = j.schemas.find
	}
	if next <= 0 {
		return j, nil
	}
	ids, err := i.cfg.Trail.RecentIDs(ctx, topic, partition, i.cfg.Limits.RecentIDs)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		j.recent.add(id)
	}
	return j, nil
}

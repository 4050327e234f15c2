package quarantine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

// Config says what to replay, from where and to where. Brokers, Topic, Trail
// and Keys are required.
type Config struct {
	Brokers   []string           // host:port of one or more brokers
	Topic     string             // of the events
	Transport kafka.RoundTripper // reaches the brokers: for TLS and SASL; nil is plain TCP
	Trail     *trail.DB
	Keys      *identity.Keys

	Select trail.QuarantineFilter
	// Again sends also what was sent before: a record that is named by its
	// place in any case, others if they have come back to the quarantine since.
	Again bool
	// Mended is sent in place of the one record that Select names by its place,
	// if that has not been sent, or has come back.
	Mended *Mended
	DryRun bool         // count only
	Report func(Result) // how far it is, now and then; may be nil

	// For tests.
	lasts time.Duration     // of the lease; leaseTime if 0
	step  func(name string) // told what has been done; may be nil
}

// Result counts what became of the records selected. Each is in exactly one of
// the others.
type Result struct {
	Selected uint64 `json:"selected"`
	Sent     uint64 `json:"sent"`     // acknowledged by Kafka; with DryRun, what would be sent
	Skipped  uint64 `json:"skipped"`  // sent before, or a copy of one that was
	TooLarge uint64 `json:"tooLarge"` // larger than MaxRecord
	Unopened uint64 `json:"unopened"` // sealed by another secret, or changed
	Refused  uint64 `json:"refused"`  // not acknowledged by Kafka

	Problems []string `json:"problems,omitempty"` // the first of those not sent, each with its place and why
}

// OK says that nothing selected was left behind.
func (r *Result) OK() bool { return r.TooLarge+r.Unopened+r.Refused == 0 }

const (
	maxProblems = 20
	chunkBytes  = 8 << 20 // of records that are in memory at once, and of one more
	leaseTask   = "quarantine-replay"
	leaseTime   = 2 * time.Minute
	sendTime    = time.Minute
)

// ErrBusy says that another replay is at work. Two at once could send a record
// twice.
var ErrBusy = errors.New("another replay is at work: wait until it has ended (if it was killed, two minutes)")

// ErrNone says that no record of the quarantine was selected.
var ErrNone = errors.New("the quarantine has no such record")

type replayer struct {
	Config
	Result
	lease  *trail.Lease
	writer *kafka.Writer
	seen   map[identity.Place]bool // roots that were dealt with, if they may come more than once
}

// Replay sends the selected records to the topic again. What came into the
// quarantine after it began is left alone. The error is of the trail or of the
// context; a record that can't be sent is counted, and the others go on.
func Replay(ctx context.Context, cfg Config) (_ Result, err error) {
	r := &replayer{Config: cfg, seen: make(map[identity.Place]bool)}
	if r.lasts == 0 {
		r.lasts = leaseTime
	}
	if r.step == nil {
		r.step = func(string) {}
	}
	if r.Mended != nil && len(r.Select.Places) != 1 {
		return r.Result, errors.New("a mended record stands in place of one record: name its place")
	}
	now, err := cfg.Trail.Now(ctx)
	if err != nil {
		return r.Result, err
	}
	if cutoff := now.Add(time.Millisecond); r.Select.Until.IsZero() || r.Select.Until.After(cutoff) {
		r.Select.Until = cutoff
	}
	if !cfg.DryRun {
		r.lease = cfg.Trail.NewLease(leaseTask)
		if err := r.hold(ctx); err != nil {
			return r.Result, err
		}
		r.step("leased")
		defer func() { err = errors.Join(err, r.lease.Release(context.WithoutCancel(ctx))) }()
		r.writer = &kafka.Writer{
			Addr: kafka.TCP(cfg.Brokers...), Topic: cfg.Topic, Transport: cfg.Transport,
			Balancer:     kafka.Murmur2Balancer{}, // as Java clients: a person's events stay in one partition
			RequiredAcks: kafka.RequireAll, BatchSize: 1000, BatchBytes: 1 << 20, BatchTimeout: 5 * time.Millisecond,
		}
		defer func() { err = errors.Join(err, r.writer.Close()) }()
	}
	var after *identity.Place
	for {
		page, err := cfg.Trail.Quarantined(ctx, r.Select, after, trail.MaxQuarantinePlaces)
		if err != nil {
			return r.Result, err
		}
		if len(page) == 0 {
			break
		}
		if err := r.page(ctx, page); err != nil {
			return r.Result, err
		}
		after = &page[len(page)-1].Place
		if r.Report != nil {
			r.Report(r.Result)
		}
	}
	if r.Selected == 0 {
		return r.Result, ErrNone
	}
	return r.Result, nil
}

func (r *replayer) hold(ctx context.Context) error {
	if r.lease.Held(sendTime) {
		return nil
	}
	ok, err := r.lease.Take(ctx, r.lasts)
	if err == nil && !ok {
		err = ErrBusy
	}
	return err
}

// due says whether a record is to be sent.
func (r *replayer) due(q *trail.Quarantined) bool {
	switch {
	case r.seen[q.Root]:
		return false
	case q.Sends == 0:
		return true
	case r.Mended != nil && !r.Again:
		return q.Returned >= q.Sends && !slices.Contains(q.Sent, r.Mended.copyOf(q.Root).Hash())
	case !r.Again:
		return false
	}
	return r.Select.Places != nil || q.Returned >= q.Sends
}

func (r *replayer) page(ctx context.Context, page []trail.Quarantined) error {
	var chunk []trail.Quarantined
	size := 0
	for i := range page {
		q := &page[i]
		r.Selected++
		switch {
		case !r.due(q):
			r.Skipped++
			continue
		case q.Size > MaxRecord && r.Mended == nil:
			r.TooLarge++
			r.problem(q.Place, fmt.Sprintf("it has %d bytes, and at most %d can be sent again: the source must send it anew, in parts", q.Size, MaxRecord))
			continue
		}
		r.seen[q.Root] = true
		chunk = append(chunk, *q)
		if size += int(q.Size); size >= chunkBytes {
			if err := r.chunk(ctx, chunk); err != nil {
				return err
			}
			chunk, size = nil, 0
		}
	}
	return r.chunk(ctx, chunk)
}

func (r *replayer) problem(at identity.Place, why string) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, PlaceText(at)+": "+why)
	}
}

// chunk opens some records and sends them.
func (r *replayer) chunk(ctx context.Context, chunk []trail.Quarantined) error {
	if len(chunk) == 0 {
		return nil
	}
	places := make([]identity.Place, len(chunk))
	for i := range chunk {
		places[i] = chunk[i].Place
	}
	var sealed map[identity.Place][]byte
	if r.Mended == nil {
		var err error
		if sealed, err = r.Trail.QuarantineSealed(ctx, places); err != nil {
			return err
		}
	}
	var messages []kafka.Message
	var notes []trail.QuarantineReplay
	for i := range chunk {
		q := &chunk[i]
		rec, err := r.open(ctx, q, sealed[q.Place])
		if err != nil {
			r.Unopened++
			r.problem(q.Place, err.Error())
			continue
		}
		mark(&rec, q.Root)
		messages = append(messages, message(&rec))
		note := trail.QuarantineReplay{Place: q.Root, Attempt: uint32(q.Sends) + 1, CopyHash: rec.Hash()}
		if r.Mended != nil {
			note.Mended = trail.Mended{By: r.Mended.By, Why: r.Mended.Why}
		}
		notes = append(notes, note)
	}
	if r.DryRun || len(messages) == 0 {
		r.Sent += uint64(len(messages))
		return nil
	}
	if err := r.hold(ctx); err != nil {
		return err
	}
	// A copy may be back in the quarantine before this function ends: it is
	// known for one from here on.
	if err := r.Trail.RememberReplays(ctx, notes, false); err != nil {
		return err
	}
	r.step("noted")
	acknowledged := notes[:0:0]
	errs := r.send(ctx, messages)
	r.step("sent")
	for i, err := range errs {
		if err != nil {
			r.Refused++
			r.problem(notes[i].Place, "Kafka did not acknowledge it: "+err.Error())
			continue
		}
		acknowledged = append(acknowledged, notes[i])
	}
	r.Sent += uint64(len(acknowledged))
	// What Kafka has is noted also when the user has lost patience.
	if err := r.Trail.RememberReplays(context.WithoutCancel(ctx), acknowledged, true); err != nil {
		return fmt.Errorf("%d records were sent, and that could not be noted: the next replay sends them again, which ingest flags as duplicates: %w", len(acknowledged), err)
	}
	r.step("acknowledged")
	return ctx.Err()
}

// open unseals a record, or reads it where only Kafka has it; or it is what
// stands in its place.
func (r *replayer) open(ctx context.Context, q *trail.Quarantined, sealed []byte) (ingest.Record, error) {
	if r.Mended != nil {
		return r.Mended.record, nil
	}
	rec, err := Open(r.Keys, sealed, q.Place)
	if !errors.Is(err, ErrElsewhere) {
		return rec, err
	}
	read, err := ingest.Read(ctx, r.Transport, r.Brokers, q.Topic, q.Partition, q.Place.Offset)
	if err != nil {
		return ingest.Record{}, err
	}
	if read.Hash() != q.BodyHash {
		return ingest.Record{}, fmt.Errorf("%s: Kafka has another record there now: the topic was made anew", PlaceText(q.Place))
	}
	return *read, nil
}

// send gives an error for each message.
func (r *replayer) send(ctx context.Context, messages []kafka.Message) []error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	all := make([]error, len(messages))
	err := r.writer.WriteMessages(ctx, messages...)
	var each kafka.WriteErrors
	if errors.As(err, &each) && len(each) == len(messages) {
		copy(all, each)
		return all
	}
	for i := range all {
		all[i] = err
	}
	return all
}

func message(r *ingest.Record) kafka.Message {
	m := kafka.Message{Key: r.Key, Value: r.Value, Headers: make([]kafka.Header, len(r.Headers))}
	for i, h := range r.Headers {
		m.Headers[i] = kafka.Header(h)
	}
	return m
}

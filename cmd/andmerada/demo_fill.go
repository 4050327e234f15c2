package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/ingest"
)

// fill emits the history, if that has not been done, and waits until all of it
// is judged.
func (d *demo) fill(ctx context.Context) error {
	state, err := d.readState()
	if err != nil {
		return err
	}
	if !state.Whole {
		if err := d.emit(ctx, state); err != nil {
			return err
		}
	}
	return d.caughtUp(ctx)
}

// emit writes the history to Kafka from where an earlier start has left off.
func (d *demo) emit(ctx context.Context, state emitted) error {
	o := d.options.history
	if state.Done > 0 { // the same history goes on, whatever the flags say now
		o.Seed, o.Events, o.Persons, o.End = state.Seed, state.Events, state.Persons, state.End
	}
	state = emitted{Seed: o.Seed, Events: o.Events, Persons: o.Persons, End: o.End, Done: state.Done}
	events, manifest, err := history.Generate(d.node.registers.Set(), o)
	if err != nil {
		return err
	}
	w, err := emit.New(emit.Config{Brokers: []string{d.kafka.Addr()}, Topic: ingest.DefaultTopic, Compression: "lz4"})
	if err != nil {
		return err
	}
	bar := d.progress("Emitting two years of history", o.Events)
	n := 0
	batch := make([]*event.Event, 0, emitBatch)
	flush := func() error {
		if err := w.Emit(ctx, batch...); err != nil {
			return err
		}
		state.Done += len(batch)
		batch = batch[:0]
		bar.set(state.Done)
		return d.writeJSON(stateFile, state)
	}
	for ev := range events {
		if n++; n <= state.Done {
			continue
		}
		if batch = append(batch, ev); len(batch) == emitBatch {
			if err := flush(); err != nil {
				return errors.Join(fmt.Errorf("emit the history: %w", err), w.Close())
			}
		}
	}
	if err := errors.Join(flush(), w.Close()); err != nil {
		return fmt.Errorf("emit the history: %w", err)
	}
	bar.finish()
	if err := d.writeJSON(manifestFile, manifest); err != nil {
		return err
	}
	state.Whole = true
	return d.writeJSON(stateFile, state)
}

// caughtUp waits until ingest has committed all there is.
func (d *demo) caughtUp(ctx context.Context) error {
	var bar *progress
	for {
		offsets, err := ingest.Committed(ctx, nil, d.node.config.Kafka.Brokers, ingest.DefaultTopic, ingest.DefaultGroup)
		if err != nil {
			return err
		}
		total, lag := int64(0), offsets.Lag()
		for _, end := range offsets.End {
			total += end
		}
		if bar == nil && lag > 0 {
			bar = d.progress("Judging", int(total))
		}
		if bar != nil {
			bar.set(int(total - lag))
		}
		if lag == 0 {
			if bar != nil {
				bar.finish()
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// report says what was found, and what to try.
func (d *demo) report(ctx context.Context, took time.Duration) error {
	var m history.Manifest
	data, err := os.ReadFile(d.path(manifestFile))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return fmt.Errorf("read what was planted: %w; start over with --fresh", err)
	}
	offsets, err := ingest.Committed(ctx, nil, d.node.config.Kafka.Brokers, ingest.DefaultTopic, ingest.DefaultGroup)
	if err != nil {
		return err
	}
	verified, err := d.node.trail.Verify(ctx, ingest.DefaultTopic, offsets.Committed, nil)
	if err != nil {
		return err
	}
	var readErr error
	found := m.Compare(d.found(ctx, &readErr))
	if readErr != nil {
		return readErr
	}
	d.say("\n%s", verified)
	d.say("%s", found)
	d.say("Ready after %.0f s, %d MB resident.\n", took.Seconds(), residentMB())
	d.say("Open  http://%s\n", d.listener.Addr())
	d.say("Three things to try")
	d.say("  1. Who received this person's data? (%s)", m.Try.ManyRecipients.Why)
	config := ""
	if d.options.dir != demoDirectory { // where other commands would not look
		config = " --config " + d.shown(configName)
	}
	d.say("     printf %%s %s | %s answer recipients%s --controller %s --scheme %s", m.Try.ManyRecipients.Identifier, program(), config, m.Try.ManyRecipients.Controller, m.Try.ManyRecipients.Scheme)
	d.say("  2. The same for %s (%s), on the page:", m.Try.Withdrawn.Identifier, m.Try.Withdrawn.Why)
	d.say("     http://%s/person   controller %s, %s %s", d.listener.Addr(), m.Try.Withdrawn.Controller, m.Try.Withdrawn.Scheme, m.Try.Withdrawn.Identifier)
	places, err := d.node.trail.Find(ctx, m.Try.Violation.Source, m.Try.Violation.ID)
	if err != nil {
		return err
	}
	d.say("  3. One violation in full, rule by rule: %s", m.Try.Violation.Why)
	for _, p := range places {
		d.say("     http://%s/events/%s/%d/%d", d.listener.Addr(), p.Topic, p.Partition, p.Offset)
	}
	d.say("\nTo send an event by HTTP (docs/intake.md):")
	d.say("     curl -H \"Authorization: Bearer $(cat %s)\" -H 'Content-Type: application/cloudevents+json' --data @schemas/examples/access-support.json http://%s/v1/events",
		d.shown(tokenFile), d.listener.Addr())
	d.say("\nWhat was planted is in %s; the secret that keys all pseudonyms in %s.", d.shown(manifestFile), d.shown("secret"))
	d.say("Ctrl-C stops; the next start goes on from here, --fresh begins anew.")
	return nil
}

func (d *demo) shown(name string) string { return d.options.dir + "/" + name }

// program is how the user has called this program.
func program() string { return os.Args[0] }

// found streams what ingest has found, for the manifest to compare.
func (d *demo) found(ctx context.Context, failed *error) iter.Seq[history.Found] {
	return func(yield func(history.Found) bool) {
		for row, err := range d.node.trail.Found(ctx, ingest.DefaultTopic) {
			if err != nil {
				*failed = err
				return
			}
			if !yield(history.Found{Source: row.Source, ID: row.EventID, Outcome: row.Verdict, Rules: row.Rules}) {
				return
			}
		}
	}
}

// progress shows how far a long step has come: a bar on a terminal, a line now
// and then elsewhere.
type progress struct {
	d     *demo
	what  string
	total int
	bar   *progressbar.ProgressBar
	said  time.Time
}

func (d *demo) progress(what string, total int) *progress {
	p := &progress{d: d, what: what, total: total, said: time.Now()}
	if f, ok := d.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"),
			progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	return p
}

func (p *progress) set(n int) {
	n = min(n, p.total)
	switch {
	case p.bar != nil:
		_ = p.bar.Set(n) // a bar that cannot be drawn is no reason to stop
	case time.Since(p.said) > 5*time.Second:
		p.said = time.Now()
		p.d.say("%s: %d of %d", p.what, n, p.total)
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	p.d.say("%s: done", p.what)
}

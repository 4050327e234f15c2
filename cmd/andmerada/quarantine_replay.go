package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/quarantine"
	"github.com/andmerada/andmerada/internal/trail"
)

// whyFlag adds --why to a command that opens the quarantine; there --reason
// selects records.
func whyFlag(cmd *cobra.Command, why *string) {
	cmd.Flags().StringVar(why, "why", "", "why you do it, in words that say nothing of a person; kept in the trail")
}

// askedQuarantine writes into the trail that what could not be understood is
// about to be opened: of all controllers, as nobody knows whose it is.
func askedQuarantine(ctx context.Context, c *config, q access.Question, records uint64, what, why string) error {
	if err := access.CheckReason(why, ""); err != nil {
		return usageError{fmt.Errorf("--why: %w", err)}
	}
	if c.Asking.ReasonNeeded && why == "" {
		return usageError{errors.New("--why must be given: say why you open what may be about anybody")}
	}
	set, err := loadRegisters(c.Registers)
	if err != nil {
		return err
	}
	return c.record(ctx, &access.Asked{Question: q, Controllers: set.Controllers(), Persons: records, Reason: why, Reference: what})
}

// replayOptions is the command line of quarantine replay.
type replayOptions struct {
	quarantineFlags
	again, dryRun bool
	with, why     string
}

func newQuarantineReplayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay [TOPIC/PARTITION/OFFSET... | TOPIC/PARTITION/FIRST-LAST]",
		Short: "Send records of the quarantine to the event topic again, once what was wrong is mended",
		Long: fmt.Sprintf(`Replay opens the records selected, by reason, by source, by the time they were stored or by
their places, and sends them to the event topic again as they were, with one header more
(%s), so that they take the same path: into the trail, or into the
quarantine again.

A record is sent once, however often replay is run. --again sends also what was sent before:
a record named by its place in any case, others if their copy has come back to the
quarantine. Records of more than %d bytes are not sent, and the value of an event has at most
%d. It needs the secret's file, which opens the records.

Where the source cannot send it anew, --with sends an event that you have mended in place of
the one record that you name: one JSON object, as 'andmerada event lint' likes it, with the
id that the source gave it. The record itself stays in the quarantine as it was; who sent
what in its place, and --why, stays with it. An event that was sent so is sent again only
with --again, or another if the first has come back.

That records are opened and sent is written into the trail before.

It exits with 1 if some could not be sent.`, quarantine.ReplayHeader, quarantine.MaxRecord, event.MaxValue),
		Example: `  andmerada quarantine replay --reason unknown-controller --dry-run
  andmerada quarantine replay --source //crm.example --since 2026-03-01 --until 2026-03-02
  andmerada quarantine replay andmerada.events/0/1700-1799
  andmerada quarantine replay andmerada.events/0/1714 --again
  andmerada quarantine replay andmerada.events/0/1714 --with mended.json --why 'the CRM wrote the date as 1.3.2026'`,
		RunE: func(cmd *cobra.Command, a []string) error {
			f, err := o.selected(a)
			if err != nil {
				return err
			}
			mended, err := o.mended(cmd.InOrStdin(), len(f.Places))
			if err != nil {
				return err
			}
			return o.run(cmd, f, mended, o.selection(a))
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&o.again, "again", false, "send also what was sent before and has come back; with places, in any case")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "open and count, and send nothing")
	cmd.Flags().StringVar(&o.with, "with", "", "file of the event to be sent in place of the one record named; - is standard input")
	whyFlag(cmd, &o.why)
	return cmd
}

// selection is what is replayed, in short, for the trail.
func (o *replayOptions) selection(a []string) string {
	switch {
	case len(a) > 1:
		return fmt.Sprintf("%s and %d more", a[0], len(a)-1)
	case len(a) == 1:
		return a[0]
	case o.reason != "":
		return "reason " + o.reason
	default:
		return "a source's"
	}
}

// selected is what the command line selects.
func (o *replayOptions) selected(a []string) (trail.QuarantineFilter, error) {
	f, err := o.filter()
	if err != nil {
		return f, err
	}
	if len(a) == 1 {
		if r, err := quarantine.ParseRange(a[0]); err == nil {
			f.Range = &r
			return f, nil
		}
	}
	switch selects := o.reason != "" || o.source != ""; {
	case len(a) == 0 && !selects:
		return f, usageError{errors.New("quarantine replay: say what: --reason, --source or places; 'andmerada quarantine list' shows what there is")}
	case len(a) > 0 && (selects || o.since != "" || o.until != ""):
		return f, usageError{errors.New("quarantine replay: give either places or --reason, --source, --since and --until")}
	case len(a) > trail.MaxQuarantinePlaces:
		return f, usageError{fmt.Errorf("quarantine replay: at most %d places at once; a range of offsets is TOPIC/PARTITION/FIRST-LAST", trail.MaxQuarantinePlaces)}
	}
	for _, text := range a {
		at, err := quarantine.ParsePlace(text)
		if err != nil {
			return f, usageError{fmt.Errorf("quarantine replay: %q: %w", text, err)}
		}
		f.Places = append(f.Places, at)
	}
	return f, nil
}

// mended reads the event that --with names; nil if it names none.
func (o *replayOptions) mended(stdin io.Reader, places int) (*quarantine.Mended, error) {
	switch {
	case o.with == "":
		return nil, nil
	case places != 1:
		return nil, usageError{errors.New("quarantine replay: --with stands in place of one record: name its place")}
	case o.why == "":
		return nil, usageError{errors.New("quarantine replay: --with needs --why: say why an event is sent that the source has not sent")}
	}
	in := stdin
	if o.with != "-" {
		f, err := os.Open(o.with)
		if err != nil {
			return nil, fmt.Errorf("open the mended event: %w", err)
		}
		defer f.Close()
		in = f
	}
	value, err := io.ReadAll(io.LimitReader(in, event.MaxValue+1))
	if err != nil {
		return nil, fmt.Errorf("read the mended event: %w", err)
	}
	return quarantine.Mend(value, operator(), o.why)
}

func (o *replayOptions) run(cmd *cobra.Command, f trail.QuarantineFilter, mended *quarantine.Mended, selection string) (err error) {
	c, err := findConfig(o.config)
	if err != nil {
		return err
	}
	keys, err := c.keys()
	if err != nil {
		return err
	}
	db, err := openTrail(cmd.Context(), c, o.dryRun)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	brokers, err := c.kafka()
	if err != nil {
		return err
	}
	defer brokers.CloseIdleConnections()
	if !o.dryRun {
		if err := askedQuarantine(cmd.Context(), c, access.QuarantineReplay, uint64(len(f.Places)), selection, o.why); err != nil {
			return err
		}
	}
	res, err := quarantine.Replay(cmd.Context(), quarantine.Config{
		Brokers: c.Kafka.Brokers, Topic: c.Kafka.Topic, Transport: brokers, Trail: db, Keys: keys, Select: f, Again: o.again, DryRun: o.dryRun, Mended: mended,
		Report: func(r quarantine.Result) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d looked at, %d sent\n", r.Selected, r.Sent)
		},
	})
	if errors.Is(err, quarantine.ErrNone) {
		err = nil
		fmt.Fprintln(cmd.ErrOrStderr(), "The quarantine has no such record.")
	}
	if o.json {
		err = errors.Join(err, writeJSON(cmd.OutOrStdout(), res))
	} else {
		printReplay(cmd.OutOrStdout(), &res, o.dryRun)
	}
	if err == nil && !res.OK() {
		err = errFound
	}
	return err
}

func printReplay(out io.Writer, r *quarantine.Result, dryRun bool) {
	sent := "sent"
	if dryRun {
		sent = "to be sent"
	}
	fmt.Fprintf(out, "%s: %d %s, %d sent before, %d too large, %d not opened, %d refused by Kafka.\n",
		plural(int(r.Selected), "record"), r.Sent, sent, r.Skipped, r.TooLarge, r.Unopened, r.Refused)
	for _, p := range r.Problems {
		fmt.Fprintln(out, "  "+p)
	}
	if more := r.TooLarge + r.Unopened + r.Refused - uint64(len(r.Problems)); more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/replay"
)

// tryOptions are the flags of `register try`.
type tryOptions struct {
	config, registers, controller string
	since, until                  string
	examples                      int
	asDated, asJSON, failOnChange bool
}

func newRegisterTryCommand() *cobra.Command {
	var o tryOptions
	cmd := &cobra.Command{
		Use:   "try DRAFT",
		Short: "Show which verdicts a draft of a register would change",
		Long: `Try holds the events of the trail against a draft, the file of one register or a directory
of registers, and shows which verdicts it would change: from what to what, for which purpose and
recipient, by which rules, on how many persons, with examples. It writes nothing.

Each event is judged twice, by the registers in force and by the draft, both by all facts that
are known now: what differs comes of the draft alone. The draft is held against all events,
whatever the day from which it is in force; --as-dated holds it against those from that day on.

It exits with 0 whatever it finds, unless --fail-on-change is given: then with 1 if a verdict
would change.`,
		Example: `  andmerada register try drafts/elektrum/2027-01-01.yaml --since 2026-01-01
  andmerada register try drafts --controller netpro --json | jq '.changes[] | {before, after, purpose, recipient, persons}'`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if o.examples < 0 || o.examples > maxTryExamples {
				return usageError{fmt.Errorf("--examples %d: from 0 to %d", o.examples, maxTryExamples)}
			}
			r, zone, err := tryDraft(cmd, a[0], &o)
			if err != nil {
				return err
			}
			if o.asJSON {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				err = printTrial(cmd.OutOrStdout(), r, zone)
			}
			if err == nil && o.failOnChange && r.Changed.Verdicts > 0 {
				err = errFound
			}
			return err
		},
	}
	configFlag(cmd, &o.config)
	f := cmd.Flags()
	f.StringVar(&o.registers, "registers", "", "directory of the registers in force (default: that of the configuration, or those built in)")
	f.StringVar(&o.controller, "controller", "", "only the events of this controller")
	f.StringVar(&o.since, "since", "", "only events from then on: YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&o.until, "until", "", "only events before then")
	f.IntVar(&o.examples, "examples", 3, "how many events to name of each change")
	f.BoolVar(&o.asDated, "as-dated", false, "hold the draft against events from its own day on, and the earlier against the registers before it")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	f.BoolVar(&o.failOnChange, "fail-on-change", false, "exit with 1 if a verdict would change")
	return cmd
}

const maxTryExamples = 1000

// tryDraft reads the draft first: its faults need no trail to be seen. The zone
// is the draft's.
func tryDraft(cmd *cobra.Command, draft string, o *tryOptions) (*replay.Result, *time.Location, error) {
	q := replay.Question{AsDated: o.asDated, Examples: o.examples}
	c, configErr := findConfig(o.config)
	if configErr == nil && o.registers == "" {
		o.registers = c.Registers
	}
	inForce, err := registersFS(o.registers)
	if err != nil {
		return nil, nil, err
	}
	if q.Current, err = loadRegisters(o.registers); err != nil {
		return nil, nil, err
	}
	drafts, err := readDrafts(draft, inForce)
	if err != nil {
		return nil, nil, err
	}
	q.Draft = draftSet(drafts, q.Current, o.asDated)
	if o.controller != "" {
		q.Controllers = []string{o.controller}
	}
	zone := drafts[0].Zone
	if q.From, err = tryTime("--since", o.since, zone); err != nil {
		return nil, nil, err
	}
	if q.To, err = tryTime("--until", o.until, zone); err != nil {
		return nil, nil, err
	}
	if configErr != nil {
		return nil, nil, configErr
	}
	r, err := tryOn(cmd, c, q)
	if errors.Is(err, replay.ErrNothingToTry) {
		err = usageError{err}
	}
	return r, zone, err
}

// tryOn asks the question of the trail that the configuration names.
func tryOn(cmd *cobra.Command, c *config, q replay.Question) (r *replay.Result, err error) {
	ctx := cmd.Context()
	db, err := openTrail(ctx, c, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var done func()
	q.Progress, done = tryProgress(ctx, cmd.ErrOrStderr())
	defer done()
	q.Trail, q.Topic, q.Facts = db, c.Kafka.Topic, facts.New()
	if err := ingest.LearnFacts(q.Facts, db.Facts(ctx, q.Topic)); err != nil {
		return nil, err
	}
	return replay.Try(ctx, q)
}

// readDrafts reads the file of a register, or a directory of them.
func readDrafts(name string, inForce fs.FS) ([]*register.Register, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open the draft: %w", err)
	}
	if info.IsDir() {
		set, err := register.Load(os.DirFS(name))
		if err != nil {
			return nil, fmt.Errorf("read the drafts in %s:\n%w", name, err)
		}
		return set.All(), nil
	}
	if info.Size() > register.MaxFileSize {
		return nil, fmt.Errorf("read the draft %q: the file has %d bytes, more than %d", name, info.Size(), register.MaxFileSize)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the draft: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("find the draft's directory: %w", err)
	}
	// The vocabulary and the decisions are those of the draft's own directory of
	// registers, if it lies in one. Else they are those in force: what the draft
	// leaves as it is must not look changed.
	of, from := os.DirFS(filepath.Dir(dir)), inForce
	categories, err := fs.ReadFile(of, register.CategoriesFile)
	switch {
	case err == nil:
		from = of
	case errors.Is(err, fs.ErrNotExist):
		categories, err = fs.ReadFile(inForce, register.CategoriesFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the category vocabulary: %w", err)
	}
	var decisions []register.DecisionFile
	// What cannot even be read is for Parse to say.
	if said, _ := register.Draft(name, data, categories); said != nil && fs.ValidPath(said.Controller.ID) {
		if decisions, err = register.ReadDecisions(from, said.Controller.ID); err != nil {
			return nil, err
		}
	}
	r, findings := register.Parse(name, data, categories, decisions...)
	if r == nil {
		return nil, fmt.Errorf("the draft does not check:\n%w", &register.FindingsError{Findings: findings})
	}
	return []*register.Register{r}, nil
}

// draftSet is what events are held against: as dated, the registers before the
// drafts as well; else only what is new, if there is anything new.
func draftSet(drafts []*register.Register, current *register.Set, asDated bool) *register.Set {
	if asDated {
		all := slices.Clone(drafts)
		for _, r := range current.All() {
			same := func(d *register.Register) bool { return d.Controller.ID == r.Controller.ID }
			sameDay := func(d *register.Register) bool { return same(d) && d.From.Equal(r.From) }
			if slices.ContainsFunc(drafts, same) && !slices.ContainsFunc(drafts, sameDay) {
				all = append(all, r)
			}
		}
		return register.NewSet(all...)
	}
	changed := slices.DeleteFunc(slices.Clone(drafts), func(d *register.Register) bool {
		_, known := current.Version(d.Version)
		return known
	})
	if len(changed) == 0 {
		changed = drafts
	}
	return register.NewSet(changed...)
}

// tryTime reads a day, which begins at midnight in the zone, or a time.
func tryTime(flag, text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError{fmt.Errorf("%s %q: write a day, YYYY-MM-DD, or a time, 2026-01-31T12:00:00+02:00", flag, text)}
	}
	return t, nil
}

// tryProgress shows on a terminal how far it has come, how fast, and when it
// will be done. Elsewhere it shows nothing.
func tryProgress(ctx context.Context, out io.Writer) (progress func(done, total uint64), end func()) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor is a small number
		return nil, func() {}
	}
	fmt.Fprint(f, "reading the facts\r")
	var mu sync.Mutex
	var bar *progressbar.ProgressBar
	var furthest uint64
	progress = func(done, total uint64) {
		mu.Lock()
		defer mu.Unlock()
		if bar == nil {
			bar = progressbar.NewOptions64(int64(total), progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("judging"),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"),
				progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
		}
		if done > furthest && ctx.Err() == nil {
			furthest = done
			_ = bar.Set64(int64(done)) // a bar that cannot be drawn is no reason to stop
		}
	}
	return progress, func() {
		if bar != nil {
			_ = bar.Clear()
		}
		fmt.Fprint(f, "\r                 \r")
	}
}

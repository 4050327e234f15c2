// Command bench measures Andmerada on this machine, with everything in one
// process: Kafka and ClickHouse embedded, a made-up past of two controllers in
// between. `make bench` runs it.
//
// Ingest, with the verdict on each event, is held against ClickHouse's own
// Kafka table engine, without any verdict, on the same topic and into an equal
// table: the ratio of the two says more than either, as it is the same
// everywhere. Figures of one machine under other load are worth little.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"

	"github.com/andmerada/andmerada/internal/ingest"
)

// options is the command line.
type options struct {
	Events    int
	Seed      uint64
	Runs      int
	Persons   int
	Consumers int
	// FactPersons are those whose facts are remembered.
	FactPersons int
	only        []string
	json        bool
	profile     string
}

// measures are what can be asked for, in the order in which it is done.
var measures = []string{"verdict", "facts", "replay", "ingest", "answer"}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(ingest.GCPercent) // as a process that runs ingest does
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: 0 = measured, 1 = it failed or was interrupted, 2 = the
// command line is wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	r, err := measure(ctx, o, stderr)
	if err == nil {
		err = r.write(stdout, o.json)
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "bench: interrupted; what it made is removed")
		return 1
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.Events, "events", 300_000, "about how many `events` to measure with")
	f.Uint64Var(&o.Seed, "seed", 1, "of the made-up past")
	f.IntVar(&o.Runs, "runs", 3, "how often each side of a comparison runs; the median counts")
	f.IntVar(&o.Persons, "persons", 200, "how many persons to answer")
	f.IntVar(&o.FactPersons, "fact-persons", 5_000_000, "how many persons to remember facts of, of about 125 bytes each")
	f.IntVar(&o.Consumers, "consumers", 2, "consumers of ClickHouse's Kafka engine")
	f.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	f.StringVar(&o.profile, "profile", "", "write a CPU profile of the runs of ingest, or of a draft's trial, to this `file`: the last of what is measured stays")
	only := f.String("only", strings.Join(measures, ","), "what to measure")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if !slices.Contains(measures, name) {
			return o, fmt.Errorf("there is nothing called %q to measure: use some of %s", name, strings.Join(measures, ","))
		}
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%q is not a flag: see --help", f.Arg(0))
	case o.Events < 1 || o.Runs < 1 || o.Persons < 1 || o.FactPersons < 1 || o.Consumers < 1:
		return o, errors.New("--events, --runs, --persons, --fact-persons and --consumers must be above 0")
	}
	return o, nil
}

// wants says whether that is to be measured.
func (o *options) wants(name string) bool { return slices.Contains(o.only, name) }

// measure does what is asked for.
func measure(ctx context.Context, o options, progress io.Writer) (r *result, err error) {
	p, err := open(ctx, o, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	r = &result{Machine: machine(ctx, p), Seed: o.Seed}
	for _, step := range []struct {
		name string
		do   func(context.Context, *result) error
	}{{"verdict", p.verdicts}, {"facts", p.remember}, {"replay", p.replays}, {"ingest", p.compare}, {"answer", p.answers}} {
		if !o.wants(step.name) {
			continue
		}
		if err := step.do(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// profiled runs f under the profiler, if a file for it is named.
func (o *options) profiled(f func() error) (err error) {
	if o.profile == "" {
		return f()
	}
	file, err := os.Create(o.profile)
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return f()
}

func (r *result) write(w io.Writer, asJSON bool) error {
	if !asJSON {
		return r.table(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

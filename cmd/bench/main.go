// Command bench measures Andmerada on this machine, with Kafka,
// ClickHouse and ingest each in a process of its own, and a made-up past of two
// controllers in between. `make bench` runs it.
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
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

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
	sides       []string
	json        bool
	quick       bool
	doc         string
	profile     string
	engineBlock int           // rows that ClickHouse's Kafka engine puts into a block
	program     string        // andmerada
	awayFor     time.Duration // without ClickHouse
	rate        int           // events a second, at which freshness is measured
	freshFor    int           // seconds
	freshFormat string
	growPersons int
	growTo      int // stored rows
	askRows     int // planted, to be asked of
	askPersons  int
	collector   string // OpenTelemetry's
	cache       string // directory of the topics that are kept; a passing one if empty
}

// measures are what can be asked for, in the order in which it is done.
var measures = []string{"verdict", "facts", "replay", "answer", "ingest", "collector", "fresh", "away", "growth"}

// askedMeasure stands alone (`make bench-answers`): what it plants takes ten
// minutes and ten gigabytes, and is kept.
const askedMeasure = "asked"

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(ingest.GCPercent) // as a process that runs ingest does
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if name := os.Getenv(partVariable); name != "" {
		os.Exit(runPart(ctx, name, os.Args[1:]))
	}
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
	if err == nil && o.doc != "" {
		if o.quick || len(o.only) < len(measures) && r.Asked == nil {
			fmt.Fprintf(stderr, "%s stays as it is: not all was measured in full\n", o.doc)
		} else {
			err = r.page(o.doc)
		}
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
	f.IntVar(&o.Events, "events", 2_000_000, "about how many `events` to measure with")
	f.Uint64Var(&o.Seed, "seed", 1, "of the made-up past")
	f.IntVar(&o.Runs, "runs", 3, "how often each side of a comparison runs; the median counts")
	f.IntVar(&o.Persons, "persons", 200, "how many persons to answer")
	f.IntVar(&o.FactPersons, "fact-persons", 5_000_000, "how many persons to remember facts of, of about 125 bytes each")
	f.IntVar(&o.Consumers, "consumers", 2, "consumers of ClickHouse's Kafka engine")
	f.BoolVar(&o.quick, "quick", false, "measure all with little, in three minutes: to see that it works, and about what it comes to")
	f.StringVar(&o.doc, "doc", "", "write what all measures came to into this `page` as well")
	f.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	f.IntVar(&o.engineBlock, "engine-block", 100_000, "rows to a block of ClickHouse's Kafka engine")
	f.DurationVar(&o.awayFor, "away", 10*time.Minute, "how long ClickHouse is away")
	f.IntVar(&o.rate, "rate", 50_000, "events a second at which freshness is measured")
	f.IntVar(&o.freshFor, "fresh-seconds", 60, "how long freshness is measured")
	f.StringVar(&o.freshFormat, "fresh-format", "avro", "what is written meanwhile: json or avro")
	f.IntVar(&o.growPersons, "grow-persons", 10_000_000, "up to how many persons the growth of cost is measured")
	f.IntVar(&o.growTo, "grow-rows", 10_000_000, "up to how many stored rows, of about 80 bytes each")
	f.IntVar(&o.askRows, "ask-rows", 100_000_000, "how many stored rows are asked of (with --only asked)")
	f.IntVar(&o.askPersons, "ask-persons", 5_000_000, "how many persons they are about")
	f.StringVar(&o.collector, "collector", collectorFile(), "the OpenTelemetry collector that .ci/build-collector builds")
	f.StringVar(&o.program, "program", "bin/andmerada", "the andmerada whose ingest is measured")
	f.StringVar(&o.cache, "cache", cacheDir(), "`directory` in which topics are kept for the next time; not kept if empty")
	f.StringVar(&o.profile, "profile", "", "write a CPU profile of ingest, or of a draft's trial, to this `file`: the last of what is measured stays")
	only := f.String("only", strings.Join(measures, ","), "what to measure")
	sides := f.String("sides", string(engineSide+","+oursSide+","+limitSide), "whose ingest to measure")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		given := make(map[string]bool)
		f.Visit(func(one *flag.Flag) { given[one.Name] = true })
		for name, value := range quickly {
			if !given[name] {
				if err := f.Set(name, value); err != nil {
					return o, err
				}
			}
		}
	}
	o.sides = strings.Split(*sides, ",")
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if !slices.Contains(measures, name) && !o.alone(askedMeasure) {
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

// quickly are the flags that make it quick.
var quickly = map[string]string{
	"events": "100000", "runs": "1", "persons": "50", "fact-persons": "200000", "away": "20s", "rate": "20000", "fresh-seconds": "8",
	"grow-persons": "100000", "grow-rows": "1000000",
}

// cacheDir is beside the engine of ClickHouse.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "andmerada", "bench")
}

// wants says whether that is to be measured.
// alone says whether that is all that is wanted.
func (o *options) alone(name string) bool { return len(o.only) == 1 && o.only[0] == name }

func (o *options) wants(name string) bool { return slices.Contains(o.only, name) }

// measure does what is asked for.
func measure(ctx context.Context, o options, progress io.Writer) (r *result, err error) {
	p, err := open(ctx, o, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	r = &result{Machine: machine(ctx, p), Seed: o.Seed, Day: time.Now().UTC().Format(time.DateOnly)}
	for _, step := range []struct {
		name string
		do   func(context.Context, *result) error
	}{{"verdict", p.verdicts}, {"facts", p.remember}, {"replay", p.replays}, {"answer", p.answers}, {"ingest", p.compare}, {"collector", p.collect}, {"fresh", p.fresh}, {"away", p.away}, {"growth", p.grow}, {askedMeasure, p.asked}} {
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

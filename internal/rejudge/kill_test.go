package rejudge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// killEnv makes the test binary the process that is killed: ClickHouse and a
// follower on one directory.
const (
	killEnv  = "ANDMERADA_TEST_REJUDGE_DIR"
	killLast = "ANDMERADA_TEST_REJUDGE_LAST"
)

// killedPersons have a consent each, five events, and a withdrawal that comes
// late and touches three of these.
const killedPersons = 3000

// outcome is what the last of the processes found.
type outcome struct {
	Before  uint64 // verdicts that those before it had written
	Again   uint64 // later verdicts
	Doubled uint64 // events and persons with more than one of these
	Current uint64 // violations among the verdicts that stand
	Next    int64  // verdicts that looking again from the beginning would write
	OK      bool
	Report  string
}

// TestKilledAtAnyMoment kills ClickHouse and the follower together, again and
// again, while 9,000 verdicts change, and lets the last process finish.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range 6 {
		from := "ready"
		if n == 5 { // one at least comes far enough to write something
			from = "wrote"
		}
		after := time.Duration(r.Int64N(int64(1500 * time.Millisecond)))
		if _, err := killed(t, dir, n, from, after); err != nil {
			t.Fatal(err)
		}
	}
	last, err := killed(t, dir, 99, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", last)
	const want = 3 * killedPersons
	if last.Again != want || last.Doubled != 0 || last.Current != want || last.Next != 0 || !last.OK {
		t.Errorf("%d later verdicts of which %d are doubled, %d violations stand (want %d of each), %d more would be written:\n%s",
			last.Again, last.Doubled, last.Current, want, last.Next, last.Report)
	}
	if last.Before == 0 {
		t.Error("no process had come far enough to write anything before it was killed")
	}
}

// killed runs a process and kills it some time after it has said the word from;
// without a word, it is the last one, which says what it found.
func killed(t *testing.T, dir string, n int, from string, after time.Duration) (found outcome, err error) {
	t.Helper()
	last := from == ""
	self, err := os.Executable()
	if err != nil {
		return found, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^$")
	cmd.Env = append(os.Environ(), killEnv+"="+dir, killLast+"="+strconv.FormatBool(last))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return found, err
	}
	if err := cmd.Start(); err != nil {
		return found, err
	}
	said := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch text, isResult := strings.CutPrefix(lines.Text(), "result "); {
		case isResult:
			if err := json.Unmarshal([]byte(text), &found); err != nil {
				return found, err
			}
		case !last && !said && lines.Text() == from:
			said = true
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	switch {
	case last && err != nil:
		return found, fmt.Errorf("the last process: %w\n%s", err, stderr.String())
	case !last && !said:
		return found, fmt.Errorf("process %d did not say %q: %w\n%s", n, from, err, stderr.String())
	case strings.Contains(stderr.String(), "panic"):
		return found, fmt.Errorf("process %d:\n%s", n, stderr.String())
	}
	return found, nil
}

// victim is the process that is killed.
func victim(dir string, last bool) (err error) {
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	house, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: filepath.Join(dir, "clickhouse"), Owner: true, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.Close()) }()
	user, password := house.Credentials(embedded.Owner)
	db, err := trail.Open(ctx, trail.Config{Addr: house.Addr(), Database: embedded.DatabaseName, User: user, Password: password, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	set, err := register.Load(os.DirFS("testdata/registers"))
	if err != nil {
		return err
	}
	w := &world{t: panicking{}, db: db, registers: set, all: facts.New(), ends: map[int32]int64{}, waiting: map[int32]*trail.Block{}, begins: map[int32]int64{}}
	planted := filepath.Join(dir, "planted")
	if _, err := os.Stat(planted); errors.Is(err, fs.ErrNotExist) {
		w.plant()
		if err := os.WriteFile(planted, nil, 0o600); err != nil {
			return err
		}
	}
	// What the processes before it have written.
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{house.Addr()}, Auth: clickhouse.Auth{Database: embedded.DatabaseName, Username: user, Password: password}})
	if err != nil {
		return err
	}
	var found outcome
	if err := conn.QueryRow(ctx, "SELECT count() FROM trail WHERE cause != ''").Scan(&found.Before); err != nil {
		return err
	}
	// The lease of the one before it is not over.
	follow := func() (int64, error) {
		for {
			f := w.follower()
			f.cfg.Limits.Facts, f.cfg.Limits.Events, f.cfg.Limits.Lease = 128, 128, 2*time.Second
			if err := f.hold(ctx); err == nil {
				fmt.Println("ready")
				go func() { // from now on something was written, by this process or one before it
					for found.Before == 0 && f.Stats().Changed == 0 {
						time.Sleep(5 * time.Millisecond)
					}
					fmt.Println("wrote")
				}()
				err := f.Once(ctx)
				return f.Stats().Changed, err
			} else if !errors.Is(err, ErrHeld) {
				return 0, err
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if _, err := follow(); err != nil {
		return err
	}
	if !last {
		select {} // until it is killed
	}
	if err := conn.QueryRow(ctx, `SELECT sum(again), countIf(again > 1), countIf(stands = 'violation') FROM
		(SELECT countIf(cause != '') AS again, argMax(verdict, judged_at) AS stands FROM trail WHERE operation NOT IN ('fact', 'cohort') GROUP BY topic, partition, offset, person_index)`).
		Scan(&found.Again, &found.Doubled, &found.Current); err != nil {
		return err
	}
	if err := conn.Exec(ctx, "TRUNCATE TABLE rejudge_position"); err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	if found.Next, err = follow(); err != nil {
		return err
	}
	report, err := db.Verify(ctx, topic, map[int32]int64{0: 7 * killedPersons}, nil)
	if err != nil {
		return err
	}
	found.OK, found.Report = report.OK(), report.String()
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	fmt.Printf("result %s\n", text)
	return nil
}

func (w *world) plant() {
	ingest := facts.New()
	for i := range killedPersons {
		w.fact(0, day(1), consent(day(1), time.Time{}, day(1)), ingest, person(i))
	}
	for d := range 5 {
		for i := range killedPersons {
			w.act(0, day(2+d), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(2 + d)}, ingest, person(i))
		}
	}
	for i := range killedPersons {
		w.fact(0, day(8), consent(day(1), day(4), day(4)), ingest, person(i))
	}
	w.insert()
}

// panicking is a testing.TB outside of a test.
type panicking struct{ testing.TB }

func (panicking) Helper()                           {}
func (panicking) Context() context.Context          { return context.Background() }
func (panicking) Output() io.Writer                 { return os.Stderr }
func (panicking) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (panicking) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

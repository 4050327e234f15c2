package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// killEnv makes the test binary the process that is killed: Kafka, ClickHouse
// and ingest on one data directory. killSeed repeats a run.
const (
	killEnv  = "ANDMERADA_TEST_KILL_DIR"
	killLast = "ANDMERADA_TEST_KILL_LAST"
	killSeed = "ANDMERADA_TEST_KILL_SEED"
)

// result is what the last of the processes found.
type result struct {
	Report trail.Report
	Sent   int64 // records in Kafka
	IDs    uint64
	Rows   uint64

	doneAgain int // ranges that the process before it had begun
}

// TestKilledAtAnyMoment kills the whole process ten times at random moments,
// while events come in, and lets the last one finish. The oracle then finds
// every offset in exactly one place, with no merge before it asks.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(killSeed); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", killSeed, seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	doneAgain := 0
	for n := range 10 {
		found, err := killed(t, dir, n, time.Duration(r.Int64N(int64(1500*time.Millisecond))), false)
		if err != nil {
			t.Fatal(err)
		}
		doneAgain += found.doneAgain
	}
	last, err := killed(t, dir, 10, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	doneAgain += last.doneAgain
	if !last.Report.OK() || last.Sent == 0 || last.IDs == 0 {
		t.Errorf("%d records:\n%s", last.Sent, last.Report)
	}
	t.Logf("%d records, %d rows, %d different events, %d ranges were done again\n%s", last.Sent, last.Rows, last.IDs, doneAgain, last.Report)
}

// killed runs the process and kills it some time after ingest has begun, or
// lets the last one come to its end.
func killed(t *testing.T, dir string, n int, after time.Duration, last bool) (result, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^$")
	cmd.Env = append(os.Environ(), killEnv+"="+dir, killLast+"="+strconv.FormatBool(last), killSeed+"="+strconv.Itoa(n))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	var found result
	ready := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch text, isResult := strings.CutPrefix(lines.Text(), "result "); {
		case isResult:
			if err := json.Unmarshal([]byte(text), &found); err != nil {
				return result{}, err
			}
		case lines.Text() == "ready" && !last:
			ready = true
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	found.doneAgain = strings.Count(stderr.String(), "doing again")
	switch {
	case last && err != nil:
		return result{}, fmt.Errorf("the last process: %w\n%s", err, stderr.String())
	case !last && !ready:
		return result{}, fmt.Errorf("process %d did not begin: %w\n%s", n, err, stderr.String())
	case !last && strings.Contains(stderr.String(), "panic"):
		return result{}, fmt.Errorf("process %d:\n%s", n, stderr.String())
	}
	return found, nil
}

// victim is the process that is killed. The last one sends nothing, waits until
// all is committed, and asks the oracle.
func victim(dir string, last bool) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	broker, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: filepath.Join(dir, "kafka"), Partitions: 3, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	house, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: filepath.Join(dir, "clickhouse"), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.Close()) }()
	user, password := house.Credentials(embedded.Writer)
	maker, makersPassword := house.Credentials(embedded.Migrations)
	db, err := trail.Open(ctx, trail.Config{
		Addr: house.Addr(), Database: embedded.DatabaseName, User: user, Password: password, MigrationsUser: maker, MigrationsPassword: makersPassword, Logger: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	// The test's helpers want a test: this one fails by panic.
	w := &world{t: panicking{}, broker: broker.Addr(), trail: db, topic: "events", log: log, database: embedded.DatabaseName}
	w.keys, w.regs = testKeys(w.t), testRegisters(w.t)
	if res, err := w.client().CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: w.topic, NumPartitions: 3, ReplicationFactor: 1}}}); err != nil || res.Errors[w.topic] != nil && !errors.Is(res.Errors[w.topic], kafka.TopicAlreadyExists) {
		return fmt.Errorf("create the topic: %w, %+v", err, res)
	}
	cfg := w.config()
	cfg.Facts = facts.New()
	cfg.Registers = func() *register.Set { return w.regs }
	cfg.Limits.Rows = 500 // many inserts, to be killed in the middle of
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg) }()
	fmt.Println("ready")
	if !last {
		number, _ := strconv.Atoi(os.Getenv(killSeed))
		r := rand.New(rand.NewPCG(uint64(number), 3))
		for n := number * 1_000_000; ; {
			var messages []kafka.Message
			for range 200 {
				m := message(w.t, mixed(r, n))
				if r.IntN(20) == 0 {
					m.Value = m.Value[:len(m.Value)/2]
				}
				messages = append(messages, m)
				n++
			}
			w.send(messages...)
		}
	}
	w.waitCommitted(cfg.Group)
	var found result
	if found.Report, err = db.Verify(ctx, w.topic, w.ends(), nil); err != nil {
		return err
	}
	for _, end := range w.ends() {
		found.Sent += end
	}
	conn, err := w.connTo(house, embedded.Writer)
	if err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, "SELECT uniqExact(event_id), count() FROM trail").Scan(&found.IDs, &found.Rows); err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	fmt.Printf("result %s\n", text)
	cancel()
	return <-done
}

// panicking is a testing.TB outside of a test.
type panicking struct{ testing.TB }

func (panicking) Helper()                           {}
func (panicking) Context() context.Context          { return context.Background() }
func (panicking) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (panicking) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

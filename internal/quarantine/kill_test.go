package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// killEnv makes the test binary a replay that is killed: it says of what, and
// after which step.
const killEnv = "ANDMERADA_TEST_REPLAY_KILLED"

// killed is what the process that is killed is told.
type killed struct {
	Brokers []string
	Store   struct{ Addr, Database, User, Password string }
	Offset  int64
	Step    string
	Mended  []byte
}

// steps are what a replay has done when it may be killed.
var steps = []string{"leased", "noted", "sent", "acknowledged"}

// victim replays one record and kills itself after a step.
func victim(text string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	var k killed
	fail(json.Unmarshal([]byte(text), &k))
	secret, err := identity.ParseSecret(strings.Repeat("5a", identity.SecretSize))
	fail(err)
	keys, err := identity.New(secret)
	fail(err)
	db, err := trail.Open(context.Background(), trail.Config{Addr: k.Store.Addr, Database: k.Store.Database, User: k.Store.User, Password: k.Store.Password})
	fail(err)
	cfg := Config{Brokers: k.Brokers, Topic: topic, Trail: db, Keys: keys, Select: trail.QuarantineFilter{Places: []identity.Place{{Topic: topic, Offset: k.Offset}}}, lasts: time.Second}
	if k.Mended != nil {
		cfg.Mended, err = Mend(k.Mended, "mari", "killed")
		fail(err)
	}
	cfg.step = func(name string) {
		if name == k.Step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	_, err = Replay(context.Background(), cfg)
	fail(err)
	fail(errors.New("it was not killed"))
}

// TestReplayKilledAfterEachStep: whenever a replay dies, the next one sends what
// has not been sent, and each event is in the trail once; one that Kafka had, and
// nobody had noted, a second time as a duplicate.
func TestReplayKilledAfterEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var messages []kafka.Message
	var events [][]byte // as they are mended; nil = sent as they are
	for i := range steps {
		messages = append(messages, billing(t, fmt.Sprint("e-", i)))
		events = append(events, nil)
	}
	for i := range steps {
		messages = append(messages, kafka.Message{Value: []byte("x")})
		events = append(events, structuredEvent(t, fmt.Sprint("m-", i), "elektrum/billing"))
	}
	w.send(messages...)
	w.settled(len(messages))
	w.load("")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	total := len(messages)
	var want []string
	for i, value := range events {
		step, id := steps[i%len(steps)], fmt.Sprint("e-", i)
		if value != nil {
			id = fmt.Sprint("m-", i-len(steps))
		}
		text, err := json.Marshal(killed{w.cfg.Brokers, struct{ Addr, Database, User, Password string }{w.store.Addr, w.store.Database, w.store.User, w.store.Password}, int64(i), step, value})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
		cmd.Env = append(os.Environ(), killEnv+"="+string(text))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if status, ok := syscall.WaitStatus(0), errors.As(err, &exit); ok {
			status, _ = exit.Sys().(syscall.WaitStatus)
			if status.Signal() != syscall.SIGKILL {
				t.Fatalf("%s of %s: %v\n%s", step, id, err, out)
			}
		} else {
			t.Fatalf("%s of %s: %v\n%s", step, id, err, out)
		}
		for _, due := range []bool{step != "acknowledged", false} {
			res := w.afterLease(int64(i), value)
			if res.Sent == 1 != due || !res.OK() {
				t.Errorf("killed when it had %s %s: %+v", step, id, res)
			}
		}
		total++
		want = append(want, id+" false")
		if step == "sent" {
			total++
			want = append(want, id+" true")
		}
	}
	ids, reasons := w.settled(total)
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("the trail has\n%v, not\n%v; quarantine %v", ids, want, reasons)
	}
	report, err := w.cfg.Trail.Verify(t.Context(), topic, map[int32]int64{0: int64(total)}, nil)
	if err != nil || !report.OK() {
		t.Errorf("%v\n%s", err, report)
	}
}

// afterLease replays a record as soon as the lease of one that was killed ends.
func (w *world) afterLease(offset int64, value []byte) Result {
	w.t.Helper()
	cfg := w.cfg
	cfg.Select, cfg.lasts = trail.QuarantineFilter{Places: []identity.Place{{Topic: topic, Offset: offset}}}, time.Second
	if value != nil {
		var err error
		if cfg.Mended, err = Mend(value, "mari", "killed"); err != nil {
			w.t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		res, err := Replay(w.t.Context(), cfg)
		if err == nil {
			return res
		}
		if !errors.Is(err, ErrBusy) || time.Now().After(deadline) {
			w.t.Fatal(err)
		}
	}
}

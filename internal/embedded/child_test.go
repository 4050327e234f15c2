package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"
)

// childMode says in a child what it is to do; see [child].
const childMode = "ANDMERADA_EMBEDDED_TEST_CHILD"

// A child is this test binary run anew, with an engine or a broker of its own:
// a process can start the engine only once, and only another process can be
// killed.
type child struct {
	said  childSays
	stdin io.Closer
	out   *bufio.Scanner
	cmd   *exec.Cmd
}

// childSays is what a child tells on a line of its own, as JSON.
type childSays struct {
	Addr, HTTPAddr string
	Passwords      map[User]string
	Error          string // Of the start, of Done, or of Close.
	InUse          bool   // Error is ErrDirInUse.
	Used           string // The error of a second start.
	Panics         int    // Nil dereferences that were recovered from.
	Took           time.Duration
	Closed         bool
}

func TestMain(m *testing.M) {
	mode, dir := os.Getenv(childMode), os.Getenv(childMode+"_DIR")
	switch mode {
	case "":
		os.Exit(m.Run())
	case "clickhouse", "clickhouse-dies":
		clickHouseChild(dir, mode == "clickhouse-dies")
	case "kafka":
		kafkaChild(dir)
	default:
		panic("unknown mode " + mode)
	}
}

func say(s childSays) {
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		panic(err)
	}
}

// text is an error's, or "".
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// dereferenceNil says whether a nil dereference is recovered from. If it
// isn't, the process ends.
func dereferenceNil() (recovered bool) {
	defer func() { recovered = recover() != nil }()
	var c *ClickHouse
	return c.Addr() == ""
}

// clickHouseChild runs an engine until standard input ends.
func clickHouseChild(dir string, dies bool) {
	began := time.Now()
	ctx := context.Background()
	house, err := StartClickHouse(ctx, ClickHouseConfig{Dir: dir, Owner: true})
	if err != nil {
		say(childSays{Error: err.Error(), InUse: errors.Is(err, ErrDirInUse)})
		return
	}
	_, again := StartClickHouse(ctx, ClickHouseConfig{Dir: dir + "-other"})
	s := childSays{Addr: house.Addr(), HTTPAddr: house.HTTPAddr(), Passwords: house.credentials, Took: time.Since(began), Used: text(again)}
	if dereferenceNil() {
		s.Panics++
	}
	say(s)
	if dies {
		if err := house.fifo.Close(); err != nil { // What holds the engine up goes.
			panic(err)
		}
		say(childSays{Error: text(<-house.Done())})
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		panic(err)
	}
	began = time.Now()
	err = house.Close()
	if dies && errors.Is(err, os.ErrClosed) {
		err = nil // Of the pipe, above.
	}
	s = childSays{Error: text(err), Closed: true, Took: time.Since(began)}
	if dereferenceNil() {
		s.Panics++
	}
	if _, open := <-house.Done(); open && !dies {
		s.Error += "Done yielded after Close"
	}
	say(s)
}

// kafkaChild runs a broker until standard input ends.
func kafkaChild(dir string) {
	kafka, err := StartKafka(context.Background(), KafkaConfig{Dir: dir, Partitions: 2, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		say(childSays{Error: err.Error(), InUse: errors.Is(err, ErrDirInUse)})
		return
	}
	if err := kafka.CreateTopic(context.Background(), topic, 0); err != nil {
		panic(err)
	}
	say(childSays{Addr: kafka.Addr()})
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		panic(err)
	}
	say(childSays{Error: text(kafka.Close()), Closed: true})
}

// startChild runs a child on a directory and waits for what it says first. The
// test kills it at its end if it still runs.
func startChild(t *testing.T, mode, dir string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe)} //nolint:gosec,noctx // This very test.
	c.cmd.Env = append(os.Environ(), childMode+"="+mode, childMode+"_DIR="+dir)
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			// Ended already, or left over by a failure: either way it goes.
			_, _ = c.cmd.Process.Kill(), c.cmd.Wait()
		}
	})
	c.said = c.next(t)
	return c
}

// next returns the next thing that the child says.
func (c *child) next(t *testing.T) childSays {
	t.Helper()
	for c.out.Scan() {
		var s childSays
		if json.Unmarshal(c.out.Bytes(), &s) == nil {
			return s
		}
		t.Logf("child: %s", c.out.Text())
	}
	t.Fatalf("the child ended without a word: %v", errors.Join(c.out.Err(), c.cmd.Wait()))
	return childSays{}
}

// close ends the child in good order and returns what it says last.
func (c *child) close(t *testing.T) childSays {
	t.Helper()
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	s := c.next(t)
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("child: %v", err)
	}
	if !s.Closed || s.Error != "" {
		t.Fatalf("child's close: %+v", s)
	}
	return s
}

// kill ends the child by SIGKILL.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); !errors.As(err, &exit) {
		t.Fatal(fmt.Errorf("killed child: %w", err))
	}
}

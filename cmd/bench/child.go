package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process of its own, so that its CPU time and its memory are known
// apart from the others'.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader // of a part
	tail  *tail
	ended chan struct{} // closed when it has, after err is set
	err   error
	used  time.Duration // CPU, once it has ended
}

// spawn starts a program. Its stderr is kept in part, to be shown if it fails.
func spawn(ctx context.Context, name string, cmd *exec.Cmd) (*child, error) {
	c := &child{name: name, cmd: cmd, tail: &tail{seen: make(chan struct{})}, ended: make(chan struct{})}
	cmd.Stderr = c.tail
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		c.err = cmd.Wait()
		if s := cmd.ProcessState; s != nil {
			c.used = s.UserTime() + s.SystemTime()
		}
		close(c.ended)
	}()
	return c, nil
}

// waitFor waits until the program has written a text to its stderr.
func (c *child) waitFor(ctx context.Context, text string) error {
	c.tail.watch(text)
	select {
	case <-c.tail.seen:
		return nil
	case <-c.ended:
		return c.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure is why it has ended.
func (c *child) failure() error {
	return fmt.Errorf("%s has ended by itself (%w):\n%s", c.name, cmpErr(c.err), c.tail.text())
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

// stop ends it with a signal, or by its stdin's end where sig is nil, and waits.
func (c *child) stop(sig os.Signal) error {
	err := c.stdin.Close()
	if sig != nil {
		err = errors.Join(err, c.cmd.Process.Signal(sig))
	}
	select {
	case <-c.ended:
	case <-time.After(time.Minute):
		return errors.Join(fmt.Errorf("%s does not stop: it is killed", c.name), c.kill())
	}
	var exit *exec.ExitError
	if sig != nil && errors.As(c.err, &exit) && exit.ExitCode() < 0 {
		return nil // by the signal
	}
	if c.err != nil {
		err = errors.Join(err, fmt.Errorf("stop %s: %w:\n%s", c.name, c.err, c.tail.text()))
	}
	return ignoreDone(err)
}

// kill ends it at once.
func (c *child) kill() error {
	err := c.cmd.Process.Kill()
	<-c.ended
	return ignoreDone(err)
}

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// cpu is what it has used so far, to the 10 ms that Linux tells.
func (c *child) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return c.used
	}
	// After the name, which may have anything in it: utime and stime are the
	// fields 14 and 15 of proc(5), in 1/100 s.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return c.used
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak is the most memory that it has had, in bytes (VmHWM).
func (c *child) peak() int64 { return c.status("VmHWM:") }

func (c *child) status(name string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name)
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, _ := strconv.ParseInt(value, 10, 64)
	return kb << 10
}

// signal sends one to it, for SIGSTOP and SIGCONT.
func (c *child) signal(sig syscall.Signal) error { return c.cmd.Process.Signal(sig) }

// tail keeps the last of what is written, and looks out for a text.
type tail struct {
	mu   sync.Mutex
	kept []byte
	want string
	seen chan struct{}
	once sync.Once
}

const keptTail = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	t.look()
	if extra := len(t.kept) - keptTail; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) watch(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.want = text
	t.look()
}

func (t *tail) look() {
	if t.want != "" && bytes.Contains(t.kept, []byte(t.want)) {
		t.once.Do(func() { close(t.seen) })
	}
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// partVariable makes this program, started by itself, one of the parts.
const partVariable = "ANDMERADA_BENCH_PART"

// part starts this program as one of its parts, and reads from it where it is.
func part(ctx context.Context, name string, args ...string) (*child, hello, error) {
	var h hello
	self, err := os.Executable()
	if err != nil {
		return nil, h, fmt.Errorf("start %s: %w", name, err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), partVariable+"="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, h, fmt.Errorf("start %s: %w", name, err)
	}
	c, err := spawn(ctx, name, cmd)
	if err != nil {
		return nil, h, err
	}
	c.out = bufio.NewReader(out)
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		return nil, h, errors.Join(fmt.Errorf("start %s: %w: %s", name, err, c.tail.text()), c.kill())
	}
	return c, h, nil
}

// hello is what a part says when it is ready.
type hello struct {
	Addr     string `json:"addr"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded/freeport"
)

var (
	starterOnce sync.Once
	starts      = make(chan func())
)

// starter is the thread that starts processes; it never ends.
func starter() {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
}

// process is `andmerada ingest`, or another command that runs until it is stopped.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	metrics string // where it tells them
	ended   chan struct{}
	err     error // of its end

	mu  sync.Mutex
	log []string
}

// ingest starts the program under test with the world's configuration. It is
// killed after the test if it still runs.
func (w *world) ingest(flags ...string) *process {
	w.t.Helper()
	return w.launch(append([]string{"ingest", "--config", w.config}, flags...)...)
}

// launch is the same for any command of the program that runs until it is stopped.
func (w *world) launch(args ...string) *process {
	w.t.Helper()
	p := &process{t: w.t, ended: make(chan struct{})}
	p.cmd = exec.Command(servers.program, args...)
	p.cmd.Env = append(os.Environ(), w.env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	startPinned(w.t, p.cmd)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.mu.Lock()
			p.log = append(p.log, lines.Text())
			p.mu.Unlock()
		}
		_, _ = io.Copy(io.Discard, stderr)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	w.t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if w.t.Failed() {
			w.t.Logf("the end of the log of process %d:\n%s", p.cmd.Process.Pid, p.tail(40))
		}
	})
	return p
}

// start starts one that tells its metrics, and waits until partitions are
// assigned to it.
func (w *world) start() *process {
	w.t.Helper()
	for range 5 {
		ports, err := freeport.Take(1)
		if err != nil {
			w.t.Fatal(err)
		}
		metrics := fmt.Sprintf("127.0.0.1:%d", ports[0])
		p := w.ingest("--metrics", metrics)
		p.metrics = metrics
		taken := false // by another process, meanwhile
		eventually(w.t, time.Minute, "partitions are assigned", func() (bool, string) {
			taken = p.says("address already in use") > 0
			return taken || p.says(assigned) > 0, p.tail(5)
		})
		if !taken {
			return p
		}
	}
	w.t.Fatal("no port is free")
	return nil
}

// Lines of the log that tests wait for.
const (
	assigned = "partitions are assigned"
	stopped  = "the partition is stopped"
	again    = "doing again a range that was begun"
)

// says counts the lines of its log with that text.
func (p *process) says(text string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.log {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (p *process) tail(lines int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log[max(0, len(p.log)-lines):], "\n")
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %s: %v", s, err)
	}
}

// kill ends it by SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop ends it by SIGTERM, in good order: with exit status 0, in time.
func (p *process) stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(40 * time.Second):
		p.t.Errorf("it still runs %s after SIGTERM", time.Since(began))
		p.kill()
	}
	if p.err != nil {
		p.t.Errorf("after SIGTERM it ended with %v", p.err)
	}
	return time.Since(began)
}

// running fails the test if the process has ended by itself.
func (p *process) running() {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("the process has ended: %v\n%s", p.err, p.tail(20))
	default:
	}
}

// peak is the most memory that it ever had resident, in MB.
func (p *process) peak() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		p.t.Fatal("the process has ended")
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	return kb >> 10
}

// maxMemory is what ingest may take, in MB.
const maxMemory = 512

// withinMemory fails the test if the process ever had more.
func (p *process) withinMemory() {
	p.t.Helper()
	mb := p.peak()
	p.t.Logf("at most %d MB resident", mb)
	if mb > maxMemory {
		p.t.Errorf("it had %d MB resident, more than %d", mb, maxMemory)
	}
}

// metric sums a metric over the label sets that have all the given texts.
func (p *process) metric(name string, having ...string) float64 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics+"/metrics", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return -1 // not there yet
	}
	defer res.Body.Close()
	sum := 0.0
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || !strings.HasPrefix(line, name) || line[len(name)] != '{' && line[len(name)] != ' ' {
			continue
		}
		all := true
		for _, text := range having {
			all = all && strings.Contains(line[:at], text)
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil && all {
			sum += v
		}
	}
	return sum
}

// stalled is how many partitions it says cannot go on.
func (p *process) stalled() float64 { return p.metric("andmerada_ingest_stalled") }

// command runs another command of the program with the world's configuration,
// and returns what it prints and its exit status.
func (w *world) command(args ...string) (out string, status int) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), servers.program, append(args, "--config", w.direct)...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return text.String(), cmd.ProcessState.ExitCode()
}

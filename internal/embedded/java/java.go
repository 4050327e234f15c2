// Package java runs servers written in Java for tests, each a process of its
// own that ends with the test's, whatever becomes of that.
package java

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of time: of a start, which takes about 5 s on an idle machine, and from
// SIGTERM to the end, after which the process is killed.
const (
	startLimit = 2 * time.Minute
	stopLimit  = 20 * time.Second
)

// quickly are options for a small heap and a quick start.
var quickly = []string{"-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

// Run runs java with those arguments, to its end.
func Run(args ...string) error {
	out, err := exec.Command("java", slices.Concat(quickly, args)...).CombinedOutput() //nolint:gosec,noctx // Arguments of tests; ends by itself.
	if err != nil {
		return fmt.Errorf("run java (is Java 17 or newer installed?): %w\n%s", err, out)
	}
	return nil
}

// Process is a server that runs, or has ended.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{} // Closed when it has ended, after err is set.
	err   error
	log   tail
}

// Start runs java with those arguments and returns when its log has a line with ready. The system kills it if this
// process dies.
func Start(ready string, args ...string) (*Process, error) {
	p := &Process{ended: make(chan struct{})}
	p.cmd = exec.Command("java", slices.Concat(quickly, args)...) //nolint:gosec,noctx // Arguments of tests; ended by Stop.
	isReady := make(chan struct{})
	read, write := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = write, write
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go p.follow(read, ready, isReady)
	if err := p.run(write); err != nil {
		return nil, err
	}
	select {
	case <-isReady:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("java ended at its start: %w\n%s", p.err, &p.log)
	case <-time.After(startLimit):
		return nil, errors.Join(fmt.Errorf("java was not ready within %s\n%s", startLimit, &p.log), p.Kill())
	}
}

// run starts Java and sees to its end.
func (p *Process) run(output *io.PipeWriter) error {
	started := make(chan error)
	go func() {
		// The system sends Pdeathsig when the thread that started the process
		// ends, so the thread is kept for as long as the server runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		_ = output.Close() // Always nil.
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start java: %w; install Java 17 or newer", errors.Join(err, output.Close()))
	}
	return nil
}

// follow reads the log to its end and closes isReady at the line that says so.
func (p *Process) follow(log io.Reader, ready string, isReady chan<- struct{}) {
	var once sync.Once
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		p.log.add(line)
		if strings.Contains(line, ready) {
			once.Do(func() { close(isReady) })
		}
		if err != nil {
			return
		}
	}
}

// Stop ends the server and waits until it has ended.
func (p *Process) Stop() error {
	// One that is paused would not see the other signal.
	if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopLimit):
		return p.Kill()
	}
}

// Kill ends the server by SIGKILL and waits until it has ended.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// Pause stops the server where it is (SIGSTOP): connections are open, also new
// ones, and nobody answers on them.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a server go on that was paused.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

// Log is the last lines of what the server has said.
func (p *Process) Log() string { return p.log.String() }

// signal sends a signal to the server, if it runs.
func (p *Process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to java: %w", s, err)
	}
	return nil
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const keep = 100
	if l.lines = append(l.lines, line); len(l.lines) > keep {
		l.lines = l.lines[len(l.lines)-keep:]
	}
}

// String is the lines that are kept.
func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

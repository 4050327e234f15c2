package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/intake"
)

// demo is the demo, running.
type demo struct {
	out        io.Writer
	dir        string
	options    *demoOptions
	kafka      *embedded.Kafka
	clickhouse *embedded.ClickHouse
	listener   net.Listener
	node       *node
	closers    []func() error
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) say(format string, a ...any) { fmt.Fprintf(d.out, format+"\n", a...) }

func (d *demo) close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i]())
	}
	d.closers = nil
	return errors.Join(errs...)
}

// remove removes what an earlier demo has left, and nothing else: a directory
// that is not a demo's is left alone.
func (d *demo) remove() error {
	entries, err := os.ReadDir(d.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the earlier demo: %w", err)
	}
	if _, err := os.Stat(d.path("secret")); err != nil {
		return fmt.Errorf("%s is no demo's directory (it has no secret): it is left alone; choose another with --data", d.dir)
	}
	for _, name := range []string{"kafka", "clickhouse", "secret", "log", stateFile, manifestFile, passwordFile, casesPasswordFile, configName, tokenFile, tokensFile} {
		if err := os.RemoveAll(d.path(name)); err != nil {
			return fmt.Errorf("remove the earlier demo: %w", err)
		}
	}
	return nil
}

const (
	stateFile         = "history.json"
	manifestFile      = "manifest.json"
	passwordFile      = "clickhouse-password"
	casesPasswordFile = "clickhouse-cases-password"
	tokenFile         = "intake-token"       // the token by which events can be posted to the demo
	tokensFile        = "intake-tokens.yaml" // what stands for it
)

// emitted is how far the history has been emitted. It is written after each
// batch, so a kill repeats one batch at the most; ingest flags these events as
// duplicates.
type emitted struct {
	Seed    uint64    `json:"seed"`
	Events  int       `json:"events"`
	Persons int       `json:"persons"`
	End     time.Time `json:"end"`
	Done    int       `json:"done"`
	Whole   bool      `json:"whole"`
}

func (d *demo) readState() (s emitted, err error) {
	data, err := os.ReadFile(d.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read how far the history has come: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read how far the history has come: %w; start over with --fresh", err)
	}
	return s, nil
}

func (d *demo) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return replaceFile(d.path(name), data)
}

// writeConfig writes the configuration by which other commands find the demo.
// They read the trail as a user who may not write, and keep cases as one who may
// do nothing else.
func (d *demo) writeConfig() (*config, error) {
	user, password := d.clickhouse.Credentials(embedded.Reader)
	err := os.WriteFile(d.path(passwordFile), []byte(password), 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the password of ClickHouse: %w", err)
	}
	c := &config{SecretFile: "secret", Listen: d.listener.Addr().String()}
	c.Kafka.Brokers = []string{d.kafka.Addr()}
	c.ClickHouse.Addr, c.ClickHouse.User, c.ClickHouse.PasswordFile = d.clickhouse.Addr(), user, passwordFile
	casesUser, casesPassword := d.clickhouse.Credentials(embedded.Cases)
	if err := os.WriteFile(d.path(casesPasswordFile), []byte(casesPassword), 0o600); err != nil {
		return nil, fmt.Errorf("write the password of ClickHouse: %w", err)
	}
	c.ClickHouse.Cases = &userConfig{User: casesUser, PasswordFile: casesPasswordFile}
	if c.Intake, err = d.writeToken(); err != nil {
		return nil, err
	}
	c.fillIn()
	if err := c.write(d.path(configName)); err != nil {
		return nil, err
	}
	return readConfig(d.path(configName))
}

// writeToken makes a token by which anything can be posted to this demo, until
// its next start.
func (d *demo) writeToken() (*intakeConfig, error) {
	token, sum := intake.NewToken()
	entry, err := intake.Entry(intake.Source{Name: "demo", Token: sum, Sources: []string{"/"}, Controllers: []string{"*"}})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(replaceFile(d.path(tokensFile), []byte("sources:\n"+entry)), replaceFile(d.path(tokenFile), []byte(token+"\n"))); err != nil {
		return nil, err
	}
	return &intakeConfig{Tokens: tokensFile}, nil
}

// listen listens at the address, or, where none is given, at the usual one or
// else at a free port.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	usual := addr == ""
	if usual {
		addr = defaultListen
	}
	l, err := lc.Listen(ctx, "tcp", addr)
	if usual && errors.Is(err, syscall.EADDRINUSE) {
		l, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", addr, err)
	}
	return l, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// residentMB is how much memory this process has resident, in MB; 0 where that
// cannot be told.
func residentMB() int {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				return 0
			}
			return kb / 1024
		}
	}
	return 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
)

// tableKind is what the events are put into.
type tableKind string

const (
	byArrival tableKind = "arrival" // one order, and none beside it
	full      tableKind = "full"    // with every way of access
)

// prepare makes a trail's database, and takes its projections away where only
// the order of arrival is asked for.
func (p *place) prepare(ctx context.Context, name string, kind tableKind) (string, error) {
	db, database, err := p.database(ctx, name)
	if err != nil {
		return "", err
	}
	if err := db.Close(); err != nil {
		return "", err
	}
	if kind == full {
		return database, nil
	}
	for _, projection := range []string{"by_person", "matrix", "identities"} {
		if err := p.root.Exec(ctx, "ALTER TABLE "+database+".trail DROP PROJECTION "+projection); err != nil {
			return "", fmt.Errorf("take the projection %s away: %w", projection, err)
		}
	}
	return database, nil
}

// startIngest starts the program's own ingest on a topic, as anyone would,
// without what judges again beside it. It returns when it begins to read.
func (p *place) startIngest(ctx context.Context, database, topic, group string) (*child, error) {
	dir, err := os.MkdirTemp(p.dir, "ingest-*")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	password := filepath.Join(dir, "password")
	config, err := yaml.Marshal(map[string]any{
		"kafka":       map[string]any{"brokers": []string{p.broker}, "topic": topic, "group": group},
		"clickhouse":  map[string]any{"addr": p.houseAt.Addr, "database": database, "user": p.houseAt.User, "password_file": password},
		"registry":    map[string]any{"urls": []string{p.registry.url}},
		"secret_file": p.secret,
	})
	if err != nil {
		return nil, fmt.Errorf("write the configuration of ingest: %w", err)
	}
	file := filepath.Join(dir, "andmerada.yaml")
	err = errors.Join(os.WriteFile(password, []byte(p.houseAt.Password), 0o600), os.WriteFile(file, config, 0o600))
	if err != nil {
		return nil, fmt.Errorf("write the configuration of ingest: %w", err)
	}
	args := []string{"ingest", "--config", file, "--rejudge=false"}
	if p.profile != "" {
		args = append(args, "--cpuprofile", p.profile)
	}
	c, err := spawn(ctx, "ingest", exec.Command(p.program, args...))
	if err != nil {
		return nil, err
	}
	if err := c.waitFor(ctx, "ingest begins"); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// tooLong is how long a run may take.
const tooLong = 15 * time.Minute

// ours runs ingest over a topic. The clock runs from before it joins the group
// until all is stored.
func (p *place) ours(ctx context.Context, name, topic string, kind tableKind, n int) (r runResult, err error) {
	database, err := p.prepare(ctx, name, kind)
	if err != nil {
		return r, err
	}
	if r, err = p.oursInto(ctx, database, topic, n, 0); err != nil {
		return r, err
	}
	return r, p.complete(ctx, database, n)
}

// oursInto is the same into a trail that has so many rows already.
func (p *place) oursInto(ctx context.Context, database, topic string, n, already int) (r runResult, err error) {
	if err := p.quiet(ctx); err != nil {
		return r, err
	}
	c, err := p.startIngest(ctx, database, topic, database+"_"+topic)
	if err != nil {
		return r, err
	}
	m := p.begin(c.cpu)
	if err := p.waitRows(ctx, c.ended, database+".trail", already+n, tooLong); err != nil {
		if errors.Is(err, errEnded) {
			return r, c.failure()
		}
		return r, errors.Join(err, c.kill())
	}
	m.stored()
	m.readerEnds()
	peak := c.peak()
	if err := c.stop(syscall.SIGTERM); err != nil {
		return r, err
	}
	r, err = m.result(ctx, database, n)
	r.Peak = peak
	return r, err
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/server"
	"github.com/andmerada/andmerada/internal/trail"
)

// answerResult is how long a person waits for the answer who received its data.
type answerResult struct {
	Events    int          `json:"events"`
	Persons   int          `json:"persons"`
	Bytes     []tableBytes `json:"bytes"`
	Direct    quantiles    `json:"answer"`
	HTTP      quantiles    `json:"api"`
	PerAnswer float64      `json:"events_per_answer"` // on average
}

// quantiles are of times in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// answers fills a trail with the whole past, cohorts and identities included,
// and asks for persons at random, one after the other.
func (p *place) answers(ctx context.Context, r *result) (err error) {
	const topic = "past"
	n, err := p.fill(ctx, topic, partitions, jsonFormat, p.past.Events())
	if err != nil {
		return err
	}
	db, database, err := p.database(ctx, "answers")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store, err := p.ingestHere(ctx, db, "answers", topic, n)
	if err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	a := &answerResult{Events: n}
	if a.Bytes, err = p.bytes(ctx, database, n); err != nil {
		return err
	}
	requests := p.requests()
	a.Persons = len(requests)
	deps := answer.Deps{Trail: db, Registers: p.registers, Keys: p.keys, Facts: store.AsSeen, Now: time.Now}

	var events uint64
	direct := func(req answer.Request) error {
		got, err := answer.Recipients(ctx, deps, answer.RecipientsRequest{Request: req})
		if err != nil {
			return err
		}
		events += got.Events
		return nil
	}
	if _, err := timed(requests, direct); err != nil { // warm
		return err
	}
	events = 0
	if a.Direct, err = timed(requests, direct); err != nil {
		return err
	}
	a.PerAnswer = float64(events) / float64(len(requests))
	if a.HTTP, err = p.overHTTP(ctx, deps, requests); err != nil {
		return err
	}
	p.say("answer: p50 %.1f ms, p99 %.1f ms; over HTTP p50 %.1f ms, p99 %.1f ms", a.Direct.P50, a.Direct.P99, a.HTTP.P50, a.HTTP.P99)
	r.Answer = a
	return nil
}

// overHTTP asks the same of the server's API.
func (p *place) overHTTP(ctx context.Context, deps answer.Deps, requests []answer.Request) (q quantiles, err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return q, fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{Handler: server.New(server.Config{Answers: deps, Access: &access.Gate{Open: access.Open()}, Recorder: access.NewRecorder(nil)}), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	defer func() {
		err = errors.Join(err, srv.Close())
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
	}()
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	url := "http://" + listener.Addr().String() + "/v1/answers/recipients"
	return timed(requests, func(req answer.Request) (err error) {
		body, err := json.Marshal(req)
		if err != nil {
			return err
		}
		post, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		post.Header.Set("Content-Type", "application/json")
		res, err := client.Do(post)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, res.Body.Close()) }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("the API answers %s", res.Status)
		}
		_, err = io.Copy(io.Discard, res.Body)
		return err
	})
}

// requests asks for persons at random, by their customer numbers.
func (p *place) requests() []answer.Request {
	var all []answer.Request
	for ev := range p.past.Events() {
		if ev.Kind == event.FactEvent && ev.Fact.Name == event.IdentityFact {
			all = append(all, answer.Request{Controller: ev.Controller, Person: answer.Person(ev.Persons[0])})
		}
	}
	r := rand.New(rand.NewPCG(p.Seed, 1))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(p.Persons, len(all))]
}

func timed(requests []answer.Request, ask func(answer.Request) error) (quantiles, error) {
	took := make([]float64, 0, len(requests))
	for _, req := range requests {
		began := time.Now()
		if err := ask(req); err != nil {
			return quantiles{}, fmt.Errorf("ask who received a person's data: %w", err)
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	slices.Sort(took)
	at := func(share float64) float64 { return took[min(len(took)-1, int(share*float64(len(took))))] }
	return quantiles{P50: at(0.5), P99: at(0.99)}, nil
}

// ingestHere reads a topic into a trail, in this process, until n events are
// there, and returns the facts that it has learnt.
func (p *place) ingestHere(ctx context.Context, db *trail.DB, group, topic string, n int) (*facts.Store, error) {
	store := facts.New()
	i, err := ingest.New(ingest.Config{
		Brokers: []string{p.broker}, Topics: []string{topic}, Group: group,
		Trail: db, Registers: func() *register.Set { return p.registers }, Keys: p.keys, Facts: store,
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- i.Run(running)
		close(ended)
	}()
	err = wait(ctx, ended, func() (bool, error) { return i.Stats().Events >= uint64(n), nil })
	stop()
	err = errors.Join(err, <-done)
	if s := i.Stats(); err == nil && len(s.Quarantined) > 0 {
		err = fmt.Errorf("events of the made-up past went to the quarantine: %v", s.Quarantined)
	}
	return store, err
}

package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
)

// slowly is a server on a real connection, that tells when it is done with a
// request.
type slowly struct {
	t       *testing.T
	address string
	done    chan string
}

// serveSlow serves a trail that has so many events of one person more.
func serveSlow(t *testing.T, events int, change func(*http.Server)) *slowly {
	t.Helper()
	s := &slowly{t: t, done: make(chan string, 16)}
	cfg := Config{
		Answers: answertest.Plant(t), Version: "test", Access: &access.Gate{Open: access.Open()}, Recorder: access.NewRecorder(nil), patience: time.Second,
		Logger: slog.New(slog.DiscardHandler),
	}
	many(t, cfg.Answers, events)
	handler := New(cfg)
	srv := HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.done <- r.URL.Path }()
		handler.ServeHTTP(w, r)
	}), cfg.Logger)
	change(srv)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return s
}

// many adds events of the planted person, of which each line is long.
func many(t *testing.T, d answer.Deps, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	who, err := d.Keys.Pseudonym(answertest.Controller, "email", answertest.Email)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]*event.Event, n)
	for i := range events {
		events[i] = &event.Event{
			Kind: event.Processing, ID: fmt.Sprint("many-", i), Source: "/acme/crm", Time: answertest.Start.Add(time.Duration(i) * time.Second), Operation: event.Use, Controller: answertest.Controller,
			Persons: []event.Person{{Scheme: "pseudonym", Value: who.String()}}, Purpose: "acme/billing", Categories: []string{"name"}, Reason: strings.Repeat("because ", 100),
		}
	}
	answertest.Store(t, d, answertest.Planted, events...)
}

// send sends bytes as they are.
func (s *slowly) send(text string) *net.TCPConn {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func request(path, body, accept string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, accept, len(body), body)
}

// Whoever reads a stream slowly is cut off, and nothing of the server is at work
// for him from then on; whoever reads it gets all of it. The events are more than
// the network takes on the way.
func TestSlowReadersOfStreams(t *testing.T) {
	t.Parallel()
	const events = 10_000
	s := serveSlow(t, events, func(*http.Server) {})
	for path, asked := range map[string][2]string{"/v1/answers/access": {`{"controller":"acme"}`, ndjsonForm}, "/v1/answers/timeline": {whoIs + "}", csvForm}} {
		conn := s.send(request(path, asked[0], asked[1]))
		if err := conn.SetReadBuffer(8 << 10); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.done:
		case <-time.After(time.Minute):
			t.Fatalf("%s: a stream that nobody reads goes on", path)
		}
		if err := conn.SetReadBuffer(4 << 20); err != nil { // what is on the way comes at once
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(conn) // it ends with an error or without, but before all has come
		if n := strings.Count(string(rest), "\n"); n >= events || n < 2 {
			t.Errorf("%s: %d lines before it was cut off", path, n)
		}
		if strings.Contains(string(rest[max(0, len(rest)-100):]), `{"end"`) || strings.HasSuffix(string(rest), "0\r\n\r\n") {
			t.Errorf("%s: what was cut off seems whole: %s", path, rest[max(0, len(rest)-200):])
		}
		res, err := http.ReadResponse(bufio.NewReader(s.send(request(path, asked[0], asked[1]))), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if n := strings.Count(string(text), "\n"); err != nil || n < events {
			t.Errorf("%s: %d lines for whoever reads, err = %v", path, n, err)
		}
		_ = res.Body.Close()
		<-s.done
	}
}

// Whoever sends slowly is cut off, and there is a bound on all that a client may
// do slowly.
func TestSlowSendersAreCutOff(t *testing.T) {
	t.Parallel()
	srv := HTTP(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for name, d := range map[string]time.Duration{"headers": srv.ReadHeaderTimeout, "body": srv.ReadTimeout, "answer": srv.WriteTimeout, "idle": srv.IdleTimeout, "a page of a stream": streamSlowly} {
		if d <= 0 || d > 3*time.Minute {
			t.Errorf("%s: %v", name, d)
		}
	}
	if srv.MaxHeaderBytes <= 0 || srv.MaxHeaderBytes > 1<<16 {
		t.Errorf("%d bytes of headers", srv.MaxHeaderBytes)
	}
	s := serveSlow(t, 0, func(srv *http.Server) { // the bounds are there; their lengths are above
		srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout = 200*time.Millisecond, 400*time.Millisecond, 5*time.Second
	})
	for name, text := range map[string]string{
		"half a header": "POST /v1/answers/recipients HTTP/1.1\r\nHost: localh",
		"half a body":   "POST /v1/answers/recipients HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + whoIs,
		"half a form":   "POST /person HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ncontroller=acme",
	} {
		conn := s.send(text)
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		res, err := io.ReadAll(conn)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // as net gives it
			t.Errorf("%s: the connection is kept", name)
		}
		if len(res) > 0 && (strings.Contains(string(res), "HTTP/1.1 2") || strings.Contains(string(res), "HTTP/1.1 50")) {
			t.Errorf("%s: %.300s", name, res)
		}
	}
}

// Whoever has waited too long is told so by a page, which is drawn after the time
// that the answer had.
func TestPagesAreDrawnInTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h := New(Config{Answers: answertest.Plant(t), Access: &access.Gate{Open: access.Open()}, Recorder: access.NewRecorder(nil)})
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/nowhere", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "There is no such page") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

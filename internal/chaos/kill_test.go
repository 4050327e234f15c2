package chaos

import (
	"bytes"
	"testing"
	"time"
)

// commit matches a request to commit an offset of the group (Kafka protocol,
// API key 8): the first bytes are the request's length and its key.
func (w *world) commit() func(chunk []byte) bool {
	return func(chunk []byte) bool {
		return len(chunk) > 6 && chunk[4] == 0 && chunk[5] == 8
	}
}

// insert is the beginning of an insert into a table.
func insert(table string) []byte { return []byte("INSERT INTO " + table + " (") }

// TestKilledAtEachPoint ends the process by SIGKILL at each step of a batch, and
// lets another take over. Fault 1.
func TestKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		trap trap
		kafka,
		again bool // the next process finds a range that was begun
	}{
		{name: "before the journal", trap: trap{request: insert("journal")}},
		{name: "in the journal's insert", trap: trap{request: insert("journal"), pass: 200}},
		{name: "journaled, not acknowledged", trap: trap{request: insert("journal"), answer: true, pass: 300}, again: true},
		{name: "before the contexts", trap: trap{request: insert("contexts")}, again: true},
		{name: "before the quarantine", trap: trap{request: insert("quarantine")}, again: true},
		{name: "quarantine, not acknowledged", trap: trap{request: insert("quarantine"), answer: true, pass: 300}, again: true},
		{name: "before the trail", trap: trap{request: insert("trail")}, again: true},
		{name: "in the trail's insert", trap: trap{request: insert("trail"), pass: 2000}, again: true},
		{name: "trail, not acknowledged", trap: trap{request: insert("trail"), answer: true, pass: 2000}},
		{name: "before the commit", kafka: true},
		{name: "committed, not acknowledged", kafka: true, trap: trap{answer: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.send(2000, 50)
			w.poison(20)
			w.send(2000, 50)
			var killed *process
			trap := c.trap
			ready := make(chan struct{})
			trap.do = func(*link) { <-ready; killed.kill() }
			links := []*proxy{w.link}
			if c.kafka {
				trap.request, trap.match = []byte(w.group), w.commit()
				links = servers.proxies
			}
			caught := make(chan struct{}, len(links))
			for _, p := range links {
				trap := trap
				sprung := p.lay(&trap)
				go func() { <-sprung; caught <- struct{}{} }()
			}
			killed = w.ingest()
			close(ready)
			select {
			case <-caught:
			case <-time.After(time.Minute):
				t.Fatalf("that point was not reached:\n%s", killed.tail(20))
			}
			<-killed.ended
			p := w.ingest()
			w.caughtUp(time.Minute, p)
			w.holds()
			if n := p.says(again); (n > 0) != c.again {
				t.Errorf("%d ranges were done again; that one was begun: %t", n, c.again)
			}
			eventually(t, time.Minute, "it is a member", func() (bool, string) { return p.says(assigned) > 0, p.tail(3) }) // all may have been committed before
			p.stop()
		})
	}
}

// caught starts a process and has the proxy before ClickHouse hold it at a
// point.
func (w *world) caught(at trap) (*process, <-chan *link) {
	w.t.Helper()
	links := make(chan *link, 1)
	at.do = func(l *link) { links <- l }
	w.link.lay(&at)
	return w.ingest(), links
}

// poison writes n records that are no events.
func (w *world) poison(n int) {
	w.t.Helper()
	for range n {
		w.sendPoison(bytes.Repeat([]byte("x"), 40), "not-json")
	}
}

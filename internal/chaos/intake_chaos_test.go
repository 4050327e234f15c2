//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded/freeport"
	"github.com/andmerada/andmerada/internal/event"
)

const intakeToken = "a token of this test alone, which is no secret"

// poster posts events to an intake until each batch is accepted.
type poster struct {
	w       *world
	url     string
	client  *http.Client
	retries atomic.Int64

	mu       sync.Mutex
	accepted map[string]bool // ids of events
}

// TestIntakeBreaks: under posts the intake is killed, the links to the brokers are
// cut, and a broker is killed. Senders repeat what was not accepted. Then each
// event is in the trail once, and what came twice is flagged. Fault 26.
func TestIntakeBreaks(t *testing.T) {
	ports, err := freeport.Take(1)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	w := newWorld(t, options{partitions: 4, more: fmt.Sprintf("intake: { tokens_file: tokens, listen: %q }\n", addr)})
	sum := sha256.Sum256([]byte(intakeToken))
	tokens := fmt.Sprintf("sources:\n- { name: chaos, token_sha256: %s, sources: [/chaos], controllers: [elektrum], expires: %q }\n",
		hex.EncodeToString(sum[:]), time.Now().Add(48*time.Hour).Format(time.DateOnly))
	if err := os.WriteFile(filepath.Join(w.dir, "tokens"), []byte(tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	intake := w.launch("intake", "--config", w.config)
	ingest := w.start()
	p := &poster{w: w, url: "http://" + addr + "/v1/events", client: &http.Client{Timeout: 30 * time.Second}, accepted: make(map[string]bool)}
	ctx, cancel := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for key := range 8 {
		senders.Go(func() { p.run(ctx, key) })
	}
	progress := func(what string) {
		t.Helper()
		before := p.count()
		eventually(t, time.Minute, "events are accepted "+what, func() (bool, string) { return p.count() >= before+200, intake.tail(3) })
	}
	progress("at first")
	for range 5 {
		intake.kill()
		time.Sleep(200 * time.Millisecond)
		intake = w.launch("intake", "--config", w.config)
		progress("by an intake that was killed")
	}
	for range 3 {
		for _, link := range servers.proxies {
			link.down()
		}
		time.Sleep(2 * time.Second)
		for _, link := range servers.proxies {
			link.up()
		}
		progress("over links that were cut")
	}
	for i := range w.cluster.Len() {
		if err := w.cluster.Kill(i); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		if err := w.cluster.Restart(i); err != nil {
			t.Fatal(err)
		}
		w.inSync(i)
		progress("by a cluster of which one was killed")
	}
	cancel()
	senders.Wait()
	w.caughtUp(2*time.Minute, ingest)
	if out, status := w.command("verify"); status != 0 {
		t.Errorf("verify ends with %d:\n%s", status, out)
	}
	p.holds()
	intake.stop()
	ingest.stop()
}

func (p *poster) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.accepted)
}

// run posts batches of one key, each until it is accepted, and ends between two.
func (p *poster) run(ctx context.Context, key int) {
	for sequence := uint64(1); ctx.Err() == nil; {
		var ids []string
		body := bytes.NewBufferString("[")
		for i := range 1 + rand.IntN(20) {
			ev := made(key, sequence, 0)
			sequence++
			_, value, err := event.EncodeStructured(ev)
			if err != nil {
				p.w.t.Error(err)
				return
			}
			if i > 0 {
				body.WriteByte(',')
			}
			body.Write(value)
			ids = append(ids, ev.ID)
		}
		body.WriteByte(']')
		for deadline := time.Now().Add(2 * time.Minute); ; {
			status, answer := p.post(body.Bytes())
			if status == http.StatusAccepted || status == http.StatusOK {
				break
			}
			p.retries.Add(1)
			if status != 0 && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests || time.Now().After(deadline) {
				p.w.t.Errorf("an intake answers %d: %s", status, answer)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		p.mu.Lock()
		for _, id := range ids {
			p.accepted[id] = true
		}
		p.mu.Unlock()
	}
}

// post posts a batch; a status of 0 is no answer.
func (p *poster) post(body []byte) (status int, answer string) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/cloudevents-batch+json")
	req.Header.Set("Authorization", "Bearer "+intakeToken)
	res, err := p.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error() // the end of the answer is lost: as if there were none
	}
	return res.StatusCode, string(text)
}

// holds holds the trail against what was accepted: each event is one row that is
// not flagged, and there is no other.
func (p *poster) holds() {
	t := p.w.t
	t.Helper()
	rows, err := p.w.sql.Query(context.Background(), "SELECT event_id, countIf(NOT duplicate), countIf(duplicate) FROM trail WHERE topic = ? AND cause = '' GROUP BY event_id", p.w.topic)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	faults := faultList{t: t}
	seen, flagged := 0, uint64(0)
	for rows.Next() {
		var id string
		var once, again uint64
		if err := rows.Scan(&id, &once, &again); err != nil {
			t.Fatal(err)
		}
		seen++
		flagged += again
		switch {
		case once != 1:
			faults.add("%s is %d rows that are not flagged", id, once)
		case !p.accepted[id]:
			faults.add("%s was not accepted", id)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if seen != len(p.accepted) {
		t.Errorf("%d events were accepted, %d are in the trail", len(p.accepted), seen)
	}
	if n := p.w.number("SELECT count() FROM quarantine WHERE topic = ?", p.w.topic); n != 0 {
		t.Errorf("%d records are in the quarantine", n)
	}
	if p.retries.Load() == 0 || flagged == 0 {
		t.Errorf("%d batches were sent again, %d rows are flagged: nothing was broken", p.retries.Load(), flagged)
	}
	t.Logf("%d events accepted, %d batches sent again, %d rows flagged as duplicates", len(p.accepted), p.retries.Load(), flagged)
}

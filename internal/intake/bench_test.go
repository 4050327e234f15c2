package intake_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/intake"
)

// BenchmarkPost is the whole way over HTTP to an embedded broker in the same
// process, by so many senders, each of which waits for its answer.
func BenchmarkPost(b *testing.B) {
	for _, c := range []struct{ batch, senders int }{{1, 1}, {1, 64}, {100, 1}, {100, 16}} {
		b.Run(fmt.Sprintf("batch=%d/senders=%d", c.batch, c.senders), func(b *testing.B) {
			w := newWorld(b, func(c *intake.Config) { c.Logger = nil }, nil)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.senders}}
			var posted atomic.Int64
			var mu sync.Mutex
			var took []time.Duration
			var wg sync.WaitGroup
			b.ResetTimer()
			for range c.senders {
				wg.Go(func() {
					var mine []time.Duration
					for {
						n := posted.Add(1)
						if n > int64(b.N) {
							break
						}
						var body strings.Builder
						contentType := structured
						if c.batch > 1 {
							contentType = batched
							body.WriteByte('[')
						}
						for i := range c.batch {
							if i > 0 {
								body.WriteByte(',')
							}
							body.WriteString(sample(fmt.Sprintf("%d-%d", n, i), secretPerson, fmt.Sprint(n*1000+int64(i))))
						}
						if c.batch > 1 {
							body.WriteByte(']')
						}
						req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, w.URL+intake.Path, strings.NewReader(body.String()))
						if err != nil {
							b.Error(err)
							return
						}
						req.Header.Set("Content-Type", contentType)
						req.Header.Set("Authorization", "Bearer "+w.token)
						began := time.Now()
						res, err := client.Do(req)
						if err != nil {
							b.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
						mine = append(mine, time.Since(began))
						if res.StatusCode != http.StatusAccepted {
							b.Error(res.Status)
							return
						}
					}
					mu.Lock()
					took = append(took, mine...)
					mu.Unlock()
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			if len(took) == 0 {
				return
			}
			b.ReportMetric(float64(b.N*c.batch)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			client.CloseIdleConnections()
		})
	}
}

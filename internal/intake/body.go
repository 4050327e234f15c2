package intake

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// budget is how many bytes of bodies may be held at once, by all requests and
// until Kafka has acknowledged them.
type budget struct{ free atomic.Int64 }

// held is what one request holds of the budget.
type held struct {
	of    *budget
	bytes int64
}

// more takes n bytes more, or says that they are not there.
func (h *held) more(n int) bool {
	if h.of.free.Add(-int64(n)) < 0 {
		h.of.free.Add(int64(n))
		return false
	}
	h.bytes += int64(n)
	return true
}

// release gives all back. The bytes must not be used after.
func (h *held) release() {
	h.of.free.Add(h.bytes)
	h.bytes = 0
}

// firstBytes is how much room a body gets before any of it has come; then its
// room doubles as it fills: what a sender announces costs nothing.
const firstBytes = 4 << 10

// read reads the body, unpacked, within its bounds.
func (in *Intake) read(w http.ResponseWriter, r *http.Request, h *held) ([]byte, *Problem) {
	limit := in.limits.Body
	tooLarge := func() *Problem {
		return problem(http.StatusRequestEntityTooLarge, event.CodeTooLarge, fmt.Sprintf("At most %d bytes a request, unpacked: send several.", limit))
	}
	if r.ContentLength > int64(limit) {
		return nil, tooLarge()
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(in.limits.BodyTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, problem(http.StatusBadRequest, CodeTooSlow, "The connection has ended.")
	}
	// The wait for Kafka is not the sender's slowness.
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	var body io.Reader = http.MaxBytesReader(w, r.Body, int64(limit))
	packed := false
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		packed = true
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, in.unread(err, packed, tooLarge)
		}
		body = z
	default:
		return nil, problem(http.StatusUnsupportedMediaType, CodeEncoding, "Send the body as it is, or packed by gzip.")
	}
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			room := min(max(2*cap(buf), firstBytes), limit+1)
			if len(buf) > limit {
				return nil, tooLarge()
			}
			if !h.more(room - cap(buf)) {
				return nil, problem(http.StatusServiceUnavailable, CodeBusy, "Too much is being taken at once, or Kafka is slow to acknowledge. Send it again.").after(retryBusy)
			}
			buf = append(make([]byte, 0, room), buf...)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return nil, tooLarge()
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, in.unread(err, packed, tooLarge)
		}
	}
}

// unread says why a body could not be read.
func (in *Intake) unread(err error, packed bool, tooLarge func() *Problem) *Problem {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, CodeTooSlow, fmt.Sprintf("The body did not come within %s.", in.limits.BodyTime))
	case packed:
		return problem(http.StatusBadRequest, CodeEncoding, "The body is not what gzip makes, or it was cut short.")
	default:
		return problem(http.StatusBadRequest, event.CodeNotJSON, "The body was cut short.")
	}
}

package trail

import (
	"context"
	"sync"
	"time"
)

// lately keeps what stands below every answer, which costs as much as a person's
// own and changes slowly, for a moment. Whoever asks for the same meanwhile waits
// for it.
type lately[K comparable, V any] struct {
	mu    sync.Mutex
	asked map[K]*said[V]
}

type said[V any] struct {
	mu    sync.Mutex
	at    time.Time // zero = not yet
	value V
}

// maxLately is how many questions are told apart before it begins anew.
const maxLately = 1000

// of is what ask says of something, or said less than a time ago. As of a moment
// it is asked each time.
func (l *lately[K, V]) of(ctx context.Context, of K, asOf time.Time, holds time.Duration, ask func(context.Context) (V, error)) (v V, err error) {
	if holds <= 0 || !asOf.IsZero() {
		return ask(ctx)
	}
	l.mu.Lock()
	if l.asked == nil || len(l.asked) >= maxLately {
		l.asked = make(map[K]*said[V])
	}
	s := l.asked[of]
	if s == nil {
		s = new(said[V])
		l.asked[of] = s
	}
	l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if began := time.Now(); began.Sub(s.at) > holds {
		if v, err = ask(ctx); err != nil {
			return v, err
		}
		s.at, s.value = began, v
	}
	return s.value, nil
}

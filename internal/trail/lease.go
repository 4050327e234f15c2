package trail

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Lease is the right to work at a task, such as judging again, which one
// process has at a time.
//
// ClickHouse has no locks. But of several blocks under one deduplication token
// it takes one: a lease's row goes out under a token that names the row before
// it, so that of two processes that both saw the former lease end, one gets the
// next. The clock is ClickHouse's, the same for all.
//
// A lease keeps work from being done twice; that it is not harmful is not its
// doing: whoever judges late finds nothing left to change.
type Lease struct {
	db     *DB
	task   string
	holder uint64
	turn   uint64    // of the last row that is ours
	valid  time.Time // by this process's clock, which starts before ClickHouse is asked
}

// NewLease is a lease of a task that is not held yet.
func (db *DB) NewLease(task string) *Lease { return &Lease{db: db, task: task, holder: rand.Uint64()} }

// Held says whether the lease is held for a while yet.
func (l *Lease) Held(atLeast time.Duration) bool { return time.Now().Add(atLeast).Before(l.valid) }

// Take takes the lease or prolongs it, for d from now, and says whether it has
// it. false means that another process has it.
func (l *Lease) Take(ctx context.Context, d time.Duration) (bool, error) { return l.write(ctx, d) }

// Release gives the lease up, so that another need not wait for its end.
func (l *Lease) Release(ctx context.Context) error {
	if l.valid.IsZero() {
		return nil
	}
	_, err := l.write(ctx, 0)
	l.valid = time.Time{}
	return err
}

func (l *Lease) write(ctx context.Context, d time.Duration) (bool, error) {
	asked := time.Now()
	turn, holder, until, now, err := l.read(ctx)
	if err != nil {
		return false, err
	}
	if holder != l.holder && until.After(now) {
		l.valid = time.Time{}
		return false, nil
	}
	token := fmt.Sprintf("rejudge-lease-after:%s:%d", l.task, turn)
	for range 3 {
		next := max(turn+1, uint64(now.UnixMilli()))
		var end millis
		end.append(now.Add(d))
		task := newLowCard()
		task.Append(l.task)
		if err := l.db.send(ctx, "rejudge_lease", token, []column{
			{"task", task},
			{"turn", &proto.ColUInt64{next}},
			{"holder", &proto.ColUInt64{l.holder}},
			{"until", &end},
		}); err != nil {
			return false, fmt.Errorf("take the lease of a task: %w", err)
		}
		newest, holder, _, _, err := l.read(ctx)
		if err != nil {
			return false, err
		}
		if newest != turn {
			if holder != l.holder {
				l.valid = time.Time{}
				return false, nil
			}
			l.turn, l.valid = newest, asked.Add(d)
			return true, nil
		}
		// Acknowledged and not there: the token was noted by a server that died
		// before it had the row, or the row has grown old and is gone.
		token = fmt.Sprintf("rejudge-lease-after:%s:%d~%d", l.task, turn, rand.Uint64())
	}
	return false, fmt.Errorf("take the lease of a task: %w: the row is not there", ErrUnclear)
}

func (l *Lease) read(ctx context.Context) (turn, holder uint64, until, now time.Time, err error) {
	err = l.db.each(ctx, `SELECT now64(3, 'UTC'), turn, holder, until FROM rejudge_lease WHERE task = {task:String} ORDER BY turn DESC LIMIT 1`, map[string]string{"task": l.task},
		func(scan func(...any) error) error { return scan(&now, &turn, &holder, &until) })
	if err == nil && now.IsZero() {
		now, err = l.db.Now(ctx)
	}
	if err != nil {
		err = fmt.Errorf("read the lease of a task: %w", err)
	}
	return turn, holder, until, now, err
}

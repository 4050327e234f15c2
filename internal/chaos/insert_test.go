package chaos

import (
	"testing"
	"time"
)

// tables are those that a batch of events and poison goes to, with how many
// bytes of an insert are certainly past its text.
var tables = map[string]int{"journal": 300, "contexts": 600, "quarantine": 500, "trail": 2000}

// brokenInserts has the first inserts into each table broken off by the proxy,
// three times in a row, while the process lives.
func brokenInserts(t *testing.T, answer bool) {
	t.Parallel()
	w := newWorld(t, options{})
	w.send(1000, 50)
	w.poison(10)
	w.send(1000, 50)
	var sprung []<-chan struct{}
	for table, pass := range tables {
		times := 3
		if table == "contexts" {
			times = 1 // all events here have one in common
		}
		for nth := range times {
			if !answer {
				pass -= 40 * nth // somewhere else each time
			}
			sprung = append(sprung, w.link.lay(&trap{request: insert(table), nth: nth, pass: pass, answer: answer, do: func(l *link) {
				if answer {
					time.Sleep(300 * time.Millisecond) // ClickHouse has it by then
				}
				l.cut()
			}}))
		}
	}
	p := w.start()
	stop := w.flow(1000, 50)
	eventually(t, time.Minute, "all those inserts are broken off", func() (bool, string) {
		w.poison(1)
		for _, s := range sprung {
			select {
			case <-s:
			default:
				return false, p.tail(5)
			}
		}
		return true, ""
	})
	stop()
	w.caughtUp(time.Minute, p)
	w.holds()
	// What is counted by a projection is what is there.
	if n, rows := w.number("SELECT sum(n) FROM (SELECT toDate(time) AS day, controller, operation, verdict, context, duplicate, cause, count() AS n FROM trail GROUP BY ALL)"),
		w.number("SELECT count(offset) FROM trail SETTINGS optimize_use_projections = 0"); n != rows {
		t.Errorf("the projection counts %d, the table has %d", n, rows)
	}
	if n := p.says(assigned); n != 1 {
		t.Errorf("partitions were assigned %d times: the group was rebalanced", n)
	}
	p.stop()
}

// TestAnswerLost: the insert is in the table, its acknowledgement never comes,
// and trying again adds nothing. Fault 2.
func TestAnswerLost(t *testing.T) { brokenInserts(t, true) }

// TestInsertHalfSent: the connection breaks in the middle of a block: all of it
// is there, or nothing. Fault 3.
func TestInsertHalfSent(t *testing.T) { brokenInserts(t, false) }

// TestReplayedAfterTheQuarter: a range is journaled, and done again when
// another quarter has begun: its rows have the journal's date, in that
// quarter's partition. Fault 5.
func TestReplayedAfterTheQuarter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{settings: map[string]string{"retention.ms": "-1"}})
	const days = 100 * 24 * time.Hour
	w.age = days + time.Hour
	w.send(3000, 50)
	w.age = 0
	killed, reached := w.caught(trap{request: insert("trail")})
	<-reached
	killed.kill()
	// As if it had been begun a hundred days ago.
	w.exec("ALTER TABLE journal UPDATE stored = stored - INTERVAL 100 DAY WHERE 1 SETTINGS mutations_sync = 2")
	p := w.ingest()
	w.caughtUp(time.Minute, p)
	w.holds()
	if n := w.number("SELECT count() FROM trail WHERE stored > now() - INTERVAL 99 DAY"); n != 0 || p.says(again) == 0 {
		t.Errorf("%d rows have a date of their own, not the journal's:\n%s", n, p.tail(10))
	}
	if n := w.number("SELECT uniqExact(partition) FROM system.parts WHERE database = currentDatabase() AND table = 'trail' AND active"); n != 1 {
		t.Errorf("the range is in %d partitions of the table", n)
	}
	w.send(100, 10) // and on, in the present
	w.caughtUp(time.Minute, p)
	w.holds()
	p.stop()
}

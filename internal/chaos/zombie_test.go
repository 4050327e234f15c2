//go:build chaos

package chaos

import (
	"syscall"
	"testing"
	"time"
)

// TestReplayedAfterTheTokensAreForgotten: all rows are there, their
// acknowledgement was lost, the process died, and ClickHouse has forgotten the
// token by the time that another does it again. Fault 5.
func TestReplayedAfterTheTokensAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 2})
	// The schema is there once one has run.
	first := w.start()
	first.stop()
	for table := range tables {
		if table != "contexts" {
			w.exec("ALTER TABLE " + table + " MODIFY SETTING non_replicated_deduplication_window = 1")
		}
	}
	w.send(2000, 50)
	killed, reached := w.caught(trap{request: insert("trail"), answer: true, pass: 2000})
	<-reached
	time.Sleep(2 * time.Second) // the other partition goes on, and its tokens push the first one's out
	killed.kill()
	w.send(1000, 50)
	p := w.ingest()
	w.caughtUp(time.Minute, p)
	w.holds()
	p.stop()
}

// TestZombie: a process is stopped in the middle of an insert, another takes
// its partition over, and then the first goes on. Fault 7.
func TestZombie(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		trap trap
	}{
		{name: "before the journal", trap: trap{request: insert("journal")}},
		{name: "before the trail", trap: trap{request: insert("trail")}},
		{name: "in the trail's insert", trap: trap{request: insert("trail"), pass: 2000}},
		{name: "trail, not acknowledged", trap: trap{request: insert("trail"), answer: true, pass: 2000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			watched := w.watchCommits()
			w.send(5000, 50)
			zombie, caught := w.caught(c.trap)
			held := <-caught
			zombie.signal(syscall.SIGSTOP)
			heir := w.ingest()
			w.caughtUp(time.Minute, heir)
			w.send(1000, 50)
			w.caughtUp(time.Minute, heir)
			held.free()
			zombie.signal(syscall.SIGCONT)
			stop := w.flow(500, 50)
			eventually(t, time.Minute, "the zombie is a member again", func() (bool, string) { return zombie.says(assigned) > 1, zombie.tail(5) })
			time.Sleep(2 * time.Second)
			stop()
			w.caughtUp(time.Minute, heir, zombie)
			w.holds()
			watched()
			heir.stop()
			zombie.stop()
		})
	}
}

// TestInsertComesLate: the rest of an insert hangs on the network while its
// process dies, another writes the range, and ClickHouse forgets the range's
// token. When it arrives at last, ClickHouse takes it no more. Fault 7.
func TestInsertComesLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.start().stop()
	w.exec("ALTER TABLE trail MODIFY SETTING non_replicated_deduplication_window = 1")
	w.send(5000, 50)
	killed, caught := w.caught(trap{request: insert("trail"), pass: 2000})
	held, began := <-caught, time.Now()
	killed.kill()
	heir := w.ingest()
	w.caughtUp(time.Minute, heir)
	w.send(1000, 50)
	w.caughtUp(time.Minute, heir)
	const waits = time.Minute // ClickHouse, for the rest of an insert
	time.Sleep(time.Until(began.Add(waits + 20*time.Second)))
	held.free()
	time.Sleep(3 * time.Second)
	w.send(100, 50)
	w.caughtUp(time.Minute, heir)
	w.holds()
	heir.stop()
}

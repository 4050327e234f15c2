//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// keptUp holds what must hold of a process through an outage of ClickHouse: it
// never left the group, its memory stayed bounded, and afterwards it caught up
// by itself.
func (w *world) keptUp(p *process, limit time.Duration) {
	w.t.Helper()
	w.caughtUp(limit, p)
	w.holds()
	p.withinMemory()
	if n := p.says(assigned); n != 1 {
		w.t.Errorf("partitions were assigned %d times: the group was rebalanced", n)
	}
	if n := p.stalled(); n != 0 {
		w.t.Errorf("it says that %v partitions still stand", n)
	}
	p.stop()
}

// TestClickHouseAway: ClickHouse cannot be reached for more than a minute, under
// load; then its connections accept and say nothing. Fault 4.
func TestClickHouseAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 4})
	p := w.start()
	w.send(20_000, 500)
	stopFlow := w.flow(3000, 500)
	time.Sleep(2 * time.Second)
	w.link.down()
	eventually(t, time.Minute, "the stall is seen", func() (bool, string) { return p.stalled() == 4, p.tail(3) })
	lag := p.metric("andmerada_ingest_lag")
	time.Sleep(60 * time.Second)
	if now := p.metric("andmerada_ingest_lag"); now < lag+10_000 {
		t.Errorf("the lag was %v and is %v after a minute", lag, now)
	}
	w.link.up()
	w.caughtUpTo(2*time.Minute, p)
	w.link.freeze(true)
	time.Sleep(75 * time.Second)
	w.link.freeze(false)
	stopFlow()
	w.keptUp(p, 2*time.Minute)
}

// TestClickHouseSlow: ClickHouse is reached at 1 KB/s, and then at full speed.
// Fault 4.
func TestClickHouseSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 4})
	p := w.start()
	stopFlow := w.flow(1000, 500)
	time.Sleep(2 * time.Second)
	w.link.limit(1000)
	time.Sleep(90 * time.Second)
	w.link.limit(0)
	stopFlow()
	w.keptUp(p, 2*time.Minute)
}

// TestTooManyParts: ClickHouse refuses inserts for having too many parts, until
// it may merge again. Fault 4.
func TestTooManyParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 4})
	p := w.start()
	w.send(100, 50)
	w.caughtUp(time.Minute, p)
	w.exec("SYSTEM STOP MERGES trail")
	w.exec("ALTER TABLE trail MODIFY SETTING parts_to_throw_insert = 8, parts_to_delay_insert = 6")
	stopFlow := w.flow(1000, 500)
	eventually(t, 2*time.Minute, "the stall is seen", func() (bool, string) { return p.stalled() >= 1, p.tail(3) })
	eventually(t, 10*time.Second, "the log says why", func() (bool, string) {
		return p.says("TOO_MANY_PARTS")+p.says("Too many parts") > 0, p.tail(5)
	})
	time.Sleep(20 * time.Second)
	stopFlow()
	w.exec("SYSTEM START MERGES trail")
	w.exec("OPTIMIZE TABLE trail")
	w.exec("ALTER TABLE trail RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
	w.keptUp(p, 2*time.Minute)
}

// mountSmall mounts a file system of so many MB.
func mountSmall(t *testing.T, mb int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("andmerada-chaos", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mb)); err != nil {
		t.Fatalf("mount a small file system, which needs root or CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull: ClickHouse's disk is full under load, and then has room again.
// Fault 4.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := mountSmall(t, 96)
	e := startEngine(t, filepath.Join(dir, "clickhouse"))
	w := newWorld(t, options{partitions: 2, house: &e.house})
	p := w.start()
	w.send(1000, 500)
	w.caughtUp(time.Minute, p)
	// All but a little of the room goes to something else.
	filler := filepath.Join(dir, "filler")
	fill(t, filler, dir, 1<<20)
	stopFlow := w.flow(5000, 500)
	eventually(t, 2*time.Minute, "the stall is seen", func() (bool, string) { return p.stalled() == 2, p.tail(3) })
	time.Sleep(20 * time.Second)
	stopFlow()
	if err := syscall.Unlink(filler); err != nil {
		t.Fatal(err)
	}
	w.keptUp(p, 2*time.Minute)
}

// fill writes a file until so many bytes are left on its disk.
func fill(t *testing.T, file, dir string, left int64) {
	t.Helper()
	fd, err := syscall.Open(file, syscall.O_CREAT|syscall.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(fd, 0, 0, int64(s.Bavail)*s.Bsize-left); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestClickHouseKilled: the server dies by SIGKILL again and again, at random
// moments under load and between a block's token and its part. Faults 2 and 4.
func TestClickHouseKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := startEngine(t, dir)
	w := newWorld(t, options{partitions: 4, house: &e.house})
	p := w.start()
	stopFlow := w.flow(5000, 500)
	for n := range 10 {
		time.Sleep(time.Duration(500+n*150) * time.Millisecond)
		e.kill()
		e = startEngine(t, dir)
		w.link.set(func() { w.link.to = e.Addr })
	}
	stopFlow()
	w.house, w.sql = e.house, w.connect(e.house)
	w.configure()
	w.keptUp(p, 2*time.Minute)
}

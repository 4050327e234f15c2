package trail

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

func forceProjection(name string) ch.Setting {
	return ch.Setting{Key: "force_optimize_projection_name", Value: name, Important: true}
}

// plausibleRow is much like what a utility's systems send: 5,000 persons, 2,000
// employees, and 300 things that its systems do, each for one purpose with a
// recipient and categories of its own; the verdict depends on the person.
func plausibleRow(r *rand.Rand, offset int64) Row {
	process := min(r.IntN(300), r.IntN(300))
	purpose := process % 60
	set := make([]string, 1+purpose%5)
	for i := range set {
		set[i] = categoryNames[(process*3+i)%len(categoryNames)]
	}
	at := time.UnixMilli(1_700_000_000_000 + offset*1500 + r.Int64N(3000)).UTC()
	row := Row{
		EventID: fmt.Sprintf("%08x-%04x-7%03x-%016x", at.UnixMilli()>>16, at.UnixMilli()&0xffff, r.IntN(0x1000), r.Uint64()),
		Source:  names[process%12], Operation: event.Operation(1 + process%10), Time: at, Recorded: at.Add(time.Duration(r.IntN(2000)) * time.Millisecond),
		Controller: names[process%2], Person: persons()[min(r.IntN(5000), r.IntN(5000))], Of: 1,
		Actor: names[(process*7+r.IntN(30))%2000], ActorKind: event.ActorHuman, ActorRole: names[process%20], ActorOrganisation: names[process%3],
		Purpose: names[purpose], Categories: set, Fields: set[:1], Records: uint64(1 + r.IntN(3)), Basis: names[purpose%5],
		BasisReference: "contract-" + strconv.Itoa(r.IntN(5000)), Channel: "", Sequence: uint64(offset),
		BodyHash: person(r.Uint64()), Verdict: register.Outcome(1 + min(r.IntN(20)/18, 2)), Rules: []string{names[purpose]},
		RegisterVersion: names[process%2], Evaluator: 1, JudgedAt: time.UnixMilli(1_700_000_000_000 + offset/50_000*75_000_000), Offset: offset,
	}
	if row.Operation.HandsOver() {
		row.Recipient = names[process%40]
		row.RecipientOrganisation, row.RecipientCode, row.RecipientCountry = row.Recipient+" AS", row.Recipient, "EE"
	}
	return row
}

var (
	categoryNames = func() (s []string) {
		for i := range 40 {
			s = append(s, "category-"+strconv.Itoa(i))
		}
		return s
	}()
	names = func() (s []string) {
		for i := range 2000 {
			s = append(s, "elektrum/name-"+strconv.Itoa(i))
		}
		return s
	}()
	persons = sync.OnceValue(func() (s [][16]byte) {
		for i := range uint64(5000) {
			s = append(s, person(i))
		}
		return s
	})
)

func plausibleRows(n int, first int64) []Row {
	r := rand.New(rand.NewPCG(uint64(first), 3))
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = plausibleRow(r, first+int64(i))
	}
	return rows
}

// cpu is the process's CPU time: the engine runs in it.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend fills a block of 50,000 rows.
func BenchmarkAppend(b *testing.B) {
	rows := plausibleRows(50_000, 0)
	blocks := NewBlocks()
	b.ReportAllocs()
	for b.Loop() {
		blocks.Reset()
		for i := range rows {
			blocks.Trail.Append(&rows[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
}

// BenchmarkInsert writes ranges of 50,000 rows, lets the merges settle, and
// asks for persons.
func BenchmarkInsert(b *testing.B) {
	db := openTest(b, testConfig(b))
	ctx := b.Context()
	blocks := NewBlocks()
	const n = 50_000
	var first int64
	var spent, wall time.Duration
	for range b.N {
		rows := plausibleRows(n, first)
		blocks.Reset()
		for i := range rows {
			blocks.Trail.Append(&rows[i])
		}
		start, began := cpu(), time.Now()
		if err := db.Insert(ctx, testRange(first, first+n-1), storedAt, blocks); err != nil {
			b.Fatal(err)
		}
		spent += cpu() - start
		wall += time.Since(began)
		first += n
	}
	settle(b, db)
	total := float64(b.N * n)
	var bytes, parts uint64
	if err := db.conn().QueryRow(ctx, "SELECT sum(bytes_on_disk), count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'trail'").Scan(&bytes, &parts); err != nil {
		b.Fatal(err)
	}
	var took []float64
	for i := range 40 {
		began := time.Now()
		for _, err := range db.rows(ctx, PersonColumns, "WHERE person = unhex({person:String}) ORDER BY time",
			map[string]string{"person": fmt.Sprintf("%x", persons()[i*100])}, ch.Setting{Key: "max_threads", Value: "1"}, forceProjection("by_person")) {
			if err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	began := time.Now()
	report, err := db.Verify(ctx, "andmerada.events", map[int32]int64{3: first}, nil)
	if err != nil || !report.OK() {
		b.Fatal(report, err)
	}
	b.ReportMetric(float64(time.Since(began).Nanoseconds())/total, "verify-ns/row")
	b.ReportMetric(median(took), "person-ms")
	b.ReportMetric(float64(bytes)/total, "B/row")
	b.ReportMetric(float64(parts), "parts")
	b.ReportMetric(float64(spent.Microseconds())/total, "cpu-us/row")
	b.ReportMetric(total/wall.Seconds(), "rows/s")
}

func settle(b *testing.B, db *DB) {
	for quiet := 0; quiet < 10; {
		var merges uint64
		if err := db.conn().QueryRow(b.Context(), "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			b.Fatal(err)
		}
		if quiet++; merges > 0 {
			quiet = 0
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func median(x []float64) float64 {
	for i := range x {
		for j := range i {
			if x[i] < x[j] {
				x[i], x[j] = x[j], x[i]
			}
		}
	}
	return x[len(x)/2]
}

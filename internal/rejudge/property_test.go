package rejudge

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// TestAnyHistory: whatever comes in whatever order, however it is cut into
// batches and however often a follower starts anew, in the end every event has
// the verdict that all facts together give it, its first verdict stands, and
// looking again writes nothing.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ANDMERADA_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ANDMERADA_TEST_SEED=%d", seed)
	changed := int64(0)
	for n := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, n))
		w := newWorld(t)
		known := 0 // of the facts, those that every process knows: of earlier rounds
		for range 2 {
			stores := map[int32]*facts.Store{} // one process a partition
			for range 60 {
				p := r.Int32N(3)
				if stores[p] == nil {
					stores[p] = facts.New()
					for _, learn := range w.learnt[:known] {
						learn(stores[p])
					}
				}
				persons := []identity.Pseudonym{person(r.IntN(4)), person(4 + r.IntN(4))}[:1+r.IntN(2)]
				at, recorded := day(r.IntN(30)), day(30+r.IntN(3))
				switch r.IntN(10) {
				case 0, 1:
					w.act(p, recorded, trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: at}, stores[p], persons...)
				case 2:
					w.act(p, recorded, trail.Row{Operation: event.Access, Actor: []string{"u1", "u2"}[r.IntN(2)], Time: at}, stores[p], persons...)
				case 3:
					w.act(p, recorded, trail.Row{Operation: event.Transfer, Recipient: "acme/bank", Time: at}, stores[p])
				case 4:
					w.fact(p, recorded, event.Fact{Name: event.IdentityFact, ValidFrom: at}, stores[p], persons...)
				case 5:
					f := event.Fact{Name: "employee", AboutActor: []string{"u1", "u2"}[r.IntN(2)], ValidFrom: at}
					f.Value.Set(event.EmployeeTrained, event.BoolValue(r.IntN(2) == 0))
					w.fact(p, recorded, f, stores[p])
				case 6:
					f := event.Fact{Name: "processor", AboutOrg: "acme/bank", ValidFrom: at}
					f.Value.Set(event.ProcessorStorageCountry, event.TextValue([]string{"EE", "US"}[r.IntN(2)]))
					w.fact(p, recorded, f, stores[p])
				default:
					given, withdrawn := at.AddDate(0, 0, -r.IntN(3)), time.Time{}
					if r.IntN(2) == 0 {
						withdrawn = given.AddDate(0, 0, r.IntN(3))
					}
					w.fact(p, recorded, consent(given, withdrawn, at), stores[p], persons...)
				}
			}
			w.insert()
			known = len(w.learnt)
			f := w.follower()
			// Below what New takes, to be cut more often.
			f.cfg.Limits.Facts, f.cfg.Limits.Events, f.cfg.Limits.Window = 8+r.IntN(20), 5+r.IntN(20), 20+r.Int64N(30)
			if err := f.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			changed += f.Stats().Changed
			w.check()
		}
		w.loseMarks()
		if again := w.once(); again != 0 {
			t.Errorf("%d verdicts were written again", again)
		}
		if t.Failed() {
			break
		}
	}
	if changed < 10 {
		t.Errorf("only %d verdicts have changed", changed)
	}
	t.Logf("%d verdicts have changed", changed)
}

// loseMarks is a crash after all was written and before anything was noted.
func (w *world) loseMarks() {
	w.t.Helper()
	engine := embeddedtest.ClickHouse(w.t)
	user, password := engine.Credentials(embedded.Owner)
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{engine.Addr()}, Auth: clickhouse.Auth{Database: w.database, Username: user, Password: password}})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, table := range []string{"rejudge_position", "rejudge_registers"} {
		if err := conn.Exec(w.t.Context(), "TRUNCATE TABLE "+table); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		w.t.Fatal(err)
	}
}

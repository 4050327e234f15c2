package model

import (
	_ "embed"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Topic and Partition are where all histories are, together: the more inserts,
// the more parts each question has to read.
const (
	Topic     = "andmerada.events"
	Partition = 1
)

var (
	//go:embed register.yaml
	registerYAML string
	//go:embed categories.yaml
	categoriesYAML string
	//go:embed profile.yaml
	profileYAML string
)

// Profile is the text of a profile with every restriction, for the controllers of
// all histories: what the person is told is made by it.
func Profile() []byte { return []byte(profileYAML) }

// Seeds are the first seed of a test, and how many there are: by chance and as
// usual, or as the environment says in MODEL_SEED, to run one again, and
// MODEL_SEEDS. They are in the test's log.
func Seeds(t testing.TB, usual int) (base uint64, n int) {
	t.Helper()
	base, n = rand.Uint64N(1_000_000), usual
	var err error
	if v := os.Getenv("MODEL_SEED"); v != "" {
		if base, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if v := os.Getenv("MODEL_SEEDS"); v != "" {
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seeds %d to %d; MODEL_SEED=%d runs them again", base, base+uint64(n)-1, base)
	return base, n
}

// Batch is some histories that go into one trail.
type Batch struct {
	keys      *identity.Keys
	now       func() time.Time
	blocks    *trail.Blocks
	next      int64
	histories []*History

	mu   sync.Mutex
	seen map[string]int
}

// NewBatch begins with none. now is the clock of those who answer.
func NewBatch(keys *identity.Keys, now func() time.Time) *Batch {
	return &Batch{keys: keys, now: now, blocks: trail.NewBlocks(), seen: make(map[string]int)}
}

func (b *Batch) saw(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[what]++
}

// Seen says how often the checks of all histories came across what they are about.
func (b *Batch) Seen() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.seen)
}

// Never is what must be seen and was not: of that nothing was shown.
func Never(seen map[string]int) (never []string) {
	for _, what := range wanted {
		if seen[what] == 0 {
			never = append(never, what)
		}
	}
	return never
}

// Registers are those of all histories.
func (b *Batch) Registers() (all []*register.Register) {
	for _, h := range b.histories {
		all = append(all, h.registers.All()...)
	}
	return all
}

// begin makes a history without anything in it.
func (b *Batch) begin(t testing.TB, controller string, r *rand.Rand) *History {
	t.Helper()
	h := &History{
		r: r, Controller: controller, keys: b.keys, cohorts: make(map[string][][16]byte), told: make(map[string][]time.Time), batch: b,
		files: map[string]string{
			register.CategoriesFile: categoriesYAML, path.Join(controller, "2024-01-01.yaml"): strings.Replace(registerYAML, "id: acme", "id: "+controller, 1),
		},
	}
	h.load(t)
	b.histories = append(b.histories, h)
	return h
}

// Insert puts all histories into the trail, and then each round of later verdicts.
func (b *Batch) Insert(t testing.TB, db *trail.DB) {
	t.Helper()
	if err := db.Insert(t.Context(), trail.Range{Topic: Topic, Partition: Partition, First: 0, Last: b.next - 1}, Start, b.blocks); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		var again []trail.Again
		for _, h := range b.histories {
			for i := range h.acts {
				a := &h.acts[i]
				if n >= len(a.later) {
					continue
				}
				before := a.JudgedAt
				if n > 0 {
					before = a.later[n-1].JudgedAt
				}
				row := a.later[n]
				row.Topic, row.Stored = Topic, Start
				again = append(again, trail.Again{Row: row, Supersedes: before})
			}
		}
		if len(again) > 0 {
			if err := db.WriteVerdicts(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
	}
}

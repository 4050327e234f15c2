package ingest

import (
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/trail"
)

func TestPoisonIsBoundedBySource(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const size = 256 << 20
	p := newPoison(size)
	p.now = func() time.Time { return now }
	kept := func(source string) (bytes int) {
		for range 3 * size / (1 << 20) {
			if p.keep("not-json", source, 1<<20) {
				bytes += 1 << 20
			}
		}
		return bytes
	}
	if a, b := kept("a"), kept("b"); a != size || b != size {
		t.Errorf("%d bytes of one are kept, %d of another", a, b)
	}
	now = now.Add(8 * time.Second)
	if a := kept("a"); a != 8*size/poisonRefill {
		t.Errorf("%d bytes are kept after 8 s", a)
	}
	reasons, unkept := p.take()
	if reasons["not-json"] != 3*768 || unkept != 3*768-2*256-2 {
		t.Errorf("%v, %d are not kept", reasons, unkept)
	}
	// One that calls itself otherwise each time gains nothing.
	for n := range 1000 {
		p.keep("not-json", string(rune('A'+n)), 1<<20)
	}
	if len(p.sources) > poisonTold+1 {
		t.Errorf("%d sources are told apart", len(p.sources))
	}
	now = now.Add(time.Hour)
	p.take()
	if len(p.sources) != 0 {
		t.Errorf("%d sources are remembered for ever", len(p.sources))
	}
}

// TestRecordsBeyondTheBoundKeepPlaceAndHash: the row is there and says why.
func TestRecordsBeyondTheBoundKeepPlaceAndHash(t *testing.T) {
	t.Parallel()
	b := newBatch()
	b.begin(0, time.Now())
	b.poison = newPoison(1 << 20)
	b.poison.sources["crm"] = &store{bytes: 3, at: time.Now().Add(time.Hour)}
	for offset := range int64(2) {
		b.quarantine(&trail.QuarantineRow{Offset: offset, Reason: "not-json", Source: "crm", Sealed: []byte{1, 2, 3}, Size: 3, BodyHash: [16]byte{1}})
	}
	if b.rows != 2 || b.quarantined["not-json"] != 2 || b.blocks.Quarantine.Rows() != 2 {
		t.Errorf("%d rows", b.rows)
	}
	if _, unkept := b.poison.take(); unkept != 1 {
		t.Errorf("%d are not kept", unkept)
	}
}

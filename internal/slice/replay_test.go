package slice

import (
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/replay"
)

// replays judges all that was stored again, by the facts that were stored: the
// past tells each fact before what it is about happens, so that nothing comes
// out otherwise than it did on its way in.
func (s *slice) replays() {
	s.t.Helper()
	store := facts.New()
	if err := ingest.LearnFacts(store, s.reader.Facts(s.ctx, s.topic)); err != nil {
		s.t.Fatal(err)
	}
	r, err := replay.Try(s.ctx, replay.Question{Trail: s.reader, Facts: store, Current: s.registers, Draft: s.registers, Topic: s.topic})
	if err != nil {
		s.t.Fatal(err)
	}
	var rows uint64
	if err := s.conn.QueryRow(s.ctx, "SELECT count() FROM trail WHERE verdict != 'none' AND cause = ''").Scan(&rows); err != nil {
		s.t.Fatal(err)
	}
	if r.Verdicts != rows || rows < 10_000 || r.Pending != (replay.Pending{}) || r.Changed.Verdicts != 0 || r.Regrounded != 0 {
		s.t.Errorf("of %d verdicts replayed are %+v", rows, r)
	}
}

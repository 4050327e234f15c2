package ingest

import (
	"fmt"

	"github.com/andmerada/andmerada/internal/trail"
)

// places are what the trail says of each offset of a partition.
func (s *schedule) places(partition int32) map[int64][]string {
	held := s.trail.Held(trail.Partition{Topic: "events", Partition: partition})
	places := make(map[int64][]string)
	rows := make(map[int64]int)
	for i := range held.Trail {
		r := &held.Trail[i]
		if rows[r.Offset]++; rows[r.Offset] == 1 {
			places[r.Offset] = append(places[r.Offset], "row")
		}
		if rows[r.Offset] > int(r.Of) {
			places[r.Offset] = append(places[r.Offset], "row again")
		}
	}
	for i := range held.Quarantine {
		places[held.Quarantine[i].Offset] = append(places[held.Quarantine[i].Offset], "quarantine")
	}
	for _, g := range held.Gaps {
		for offset := g.First; offset <= g.Last; offset++ {
			places[offset] = append(places[offset], "gap "+g.Reason)
		}
	}
	return places
}

// commits sees each commit at the moment it is made: all before it must be
// stored, and it must not be behind one before.
func (s *schedule) commits(partition int32, next int64) {
	s.Commits++
	if before := s.highest[partition]; next < before {
		s.t.Errorf("partition %d: the group's offset fell from %d to %d", partition, before, next)
	}
	places := s.places(partition)
	for offset := s.highest[partition]; offset < next; offset++ {
		if len(places[offset]) != 1 {
			s.t.Errorf("partition %d: committed %d, and offset %d is in %v", partition, next, offset, places[offset])
		}
	}
	s.highest[partition] = max(s.highest[partition], next)
}

// oracle looks at every offset that Kafka ever had.
func (s *schedule) oracle() {
	for p, l := range s.kafka.logs {
		partition := int32(p)
		held := s.trail.Held(trail.Partition{Topic: "events", Partition: partition})
		places := s.places(partition)
		rows := make(map[int64][]trail.Row)
		for _, r := range held.Trail {
			rows[r.Offset] = append(rows[r.Offset], r)
		}
		hashes := make(map[int64][16]byte)
		reasons := make(map[int64]string)
		for _, q := range held.Quarantine {
			hashes[q.Offset], reasons[q.Offset] = q.BodyHash, q.Reason
		}
		members := make(map[int64]int)
		for _, m := range held.Members {
			members[m.Offset]++
		}
		fail := func(offset int64, format string, args ...any) {
			s.t.Errorf("partition %d, offset %d: %s", partition, offset, fmt.Sprintf(format, args...))
		}
		for offset := range places {
			if offset < 0 || offset >= l.end {
				fail(offset, "Kafka never had it, the trail has")
			}
		}
		for offset := range l.end {
			var want sent
			is := false
			if p < len(s.sent) {
				want, is = s.sent[p][offset]
			}
			if len(places[offset]) != 1 {
				fail(offset, "it is in %d places: %v", len(places[offset]), places[offset])
				continue
			}
			switch place := places[offset][0]; {
			case place == "gap "+GapDeleted && offset < l.first:
				s.Deleted++
			case !is && (place == "gap "+GapCompacted || place == "gap "+GapTransaction || place == "gap "+GapAborted):
				s.Gaps++
			case is && (want.id == "" || want.refused) && place == "quarantine":
				s.Quarantined++
				if hashes[offset] != want.hash || want.refused != (reasons[offset] == ReasonRejected) {
					fail(offset, "the quarantine has another record")
				}
			case is && want.id != "" && !want.refused && place == "row":
				s.Rows++
				for _, r := range rows[offset] {
					if r.EventID != want.id || r.BodyHash != want.hash || int(r.Of) != len(rows[offset]) || r.Duplicate {
						fail(offset, "the trail has event %q (%d of %d rows, a duplicate: %v), sent was %q", r.EventID, len(rows[offset]), r.Of, r.Duplicate, want.id)
					}
					if r.Operation == trail.OperationCohort && members[offset] != int(r.Records) {
						fail(offset, "%d members are there, the listing says %d", members[offset], r.Records)
					}
				}
			default:
				fail(offset, "it is in %v; a record was sent: %v, poison: %v, the log begins at %d", places[offset], is, is && want.id == "", l.first)
			}
		}
	}
}

package trail

import "github.com/ClickHouse/ch-go/proto"

// journalBlock is rows of the journal.
type journalBlock struct {
	topic                                      *lowCard
	partition, attempt                         proto.ColUInt32
	first, last                                proto.ColUInt64
	trailRows, quarantineRows, members, gapped proto.ColUInt64
	bodyHash                                   proto.ColFixedStr16
	withdrawn                                  proto.ColBool
	writer                                     proto.ColUInt64
	stored, writtenAt                          millis

	columns []column
}

func newJournalBlock() *journalBlock {
	b := &journalBlock{topic: newLowCard()}
	b.columns = []column{
		{"topic", b.topic},
		{"partition", &b.partition},
		{"first", &b.first},
		{"last", &b.last},
		{"attempt", &b.attempt},
		{"stored", &b.stored},
		{"trail_rows", &b.trailRows},
		{"quarantine_rows", &b.quarantineRows},
		{"member_rows", &b.members},
		{"gap_rows", &b.gapped},
		{"body_hash", &b.bodyHash},
		{"withdrawn", &b.withdrawn},
		{"writer", &b.writer},
		{"written_at", &b.writtenAt},
	}
	return b
}

func (b *journalBlock) append(e *JournalEntry) {
	b.topic.Append(e.Topic)
	b.partition.Append(uint32(e.Partition))
	b.first.Append(uint64(e.First))
	b.last.Append(uint64(e.Last))
	b.attempt.Append(e.Attempt)
	b.stored.append(e.Stored)
	b.trailRows.Append(e.TrailRows)
	b.quarantineRows.Append(e.QuarantineRows)
	b.members.Append(e.MemberRows)
	b.gapped.Append(e.GapRows)
	b.bodyHash.Append(e.BodyHash)
	b.withdrawn.Append(e.Withdrawn)
	b.writer.Append(e.writer)
	b.writtenAt.append(e.WrittenAt)
}

func (b *journalBlock) at(i int) JournalEntry {
	return JournalEntry{
		Range:   Range{Topic: b.topic.Row(i), Partition: int32(b.partition[i]), First: int64(b.first[i]), Last: int64(b.last[i])},
		Attempt: b.attempt[i], Stored: b.stored.at(i),
		TrailRows: b.trailRows[i], QuarantineRows: b.quarantineRows[i], MemberRows: b.members[i], GapRows: b.gapped[i],
		BodyHash: b.bodyHash[i], Withdrawn: b.withdrawn[i], WrittenAt: b.writtenAt.at(i), writer: b.writer[i],
	}
}

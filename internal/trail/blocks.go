package trail

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Blocks is all that a range of offsets became. It is filled by one goroutine,
// inserted, Reset and filled again.
type Blocks struct {
	Trail      *Block
	Quarantine *QuarantineBlock
	Members    *MemberBlock
	Gaps       *GapBlock

	Refused int // how many of the quarantine ClickHouse has refused as rows of the trail
}

// NewBlocks is a set of empty blocks.
func NewBlocks() *Blocks {
	return &Blocks{Trail: NewBlock(), Quarantine: NewQuarantineBlock(), Members: NewMemberBlock(), Gaps: NewGapBlock()}
}

// Reset empties all blocks and keeps their memory.
func (b *Blocks) Reset() {
	b.Trail.Reset()
	b.Quarantine.Reset()
	b.Members.Reset()
	b.Gaps.Reset()
	b.Refused = 0
}

// What a row takes in memory beside its texts, in bytes: its columns, and the room
// that they keep to grow.
const (
	rowBytes    = 270
	memberBytes = 80
)

// Bytes is about what the blocks take in memory.
func (b *Blocks) Bytes() int {
	t, q := b.Trail, b.Quarantine
	bytes := (t.Rows()+q.Rows()+b.Gaps.Rows())*rowBytes + b.Members.Rows()*memberBytes + t.context.text
	for _, c := range []*lowCard{t.controller, t.actor, t.fact, t.cause, q.reason, q.source, b.Members.controller, b.Members.cohortID, b.Gaps.reason} {
		bytes += c.text
	}
	for _, c := range []*proto.ColStr{&t.eventID, &t.basisReference, &t.reason, &t.statements, &t.factValue, &q.pointer, &q.detail, &q.sealed} {
		bytes += len(c.Buf)
	}
	return bytes
}

// rows counts the rows for each table.
func (b *Blocks) rows() rowCounts {
	return rowCounts{
		trail:      uint64(b.Trail.Rows()),
		quarantine: uint64(b.Quarantine.Rows()),
		members:    uint64(b.Members.Rows()),
		gaps:       uint64(b.Gaps.Rows()),
	}
}

// stamp fills in what all rows of the range share.
func (b *Blocks) stamp(r Range, stored time.Time) {
	b.Trail.stamp(r, stored)
	b.Quarantine.stamp(r, stored)
	b.Members.stamp(r, stored)
	b.Gaps.stamp(r, stored)
}

// bodyHash tells whether two sets of blocks are the same range's: which offset
// went to which table, how often, and what the bytes there were. Verdicts are
// not in it: a range that is judged again after a crash may be judged by newer
// facts, and whichever of the two came first stands.
func (b *Blocks) bodyHash() [16]byte {
	h := sha256.New()
	buf := make([]byte, 0, 4096)
	hashUints(h, buf, b.Trail.offset)
	hashBytes(h, buf, b.Trail.bodyHash)
	hashUints(h, buf, b.Quarantine.offset)
	hashBytes(h, buf, b.Quarantine.bodyHash)
	hashUints(h, buf, b.Members.offset)
	hashBytes(h, buf, b.Members.person)
	hashUints(h, buf, b.Gaps.first)
	hashUints(h, buf, b.Gaps.last)
	var sum [sha256.Size]byte
	return [16]byte(h.Sum(sum[:0]))
}

func hashUints(h hash.Hash, buf []byte, col proto.ColUInt64) {
	buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(col)))
	for _, v := range col {
		if len(buf)+8 > cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
		buf = binary.LittleEndian.AppendUint64(buf, v)
	}
	h.Write(buf)
}

func hashBytes(h hash.Hash, buf []byte, col proto.ColFixedStr16) {
	buf = buf[:0]
	for i := range col {
		if len(buf)+16 > cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
		buf = append(buf, col[i][:]...)
	}
	h.Write(buf)
}

// QuarantineBlock is rows of the quarantine; see [Block] for its use.
type QuarantineBlock struct {
	topic               *lowCard
	partition           proto.ColUInt32
	offset              proto.ColUInt64
	recorded, stored    millis
	reason              *lowCard
	pointer, detail     proto.ColStr
	source              *lowCard
	eventHash, bodyHash proto.ColFixedStr16
	sealed              proto.ColStr
	size                proto.ColUInt32

	columns []column
}

// NewQuarantineBlock is an empty block.
func NewQuarantineBlock() *QuarantineBlock {
	b := &QuarantineBlock{topic: newLowCard(), reason: newLowCard(), source: newLowCard()}
	b.columns = []column{
		{"topic", b.topic},
		{"partition", &b.partition},
		{"offset", &b.offset},
		{"recorded", &b.recorded},
		{"stored", &b.stored},
		{"reason", b.reason},
		{"pointer", &b.pointer},
		{"detail", &b.detail},
		{"source", b.source},
		{"event_hash", &b.eventHash},
		{"body_hash", &b.bodyHash},
		{"sealed", &b.sealed},
		{"size", &b.size},
	}
	return b
}

// Rows is how many rows the block holds.
func (b *QuarantineBlock) Rows() int { return len(b.offset) }

// Reset empties the block and keeps its memory.
func (b *QuarantineBlock) Reset() { resetColumns(b.columns) }

// Append adds a row.
func (b *QuarantineBlock) Append(r *QuarantineRow) {
	b.offset.Append(uint64(r.Offset))
	b.recorded.append(r.Recorded)
	b.reason.Append(r.Reason)
	b.pointer.Append(r.Pointer)
	b.detail.Append(r.Detail)
	b.source.Append(r.Source)
	b.eventHash.Append(r.EventHash)
	b.bodyHash.Append(r.BodyHash)
	b.sealed.AppendBytes(r.Sealed)
	b.size.Append(r.Size)
}

// row is row i, without where it belongs.
func (b *QuarantineBlock) row(i int) QuarantineRow {
	return QuarantineRow{
		Offset: int64(b.offset[i]), Recorded: b.recorded.at(i), Reason: b.reason.Row(i), Pointer: b.pointer.Row(i), Detail: b.detail.Row(i),
		Source: b.source.Row(i), EventHash: b.eventHash[i], BodyHash: b.bodyHash[i], Sealed: []byte(b.sealed.Row(i)), Size: b.size[i],
	}
}

func (b *QuarantineBlock) stamp(r Range, stored time.Time) {
	b.stored.fill(b.Rows(), stored)
	b.topic.fill(b.Rows(), r.Topic)
	fill(&b.partition, b.Rows(), uint32(r.Partition))
}

// MemberBlock is members of cohorts; see [Block] for its use.
type MemberBlock struct {
	controller, cohortID *lowCard
	person               proto.ColFixedStr16
	part                 proto.ColUInt32
	topic                *lowCard
	partition            proto.ColUInt32
	offset               proto.ColUInt64
	stored               millis

	columns []column
}

// NewMemberBlock is an empty block.
func NewMemberBlock() *MemberBlock {
	b := &MemberBlock{controller: newLowCard(), cohortID: newLowCard(), topic: newLowCard()}
	b.columns = []column{
		{"controller", b.controller},
		{"cohort_id", b.cohortID},
		{"person", &b.person},
		{"part", &b.part},
		{"topic", b.topic},
		{"partition", &b.partition},
		{"offset", &b.offset},
		{"stored", &b.stored},
	}
	return b
}

// Rows is how many rows the block holds.
func (b *MemberBlock) Rows() int { return len(b.offset) }

// Reset empties the block and keeps its memory.
func (b *MemberBlock) Reset() { resetColumns(b.columns) }

// Append adds a member.
func (b *MemberBlock) Append(m *Member) {
	b.controller.Append(m.Controller)
	b.cohortID.Append(m.CohortID)
	b.person.Append(m.Person)
	b.part.Append(m.Part)
	b.offset.Append(uint64(m.Offset))
}

func (b *MemberBlock) row(i int) Member {
	return Member{Controller: b.controller.Row(i), CohortID: b.cohortID.Row(i), Person: b.person[i], Part: b.part[i], Offset: int64(b.offset[i])}
}

func (b *MemberBlock) stamp(r Range, stored time.Time) {
	b.stored.fill(b.Rows(), stored)
	b.topic.fill(b.Rows(), r.Topic)
	fill(&b.partition, b.Rows(), uint32(r.Partition))
}

// GapBlock is recorded gaps; see [Block] for its use.
type GapBlock struct {
	topic       *lowCard
	partition   proto.ColUInt32
	first, last proto.ColUInt64
	reason      *lowCard
	noticed     millis

	columns []column
}

// NewGapBlock is an empty block.
func NewGapBlock() *GapBlock {
	b := &GapBlock{topic: newLowCard(), reason: newLowCard()}
	b.columns = []column{
		{"topic", b.topic},
		{"partition", &b.partition},
		{"first", &b.first},
		{"last", &b.last},
		{"reason", b.reason},
		{"noticed", &b.noticed},
	}
	return b
}

// Rows is how many rows the block holds.
func (b *GapBlock) Rows() int { return len(b.first) }

// Reset empties the block and keeps its memory.
func (b *GapBlock) Reset() { resetColumns(b.columns) }

// Append adds a gap. It must lie within the range that it is inserted with.
func (b *GapBlock) Append(g Gap) {
	b.first.Append(uint64(g.First))
	b.last.Append(uint64(g.Last))
	b.reason.Append(g.Reason)
}

func (b *GapBlock) row(i int) Gap {
	return Gap{First: int64(b.first[i]), Last: int64(b.last[i]), Reason: b.reason.Row(i)}
}

func (b *GapBlock) stamp(r Range, stored time.Time) {
	b.noticed.fill(b.Rows(), stored)
	b.topic.fill(b.Rows(), r.Topic)
	fill(&b.partition, b.Rows(), uint32(r.Partition))
}

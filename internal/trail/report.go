package trail

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Report is what Verify found.
type Report struct {
	Topic      string            `json:"topic"`
	Partitions []PartitionReport `json:"partitions"`
}

// PartitionReport is what Verify found for one partition. Offsets is the sum
// of Trail, Quarantine, Gaps and Missing if nothing is doubled.
type PartitionReport struct {
	Partition  int32 `json:"partition"`
	First      int64 `json:"first"`      // where the count begins
	Committed  int64 `json:"committed"`  // where it ends: the next offset to be read
	Offsets    int64 `json:"offsets"`    // how many there are between
	Trail      int64 `json:"trail"`      // offsets with rows in the trail
	Rows       int64 `json:"rows"`       // rows of these, one for each person
	Quarantine int64 `json:"quarantine"` // offsets in the quarantine
	Gaps       int64 `json:"gaps"`       // offsets that are recorded to hold no event
	Missing    int64 `json:"missing"`    // offsets that are nowhere
	Doubled    int64 `json:"doubled"`    // offsets in two places, or with the same row twice
	Incomplete int64 `json:"incomplete"` // events without all their rows, listings without all their members
	Again      int64 `json:"again"`      // verdicts given later, beside the first: in no other count
	Unfounded  int64 `json:"unfounded"`  // of these, for how many persons of events the first verdict is not there
	NoContext  int64 `json:"no_context"` // offsets whose rows refer to a context that is not there

	// The first twenty of each, exactly.
	MissingRanges     []OffsetRange `json:"missing_ranges,omitempty"`
	DoubledOffsets    []int64       `json:"doubled_offsets,omitempty"`
	IncompleteOffsets []int64       `json:"incomplete_offsets,omitempty"`
	UnfoundedOffsets  []int64       `json:"unfounded_offsets,omitempty"`
	NoContextOffsets  []int64       `json:"no_context_offsets,omitempty"`
}

// OffsetRange is a run of offsets, both ends included.
type OffsetRange struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// String is "7" or "7-9".
func (r OffsetRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// OK says that nothing is missing, doubled or incomplete, that each later
// verdict stands beside a first, and that every row has its context.
func (r Report) OK() bool {
	for i := range r.Partitions {
		if r.Partitions[i].Faults() != 0 {
			return false
		}
	}
	return true
}

// Faults counts what must not be there. An offset with two faults counts twice.
func (p *PartitionReport) Faults() int64 {
	return p.Missing + p.Doubled + p.Incomplete + p.Unfounded + p.NoContext
}

// String is the report as a table for a terminal, with a line for each fault.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "partition\tfrom\tcommitted\toffsets\ttrail\trows\tquarantine\tgaps\tmissing\tdoubled\tincomplete\t")
	var sum PartitionReport
	line := func(name string, from, committed any, p *PartitionReport) {
		fmt.Fprintf(w, "%s\t%v\t%v\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, from, committed,
			p.Offsets, p.Trail, p.Rows, p.Quarantine, p.Gaps, p.Missing, p.Doubled, p.Incomplete)
	}
	for i := range r.Partitions {
		p := &r.Partitions[i]
		line(fmt.Sprint(p.Partition), p.First, p.Committed, p)
		sum.Offsets += p.Offsets
		sum.Trail += p.Trail
		sum.Rows += p.Rows
		sum.Quarantine += p.Quarantine
		sum.Gaps += p.Gaps
		sum.Missing += p.Missing
		sum.Doubled += p.Doubled
		sum.Incomplete += p.Incomplete
		sum.Again += p.Again
	}
	line("all", "", "", &sum)
	w.Flush() // never fails: a strings.Builder takes all
	if sum.Again > 0 {
		fmt.Fprintf(&b, "%d verdicts were given later, beside the first\n", sum.Again)
	}
	for i := range r.Partitions {
		p := &r.Partitions[i]
		faults(&b, p.Partition, "missing", p.MissingRanges)
		faults(&b, p.Partition, "doubled", p.DoubledOffsets)
		faults(&b, p.Partition, "incomplete", p.IncompleteOffsets)
		faults(&b, p.Partition, "judged again without a first verdict", p.UnfoundedOffsets)
		faults(&b, p.Partition, "without their context", p.NoContextOffsets)
	}
	return b.String()
}

func faults[T any](b *strings.Builder, partition int32, what string, where []T) {
	if len(where) == 0 {
		return
	}
	fmt.Fprintf(b, "partition %d: %s", partition, what)
	for i, w := range where {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %v", w)
	}
	if len(where) == examples {
		b.WriteString(" and perhaps more")
	}
	b.WriteByte('\n')
}

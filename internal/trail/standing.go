package trail

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// standing leaves of each event one row, in the order of time: with the verdict given
// last, and the worse of two where it names the person by two identifiers.
func standing(rows []Row) []Row {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(byPlace(&a, &b), cmp.Compare(a.PersonIndex, b.PersonIndex), b.JudgedAt.Compare(a.JudgedAt), strings.Compare(b.Cause, a.Cause))
	})
	rows = slices.CompactFunc(rows, func(a, b Row) bool { return byPlace(&a, &b) == 0 && a.PersonIndex == b.PersonIndex })
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(byPlace(&a, &b), cmp.Compare(b.Verdict, a.Verdict), cmp.Compare(a.PersonIndex, b.PersonIndex))
	})
	rows = slices.CompactFunc(rows, func(a, b Row) bool { return byPlace(&a, &b) == 0 })
	slices.SortStableFunc(rows, func(a, b Row) int { return a.Time.Compare(b.Time) })
	return rows
}

// at is where the row's event is, without its time.
func (r *Row) at() Place { return Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset} }

func byTime(a, b *Row) int { return cmp.Or(a.Time.Compare(b.Time), byPlace(a, b)) }

func byPlace(a, b *Row) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// usesOf sums rows up by all that makes ways of use differ, in the order of time.
func usesOf(rows []Row) (uses []Use) {
	m := newUseMerger()
	var encoded []byte
	for i := range rows {
		r := &rows[i]
		encoded = appendContext(encoded[:0], r)
		u := Use{
			Recipient: r.Recipient, Organisation: r.RecipientOrganisation, Code: r.RecipientCode, Country: r.RecipientCountry,
			Operation: r.Operation.String(), Purpose: r.Purpose, Basis: r.Basis, Verdict: r.Verdict.String(), Cohort: r.Cohort, Duplicate: r.Duplicate,
			RegisterVersion: r.RegisterVersion, DataSource: r.DataSource, CohortID: r.CohortID, CohortSize: r.CohortSize, Count: 1, First: r.Time, Last: r.Time,
		}
		if r.Cause != "" {
			u.Changed = 1
		}
		m.add(u, contextID(string(encoded)), r.Categories, r.Rules, r.Unknown)
	}
	return m.uses
}

// beforePlace leaves the rows of events before a place in the order of time, if
// there is one.
func beforePlace(rows []Row, before *Place) []Row {
	if before == nil {
		return rows
	}
	end := &Row{Time: time.UnixMilli(before.Time.UnixMilli()), Topic: before.Topic, Partition: before.Partition, Offset: before.Offset}
	return slices.DeleteFunc(rows, func(r Row) bool { return byTime(&r, end) >= 0 })
}

// newestOf lists the last n of rows in the order of time, newest first.
func newestOf(rows []Row, n int) []Row {
	n = min(max(n, 1), maxPage)
	newest := slices.Clone(rows)
	slices.SortFunc(newest, func(a, b Row) int { return byTime(&b, &a) })
	return newest[:min(n, len(newest))]
}

// useMerger gathers uses that are alike, in the order in which they are added.
type useMerger struct {
	uses []Use
	at   map[useKey]int
	has  map[useContext]bool
}

// useContext is one of the contexts that a use was summed up from.
type useContext struct {
	use     int
	context ContextID
}

func newUseMerger() *useMerger {
	return &useMerger{at: make(map[useKey]int), has: make(map[useContext]bool)}
}

func (m *useMerger) add(u Use, context ContextID, categories, rules, unknown []string) {
	key := useKey{u.Recipient, u.Organisation, u.Code, u.Country, u.Operation, u.Purpose, u.Basis, u.Verdict, u.Cohort, u.Duplicate, u.RegisterVersion, u.DataSource, u.CohortID}
	n, seen := m.at[key]
	if !seen {
		n = len(m.uses)
		m.at[key] = n
		u.Categories, u.Rules, u.Unknown = make(map[string]uint64), make(map[string]uint64), make(map[string]uint64)
		m.uses = append(m.uses, u)
	} else {
		one := &m.uses[n]
		one.Count += u.Count
		one.Changed += u.Changed
		one.First, one.Last = earlier(one.First, u.First), later(one.Last, u.Last)
		one.CohortSize = max(one.CohortSize, u.CohortSize)
	}
	one := &m.uses[n]
	if from := (useContext{n, context}); !m.has[from] {
		m.has[from] = true
		one.contexts = append(one.contexts, context)
	}
	for counts, list := range map[*map[string]uint64][]string{&one.Categories: categories, &one.Rules: rules, &one.Unknown: unknown} {
		for _, v := range list {
			(*counts)[v] += u.Count
		}
	}
}

package trail

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

// maxSelected is of how many rows a selection is read in one go. A day of an
// employee has some hundreds, of a recipient some thousands.
const maxSelected = 20_000

// Reading answers what one question asks of acts. To find them in the order of
// time, column by column, is nearly all that each part of the answer costs, so
// that a selection is read once, where its rows are few, and counted and listed
// from memory. Of many rows the database is asked each time. It is for one
// goroutine, and for as long as the question lasts.
type Reading struct {
	db    *DB
	most  int
	read  map[string]*selected // by what is asked of rows and contexts
	whole int                  // rows, of all selections
}

// selected are the rows of a selection, one for each event and person, with the
// verdict that stands.
type selected struct {
	rows []Row
	few  bool // rows are all there are
}

// Reading begins one that has read nothing.
func (db *DB) Reading() *Reading {
	return &Reading{db: db, most: maxSelected, read: make(map[string]*selected)}
}

// rows are those of selections, each once, with the verdict that stands; few is
// false where there are too many.
func (r *Reading) rows(ctx context.Context, a *Acts) (all []Row, few bool, err error) {
	seen, among := make(map[Judged]bool), setOf(a.Among)
	for _, one := range a.all() {
		s, err := r.selected(ctx, one)
		if err != nil || !s.few {
			return nil, false, err
		}
		for i := range s.rows {
			row := &s.rows[i]
			at, nobody := row.Judged(), row.Person == [16]byte{}
			if seen[at] || a.About == AboutSomeone && nobody || a.About == AboutNobody && !nobody || a.Among != nil && !among[row.Person] || !one.standsAs(row) {
				continue
			}
			seen[at] = true
			all = append(all, *row)
		}
	}
	return all, true, nil
}

func setOf(persons [][16]byte) map[[16]byte]bool {
	set := make(map[[16]byte]bool, len(persons))
	for _, p := range persons {
		set[p] = true
	}
	return set
}

// standsAs says of a row what verdictConditions says in SQL.
func (a *Acts) standsAs(r *Row) bool {
	return (len(a.Verdicts) == 0 || slices.Contains(a.Verdicts, r.Verdict.String())) &&
		(len(a.Rules) == 0 || slices.ContainsFunc(r.Rules, func(rule string) bool { return slices.Contains(a.Rules, rule) }))
}

// lastJudged leaves of each event and person the verdict given last, in order.
func lastJudged(rows []Row) []Row {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(byPlace(&a, &b), cmp.Compare(a.PersonIndex, b.PersonIndex), cmp.Compare(boolByte(b.Cause != ""), boolByte(a.Cause != "")), b.JudgedAt.Compare(a.JudgedAt), strings.Compare(b.Cause, a.Cause))
	})
	return slices.CompactFunc(rows, func(a, b Row) bool { return byPlace(&a, &b) == 0 && a.PersonIndex == b.PersonIndex })
}

// selected reads a selection, but for whom it is about and how it was judged,
// unless it was read before.
func (r *Reading) selected(ctx context.Context, a Acts) (*selected, error) {
	a.Or, a.About, a.Among, a.Verdicts, a.Rules, a.few = nil, AboutAnyone, nil, nil, nil, 0
	text, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("select events: %w", err)
	}
	if s := r.read[string(text)]; s != nil {
		return s, nil
	}
	params, err := a.params()
	if err != nil {
		return nil, err
	}
	room := r.most - r.whole
	params["most"] = strconv.Itoa(room + 1)
	rows, err := collect(r.db.rows(ctx, PersonColumns, "WHERE "+a.conditions()+" LIMIT {most:UInt32}", params, append(a.settings(), bounded())...))
	if err != nil {
		return nil, err
	}
	s := &selected{few: len(rows) <= room}
	if s.few {
		r.whole += len(rows)
		s.rows = lastJudged(rows)
	}
	r.read[string(text)] = s
	return s, nil
}

// ActsBy counts as [DB.ActsBy] does.
func (r *Reading) ActsBy(ctx context.Context, a Acts, by ...Dimension) (tallies []Tally, complete bool, err error) {
	all, err := r.ActsByEach(ctx, a, by)
	if err != nil {
		return nil, false, err
	}
	return all[0].Tallies, all[0].Complete, nil
}

// ActsByEach counts as [DB.ActsByEach] does.
func (r *Reading) ActsByEach(ctx context.Context, a Acts, lists ...[]Dimension) ([]Tallies, error) {
	rows, few, err := r.rows(ctx, &a)
	if err != nil {
		return nil, err
	}
	if !few {
		return r.db.ActsByEach(ctx, a, lists...)
	}
	all := make([]Tallies, len(lists))
	for i, by := range lists {
		for _, d := range by {
			if textsOf[d] == nil {
				return nil, noDimension(d)
			}
		}
		all[i] = tally(rows, by)
	}
	return all, nil
}

// textsOf says of a row what dimensions says in SQL.
var textsOf = map[Dimension]func(*Row) []string{
	ByActor: func(r *Row) []string { return []string{r.Actor} }, ByRole: func(r *Row) []string { return []string{r.ActorRole} },
	ByOrganisation: func(r *Row) []string { return []string{r.ActorOrganisation} }, BySource: func(r *Row) []string { return []string{r.Source} },
	ByOperation: func(r *Row) []string { return []string{r.Operation.String()} }, ByPurpose: func(r *Row) []string { return []string{r.Purpose} },
	ByRecipient: func(r *Row) []string { return []string{r.Recipient} }, ByEntity: func(r *Row) []string { return []string{cmp.Or(r.RecipientOrganisation, r.RecipientCode)} },
	ByCountry: func(r *Row) []string { return []string{r.RecipientCountry} }, ByCategory: func(r *Row) []string { return r.Categories },
	ByBasis: func(r *Row) []string { return []string{r.Basis} }, ByRule: func(r *Row) []string { return r.Rules },
	ByVerdict: func(r *Row) []string { return []string{r.Verdict.String()} }, ByDay: func(r *Row) []string { return []string{r.Time.UTC().Format(time.DateOnly)} },
	ByHour: func(r *Row) []string { return []string{r.Time.UTC().Format("15")} }, ByVersion: func(r *Row) []string { return []string{r.RegisterVersion} },
	ByDataSource: func(r *Row) []string { return []string{r.DataSource} },
}

// counting is a tally while rows are added to it.
type counting struct {
	Tally
	events  map[Place]bool
	persons map[[16]byte]bool
}

func tally(rows []Row, by []Dimension) Tallies {
	groups := make(map[string]*counting)
	for i := range rows {
		r := &rows[i]
		keys := [][]string{{}}
		for _, d := range by {
			var next [][]string
			for _, key := range keys {
				for _, text := range textsOf[d](r) {
					next = append(next, append(slices.Clone(key), text))
				}
			}
			keys = next
		}
		for _, key := range keys {
			id := strings.Join(key, "\x00")
			c := groups[id]
			if c == nil {
				c = &counting{Tally{Keys: key, First: r.Time, Last: r.Time}, make(map[Place]bool), make(map[[16]byte]bool)}
				groups[id] = c
			}
			c.add(r)
		}
	}
	t := Tallies{Complete: len(groups) <= maxTallies}
	for _, c := range groups {
		c.Events, c.Persons = uint64(len(c.events)), uint64(len(c.persons))
		t.Tallies = append(t.Tallies, c.Tally)
	}
	slices.SortFunc(t.Tallies, func(a, b Tally) int { return cmp.Or(cmp.Compare(b.Events, a.Events), slices.Compare(a.Keys, b.Keys)) })
	t.Tallies = t.Tallies[:min(len(t.Tallies), maxTallies)]
	return t
}

func (c *counting) add(r *Row) {
	if at := r.at(); !c.events[at] { // all rows of an event state its records
		c.events[at] = true
		c.Records += r.Records
		c.AtLeast += max(r.Records, 1)
	}
	if r.Person != ([16]byte{}) {
		c.persons[r.Person] = true
	}
	c.Rows++
	c.First, c.Last = earlier(c.First, r.Time), later(c.Last, r.Time)
	switch r.Verdict {
	case register.Allowed:
		c.Allowed++
	case register.Review:
		c.Review++
	case register.Violation:
		c.Violation++
	}
}

// ActsList lists as [DB.ActsList] does.
func (r *Reading) ActsList(ctx context.Context, a Acts, before *Place, n int) ([]Row, error) {
	rows, few, err := r.rows(ctx, &a)
	if err != nil {
		return nil, err
	}
	if !few {
		return r.db.ActsList(ctx, a, before, n)
	}
	return newestOf(standing(beforePlace(rows, before)), n), nil
}

// ActsExposed tells as [DB.ActsExposed] does.
func (r *Reading) ActsExposed(ctx context.Context, a Acts, f func(*Exposed) error) error {
	rows, few, err := r.rows(ctx, &a)
	if err != nil {
		return err
	}
	if !few {
		return r.db.ActsExposed(ctx, a, f)
	}
	rows = slices.DeleteFunc(rows, func(row Row) bool { return row.Person == [16]byte{} })
	slices.SortStableFunc(rows, func(a, b Row) int { return bytes.Compare(a.Person[:], b.Person[:]) })
	contexts := make(map[string]*Context)
	var encoded []byte
	for len(rows) > 0 {
		one := rows[:1]
		for len(one) < len(rows) && rows[len(one)].Person == rows[0].Person {
			one = rows[:len(one)+1]
		}
		rows = rows[len(one):]
		e := Exposed{Person: one[0].Person, First: one[0].Time, Last: one[0].Time}
		events := make(map[Place]bool)
		has := make(map[*Context]bool)
		for i := range one {
			row := &one[i]
			e.First, e.Last = earlier(e.First, row.Time), later(e.Last, row.Time)
			events[row.at()] = true
			encoded = appendContext(encoded[:0], row)
			c := contexts[string(encoded)]
			if c == nil {
				if c, err = parseContext(string(encoded)); err != nil {
					return fmt.Errorf("list whom events are about: %w", err)
				}
				contexts[string(encoded)] = c
			}
			if !has[c] {
				has[c] = true
				e.Contexts = append(e.Contexts, c)
			}
		}
		e.Events = uint64(len(events))
		if err := f(&e); err != nil {
			return err
		}
	}
	return nil
}

// ActsOfSome counts as [DB.ActsOfSome] does.
func (r *Reading) ActsOfSome(ctx context.Context, a Acts, pseudonyms, ones [][16]byte, f func(one [16]byte, events uint64)) error {
	if len(pseudonyms) == 0 {
		return nil
	}
	a.Among = pseudonyms
	rows, few, err := r.rows(ctx, &a)
	if err != nil {
		return err
	}
	if !few {
		return r.db.ActsOfSome(ctx, a, pseudonyms, ones, f)
	}
	is := make(map[[16]byte][16]byte, len(ones))
	for i, p := range pseudonyms {
		is[p] = ones[i]
	}
	events := make(map[[16]byte]map[Place]bool)
	for i := range rows {
		one := is[rows[i].Person]
		if events[one] == nil {
			events[one] = make(map[Place]bool)
		}
		events[one][rows[i].at()] = true
	}
	for _, one := range slices.SortedFunc(maps.Keys(events), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }) {
		f(one, uint64(len(events[one])))
	}
	return nil
}

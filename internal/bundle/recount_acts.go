package bundle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// tally counts rows of events.
type tally struct {
	events  map[answer.Place]bool
	records uint64
	first   time.Time
	last    time.Time
	by      map[string]uint64 // rows, by verdict
}

func tallyOf(rows []*trail.Row) *tally {
	t := &tally{events: make(map[answer.Place]bool), by: make(map[string]uint64)}
	for _, row := range rows {
		place := answer.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}
		if !t.events[place] { // each row of an event says the same
			t.records += row.Records
		}
		t.events[place] = true
		if t.first.IsZero() || row.Time.Before(t.first) {
			t.first = row.Time
		}
		if row.Time.After(t.last) {
			t.last = row.Time
		}
		t.by[row.Verdict.String()]++
	}
	return t
}

func (t *tally) String() string {
	return fmt.Sprint(len(t.events), " events, ", t.records, " records, ", t.first.UTC().Format(time.RFC3339Nano), " to ", t.last.UTC().Format(time.RFC3339Nano),
		"; allowed ", t.by["allowed"], ", review ", t.by["review"], ", violation ", t.by["violation"])
}

func totalText(t *answer.Total) string {
	return fmt.Sprint(t.Events, " events, ", t.Records, " records, ", t.First.UTC().Format(time.RFC3339Nano), " to ", t.Last.UTC().Format(time.RFC3339Nano),
		"; allowed ", t.Verdicts.Allowed, ", review ", t.Verdicts.Review, ", violation ", t.Verdicts.Violation)
}

// keysOf are the values by which a row counts in a dimension.
func keysOf(by string, row *trail.Row) []string {
	switch by {
	case "actor":
		return []string{row.Actor}
	case "role":
		return []string{row.ActorRole}
	case "organisation":
		return []string{row.ActorOrganisation}
	case "system", "source":
		return []string{row.Source}
	case "operation":
		return []string{row.Operation.String()}
	case "purpose":
		return []string{row.Purpose}
	case "recipient":
		return []string{row.Recipient}
	case "entity":
		return []string{cmp.Or(row.RecipientOrganisation, row.RecipientCode)}
	case "country":
		return []string{row.RecipientCountry}
	case "category":
		return row.Categories
	case "basis":
		return []string{row.Basis}
	case "rule":
		return row.Rules
	case "verdict":
		return []string{row.Verdict.String()}
	case "day":
		return []string{row.Time.UTC().Format(time.DateOnly)}
	case "hour":
		return []string{row.Time.UTC().Format("15")}
	case "data-source":
		return []string{row.DataSource}
	case "register":
		return []string{row.RegisterVersion}
	}
	return nil
}

// shares counts the rows by dimensions again and holds them against those of the
// answer.
func (c *checking) shares(what string, rows []*trail.Row, by []string, said []answer.Share) {
	groups := make(map[string][]*trail.Row)
	for _, row := range rows {
		keys := []string{""}
		for _, d := range by {
			var next []string
			for _, value := range keysOf(d, row) {
				for _, k := range keys {
					next = append(next, k+"\x00"+value)
				}
			}
			keys = next
		}
		for _, k := range keys {
			groups[k] = append(groups[k], row)
		}
	}
	c.agree(what, len(said), len(groups))
	for i := range said {
		key := ""
		var shown []string
		for _, k := range said[i].Keys {
			key += "\x00" + k.ID
			shown = append(shown, k.ID)
		}
		c.agree(what+": "+strings.Join(shown, ", "), totalText(&said[i].Total), tallyOf(groups[key]))
	}
}

func (c *checking) recountAccess() {
	a, ok := answerAs[answer.AccessAnswer](c)
	if !ok {
		return
	}
	rows := c.rows()
	c.agree("events and verdicts", totalText(&a.Total), tallyOf(rows))
	if a.Complete {
		c.shares("events by "+strings.Join(a.By, ", "), rows, a.By, a.Shares)
	} else {
		c.note("The answer itself says that there are more shares than it lists: these were not counted again.")
	}
	c.listed(a.Timeline.Events)
}

func (c *checking) recountRecipient() {
	a, ok := answerAs[answer.RecipientAnswer](c)
	if !ok {
		return
	}
	rows := c.rows()
	c.agree("events and verdicts", totalText(&a.Total), tallyOf(rows))
	c.shares("events by purpose", rows, []string{"purpose"}, a.Purposes)
	c.shares("events by category", rows, []string{"category"}, a.Categories)
	c.shares("events by basis", rows, []string{"basis"}, a.Grounds)
	days := make(map[string]map[answer.Place]bool)
	for _, row := range rows {
		day := row.Time.UTC().Format(time.DateOnly)
		if days[day] == nil {
			days[day] = make(map[answer.Place]bool)
		}
		days[day][answer.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}] = true
	}
	c.agree("days", len(a.Days), len(days))
	for _, d := range a.Days {
		c.agree("days: "+d.Day, d.Events, len(days[d.Day]))
	}
	if persons, ok := c.persons([][]*trail.Row{rows}, nil); ok {
		c.agree("persons", a.Persons, len(persons.found))
	}
}

func (c *checking) recountBreach() {
	a, ok := answerAs[answer.BreachAnswer](c)
	if !ok {
		return
	}
	question := c.Manifest.Question.Breach
	if question == nil {
		c.problem(manifestFile, "the question is not that of a breach")
		return
	}
	windows := make([][]*trail.Row, len(question.Windows))
	sets := make([]string, len(question.Windows))
	for i := range question.Windows {
		sets[i] = question.Windows[i].Set
	}
	in := make(map[Place][]int)
	for i := range c.events {
		in[c.events[i].Place] = c.events[i].Windows
	}
	var touched []*trail.Row
	for _, row := range c.rows() {
		counted := false
		for _, w := range in[placeOf(row)] {
			if w < 0 || w >= len(windows) {
				c.problem(eventsFile, "the event at %s/%d/%d is in a window that was not asked for", row.Topic, row.Partition, row.Offset)
				return
			}
			windows[w] = append(windows[w], row)
			if (w == 0 || sets[w] != "difference") && !counted {
				counted = true
				touched = append(touched, row)
			}
		}
	}
	persons, ok := c.persons(windows, sets)
	if ok {
		c.agree("persons", a.Persons, len(persons.found))
	}
	some := len(sets) > 1 && slices.ContainsFunc(sets[1:], func(set string) bool { return set == "intersection" || set == "difference" })
	if !some || ok {
		touched = slices.DeleteFunc(touched, func(row *trail.Row) bool {
			return identity.Pseudonym(row.Person).IsZero() || some && !persons.found[persons.one(row)]
		})
		c.agree("events and verdicts", totalText(&a.Total), tallyOf(touched))
	} else {
		c.note("The events of those persons alone were not counted again, for the same reason.")
	}
	if len(a.Steps) > 0 {
		c.note("Where the data went next was not counted again: those events are not in the bundle.")
	}
}

// counted are the persons of some windows.
type counted struct {
	found map[identity.Pseudonym]bool
	store *facts.Store
}

// one stands for the person of a row: of the linked pseudonyms the least.
func (c *counted) one(row *trail.Row) identity.Pseudonym {
	least := identity.Pseudonym(row.Person)
	for _, other := range c.store.Linked(row.Controller, least) {
		if slices.Compare(other[:], least[:]) < 0 {
			least = other
		}
	}
	return least
}

// persons counts the persons of windows, put together as sets says: pseudonyms
// that identity facts link are one. It cannot where a cohort is among them.
func (c *checking) persons(windows [][]*trail.Row, sets []string) (all *counted, ok bool) {
	store, err := c.store()
	if err != nil {
		return nil, false // judge says so
	}
	all = &counted{make(map[identity.Pseudonym]bool), store}
	cohorts := make(map[string]bool)
	for w, rows := range windows {
		these := make(map[identity.Pseudonym]bool)
		for _, row := range rows {
			switch {
			case identity.Pseudonym(row.Person).IsZero():
			case row.Cohort:
				cohorts[row.CohortID] = true
			default:
				these[all.one(row)] = true
			}
		}
		switch {
		case w == 0 || sets[w] == "" || sets[w] == "union":
			maps.Copy(all.found, these)
		case sets[w] == "intersection":
			maps.DeleteFunc(all.found, func(p identity.Pseudonym, _ bool) bool { return !these[p] })
		case sets[w] == "difference":
			maps.DeleteFunc(all.found, func(p identity.Pseudonym, _ bool) bool { return these[p] })
		}
	}
	if len(cohorts) > 0 {
		c.note("How many persons there are was not counted again: the members of %d cohorts are not in the bundle.", len(cohorts))
		return nil, false
	}
	return all, true
}

package bundle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// recount counts again, from the events, what the answer counts.
func (c *checking) recount() {
	switch c.Manifest.Kind {
	case "recipients":
		c.recountRecipients()
	case "timeline":
		c.recountTimeline()
	case "told":
		c.recountTold()
	case "access":
		c.recountAccess()
	case "recipient":
		c.recountRecipient()
	case "breach":
		c.recountBreach()
	default:
		c.problem(manifestFile, "there is no question %q", c.Manifest.Kind)
	}
}

func answerAs[T any](c *checking) (a *T, ok bool) {
	a = new(T)
	if err := json.Unmarshal(c.files[answerFile], a); err != nil {
		c.problem(answerFile, "it cannot be read: %v", err)
		return nil, false
	}
	return a, true
}

// agree says where the answer and the events differ.
func (c *checking) agree(what string, said, are any) {
	if a, b := fmt.Sprint(said), fmt.Sprint(are); a != b {
		c.problem(answerFile, "%s: the answer says %s, the events say %s", what, a, b)
		return
	}
	if what, _, _ := strings.Cut(what, ":"); !slices.Contains(c.Recounted, what) {
		c.Recounted = append(c.Recounted, what)
	}
}

// rows are the events with the verdicts that stand, by time.
func (c *checking) rows() (rows []*trail.Row) {
	for i := range c.events {
		row, err := c.events[i].row(c.stands[c.events[i].Place])
		if err != nil {
			c.problem(eventsFile, "%v", err)
			continue
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, compareRows)
	return rows
}

func compareRows(a, b *trail.Row) int {
	return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// once leaves of each event the row with the worst verdict: a person may be named
// twice.
func once(rows []*trail.Row) (all []*trail.Row) {
	for _, row := range rows {
		last := len(all) - 1
		if last < 0 || compareRows(all[last], row) != 0 {
			all = append(all, row)
		} else if row.Verdict > all[last].Verdict {
			all[last] = row
		}
	}
	return all
}

// usesOf makes ways of use of events, one each.
func usesOf(rows []*trail.Row, only func(*trail.Row) bool) (uses []trail.Use) {
	one := func(list []string) map[string]uint64 {
		counts := make(map[string]uint64, len(list))
		for _, id := range list {
			counts[id]++
		}
		return counts
	}
	for _, row := range rows {
		if !only(row) {
			continue
		}
		u := trail.Use{
			Recipient: row.Recipient, Organisation: row.RecipientOrganisation, Code: row.RecipientCode, Country: row.RecipientCountry,
			Operation: row.Operation.String(), Purpose: row.Purpose, Basis: row.Basis, Verdict: row.Verdict.String(), Cohort: row.Cohort, Duplicate: row.Duplicate, DataSource: row.DataSource, CohortID: row.CohortID, CohortSize: row.CohortSize,
			RegisterVersion: row.RegisterVersion, Count: 1, First: row.Time, Last: row.Time, Categories: one(row.Categories), Rules: one(row.Rules), Unknown: one(row.Unknown),
		}
		if row.Cause != "" {
			u.Changed = 1
		}
		uses = append(uses, u)
	}
	return uses
}

func (c *checking) recountRecipients() {
	a, ok := answerAs[answer.RecipientsAnswer](c)
	if !ok {
		return
	}
	again := answer.Recount(c.registers, usesOf(once(c.rows()), func(*trail.Row) bool { return true }))
	if !a.Complete {
		c.note("The answer itself says that it does not sum up everything: it was not counted again.")
		return
	}
	c.agree("events", a.Events, again.Events)
	c.agree("events that arrived twice", a.Duplicates, again.Duplicates)
	c.agree("events that were judged again", a.Changed, again.Changed)
	c.agree("verdicts", a.Verdicts, again.Verdicts)
	c.compareRecipients(a.Recipients, again.Recipients)
	c.agree("use by the controller itself", sumText(a.Internal), sumText(again.Internal))
	c.agree("what went to the person", sumText(a.ToPerson), sumText(again.ToPerson))
	c.agree("decisions", decisionsText(a.Decisions), decisionsText(again.Decisions))
	c.agree("where the data came from", sourcesText(a.Sources), sourcesText(again.Sources))
	c.agree("groups that the person was in", cohortsText(a.Cohorts), cohortsText(again.Cohorts))
	c.listed(a.Timeline.Events)
}

func decisionsText(list []answer.Decision) (all []string) {
	for i := range list {
		d := &list[i]
		all = append(all, fmt.Sprint(d.Operation, " for ", d.ID, ": ", d.Count, " ", d.Verdicts))
	}
	return all
}

// sourcesText leaves out those that are only declared.
func sourcesText(list []answer.SourceUse) (all []string) {
	for i := range list {
		if s := &list[i]; s.Count > 0 {
			all = append(all, fmt.Sprint(s.ID, ": ", s.Count))
		}
	}
	return all
}

func cohortsText(list []answer.CohortUse) (all []string) {
	for i := range list {
		all = append(all, fmt.Sprint(list[i].ID, ": ", list[i].Count))
	}
	return all
}

// compareRecipients holds the recipients against those counted again. What they
// are called is not compared where a register is missing.
func (c *checking) compareRecipients(said, are []answer.Recipient) {
	text := func(list []answer.Recipient) []string {
		var all []string
		for i := range list {
			r := &list[i]
			name := cmp.Or(r.ID, r.Code, r.Name)
			if len(c.Manifest.Missing) > 0 {
				name = ""
			}
			all = append(all, name+" "+sumText(&r.Summary))
		}
		slices.Sort(all)
		return all
	}
	one, two := text(said), text(are)
	c.agree("recipients", len(one), len(two))
	for i := range one {
		if i < len(two) {
			c.agree("recipients: one of them", one[i], two[i])
		}
	}
}

func sumText(s *answer.Summary) string {
	if s == nil {
		return "none"
	}
	categories := make(map[string]uint64)
	for _, x := range s.Categories {
		categories[x.ID] = x.Count
	}
	purposes := make(map[string]uint64)
	for i := range s.Purposes {
		purposes[s.Purposes[i].ID] = s.Purposes[i].Count
	}
	return fmt.Sprint(s.Count, " from ", s.First.UTC().Format(time.RFC3339Nano), " to ", s.Last.UTC().Format(time.RFC3339Nano), " ", s.Verdicts, categories, purposes)
}

// listed holds events of the answer's list against the events.
func (c *checking) listed(entries []answer.Entry) {
	at := make(map[answer.Place]*trail.Row)
	for _, row := range once(c.rows()) {
		at[answer.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}] = row
	}
	for i := range entries {
		e := &entries[i]
		row := at[e.Place]
		if row == nil {
			c.problem(answerFile, "the event at %s is in its list and not among the events", e.Path())
			continue
		}
		const form = "%s at %s, %s for %s: %s, twice: %v"
		c.agree("events that are listed", fmt.Sprintf(form, e.Path(), e.Time.UTC(), e.Operation, e.Purpose.ID, e.Verdict, e.Duplicate),
			fmt.Sprintf(form, e.Path(), row.Time.UTC(), row.Operation, row.Purpose, row.Verdict, row.Duplicate))
	}
}

func (c *checking) recountTimeline() {
	a, ok := answerAs[answer.TimelineAnswer](c)
	if !ok {
		return
	}
	c.listed(a.Events)
	if c.Manifest.Question.Timeline != nil && c.Manifest.Question.Timeline.Cursor == "" {
		rows := once(c.rows())
		slices.Reverse(rows)
		for i := range a.Events {
			if i < len(rows) {
				c.agree("the newest events", a.Events[i].Path(), fmt.Sprintf("%s/%d/%d", rows[i].Topic, rows[i].Partition, rows[i].Offset))
			}
		}
		if a.Next == "" {
			c.agree("events", len(a.Events), len(rows))
		}
	}
}

func (c *checking) recountTold() {
	a, ok := answerAs[answer.ToldAnswer](c)
	if !ok {
		return
	}
	rows := once(c.rows())
	there := make(map[string]bool)
	for _, row := range rows {
		there[fmt.Sprintf("%s/%d/%d", row.Topic, row.Partition, row.Offset)] = true
	}
	again := answer.Recount(c.registers, usesOf(rows, func(row *trail.Row) bool {
		return row.Operation.HandsOver() && row.Recipient != event.DataSubject && !row.Duplicate
	}))
	received := make(map[string]uint64)
	for i := range again.Recipients {
		r := &again.Recipients[i] // of a class there may be several
		received[r.ID+" "+r.Code] += r.Count
	}
	said := make(map[string]uint64)
	for i := range a.Tasks {
		t := &a.Tasks[i]
		said[t.ID+" "+t.Code] += t.Received
		for _, place := range []*answer.Place{t.ToldBy, t.AnsweredBy} {
			if place != nil && !there[place.Path()] {
				c.problem(answerFile, "the notice or answer at %s is not among the events", place.Path())
			}
		}
	}
	c.agree("recipients who are to be told, and how often they received data", len(said), len(received))
	for _, id := range slices.Sorted(maps.Keys(said)) {
		c.agree("recipients who are to be told, and how often they received data: "+id, said[id], received[id])
	}
}

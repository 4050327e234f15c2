package answer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/trail"
)

// RecipientRequest asks what one recipient received, and may hold the
// recipient's own receipts against it.
type RecipientRequest struct {
	Controller string    `json:"controller" minLength:"1" maxLength:"200" example:"elektrum"`
	Recipient  string    `json:"recipient,omitempty" maxLength:"200" example:"elektrum/creditinfo-eesti" doc:"Id of the register."`
	Entity     string    `json:"entity,omitempty" maxLength:"500" doc:"Instead: registration code or name, as the events say."`
	From       string    `json:"from,omitempty" maxLength:"40" example:"2026-01-01" doc:"First day of the controller's calendar, or an RFC 3339 time. Left out: from the beginning."`
	To         string    `json:"to,omitempty" maxLength:"40" example:"2026-01-31" doc:"Last day, included, or an RFC 3339 time, not included. Left out: until now."`
	Limit      int       `json:"limit,omitempty" minimum:"0" maximum:"10000" doc:"How many persons to list; none if left out."`
	Cursor     string    `json:"cursor,omitempty" maxLength:"100" doc:"Where the page of persons before ended (its field next)."`
	Receipts   []Receipt `json:"receipts,omitempty" maxItems:"200000" doc:"What the recipient says it received: by event, or counted by day."`
}

// Receipt is what a recipient says it received: one event by its id, or how many
// there were on a day.
type Receipt struct {
	ID      string  `json:"id,omitempty" maxLength:"500" doc:"Id of the event, as its source gave it."`
	Records *uint64 `json:"records,omitempty" doc:"Beside the id: how many records came with it."`
	Day     string  `json:"day,omitempty" maxLength:"10" example:"2026-01-02" doc:"Day of the controller's calendar, for a count."`
	Count   *uint64 `json:"count,omitempty" doc:"How many events were received on that day."`
}

// RecipientAnswer says what one recipient received, of whom, and whether it was
// as declared.
type RecipientAnswer struct {
	Controller Controller `json:"controller"`
	Recipient  Named      `json:"recipient"`
	Declared   bool       `json:"declared" doc:"The register in force names this recipient."`
	Kind       string     `json:"kind,omitempty" doc:"Kind in the register."`
	Country    string     `json:"country,omitempty" doc:"Country in the register."`
	Clauses    []string   `json:"clauses"`
	Period     Period     `json:"period"`
	AskedAt    time.Time  `json:"asked_at"`

	Persons  int              `json:"persons" doc:"Whose data was received, exactly: members of cohorts are counted, and a person known by several identifiers is one."`
	Cohorts  int              `json:"cohorts"`
	Affected []AffectedPerson `json:"affected,omitempty" doc:"A page of these persons, in order of their pseudonyms, as many as limit says."`
	Next     string           `json:"next,omitempty" doc:"Cursor of the next page of persons; left out on the last."`
	Total
	Cut        bool        `json:"cut" doc:"True: of one of the lists below there is more than can be listed. Those with most events are there."`
	Days       []DayVolume `json:"days" doc:"By day of UTC."`
	Purposes   []Share     `json:"purposes"`
	Categories []Share     `json:"categories"`
	Grounds    []Share     `json:"grounds" doc:"Legal bases as the events state them."`
	Rules      []RuleUse   `json:"rules" doc:"What was not allowed or needs a review, by the rule that decided: a transfer without its contract or its ground is among them."`

	Reconciled   *Reconciliation `json:"reconciled,omitempty" doc:"What the recipient says it received, against what was sent."`
	Completeness Completeness    `json:"completeness"`
}

// DayVolume is what was received on a day.
type DayVolume struct {
	Day        string `json:"day"`
	Events     uint64 `json:"events"`
	Records    uint64 `json:"records"`
	Pseudonyms uint64 `json:"pseudonyms"`
}

// Reconciliation holds a recipient's receipts against the trail.
type Reconciliation struct {
	Receipts          int           `json:"receipts"`
	Matched           int           `json:"matched" doc:"Events that were sent and received."`
	SentNotReceived   []EventID     `json:"sent_not_received" doc:"At most 1000; the count is exact."`
	SentNotReceivedN  int           `json:"sent_not_received_count"`
	ReceivedNotSent   []EventID     `json:"received_not_sent" doc:"At most 1000; the count is exact. Who received what nobody says was sent: look for a system that does not tell."`
	ReceivedNotSentN  int           `json:"received_not_sent_count"`
	ReceivedTwice     []EventID     `json:"received_twice" doc:"Receipts that name the same event again; at most 1000, the count is exact."`
	ReceivedTwiceN    int           `json:"received_twice_count"`
	RecordsDiffer     []RecordsDiff `json:"records_that_differ" doc:"Events that were sent and received, with other numbers of records; at most 1000, the count is exact."`
	RecordsDifferN    int           `json:"records_that_differ_count"`
	DaysThatDiffer    []DayDiff     `json:"days_that_differ"`
	DaysThatAgree     int           `json:"days_that_agree"`
	ComparedByEvent   bool          `json:"compared_by_event"`
	ComparedByDayOnly bool          `json:"compared_by_day_only" doc:"The receipts have counts and no ids: what was lost and what was added on one day cannot be told apart."`
}

// EventID is an event by its source's name for it.
type EventID struct {
	Source string    `json:"source,omitempty"`
	ID     string    `json:"id"`
	Time   time.Time `json:"time,omitzero"`
}

// RecordsDiff is an event with which other numbers of records were sent and
// received.
type RecordsDiff struct {
	EventID
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
}

// DayDiff is a day on which the counts differ.
type DayDiff struct {
	Day      string `json:"day"`
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
}

// handedOver are the operations that give data to a recipient.
var handedOver = []string{"transfer", "disclose", "send"}

// maxReconciled bounds each list of a reconciliation.
const maxReconciled = 1000

// RecipientOf answers what one recipient received.
func RecipientOf(ctx context.Context, d Deps, req RecipientRequest) (*RecipientAnswer, error) {
	acts := ActsRequest{Controller: req.Controller, From: req.From, To: req.To, Operations: handedOver}
	switch {
	case req.Recipient != "":
		acts.Recipients = []string{req.Recipient}
	case req.Entity != "":
		acts.Entities = []string{req.Entity}
	default:
		return nil, &Fault{"/recipient", "no recipient is named", "write its id of the register in recipient, or its code or name in entity"}
	}
	s, err := d.selection(ctx, &acts)
	if err != nil {
		return nil, err
	}
	a := &RecipientAnswer{
		Controller: s.controller(), Recipient: Named{cmp.Or(req.Recipient, req.Entity), cmp.Or(req.Entity, s.recipientName(req.Recipient))},
		Clauses: []string{}, Period: s.period, AskedAt: d.now(), Days: []DayVolume{}, Rules: []RuleUse{},
	}
	if e, ok := s.register.Recipient(req.Recipient); ok {
		a.Declared, a.Kind, a.Country, a.Clauses = true, e.Kind, e.Country, e.Clauses
	}
	affected, err := d.exposed(ctx, s)
	if err != nil {
		return nil, err
	}
	a.Persons, a.Cohorts = len(affected.persons), len(affected.cohorts)
	if err := d.listed(ctx, a, s, affected, &req); err != nil {
		return nil, err
	}
	if err := d.volumes(ctx, a, s); err != nil {
		return nil, err
	}
	if a.Rules, err = d.findings(ctx, s); err != nil {
		return nil, err
	}
	if len(req.Receipts) > 0 {
		if a.Reconciled, err = d.reconcile(ctx, s, req.Receipts); err != nil {
			return nil, err
		}
	}
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

// volumes counts what was received, in all and by what it is told apart.
func (d *Deps) volumes(ctx context.Context, a *RecipientAnswer, s *selection) error {
	by := [][]trail.Dimension{{}, {trail.ByPurpose}, {trail.ByCategory}, {trail.ByBasis}, {trail.ByDay}}
	all, err := s.read.ActsByEach(ctx, s.acts, by...)
	if err != nil {
		return err
	}
	a.Total = totalIn(all[0])
	for i, to := range map[int]*[]Share{1: &a.Purposes, 2: &a.Categories, 3: &a.Grounds} {
		*to = d.shares(s, all[i].Tallies, by[i]...)
	}
	for i := range all[4].Tallies {
		t := &all[4].Tallies[i]
		a.Days = append(a.Days, DayVolume{t.Keys[0], t.Events, t.Records, t.Persons})
	}
	slices.SortFunc(a.Days, func(x, y DayVolume) int { return strings.Compare(x.Day, y.Day) })
	for i := range all {
		a.Cut = a.Cut || !all[i].Complete
	}
	return nil
}

// listed puts a page of the persons into the answer.
func (d *Deps) listed(ctx context.Context, a *RecipientAnswer, s *selection, affected *exposures, req *RecipientRequest) error {
	list := "of " + a.Controller.ID + " to " + a.Recipient.ID
	after, err := d.personCursor(list, req.Cursor)
	if err != nil || req.Limit <= 0 { // a cursor that is none is told of, also where nothing is listed
		return err
	}
	if err := affected.count(ctx, s.read, s.acts); err != nil {
		return err
	}
	all := affected.sorted()
	from, found := slices.BinarySearchFunc(all, after, func(p, q [16]byte) int { return bytes.Compare(p[:], q[:]) })
	if found {
		from++
	}
	a.Affected = []AffectedPerson{}
	to := min(len(all), from+min(req.Limit, maxListed))
	for _, p := range all[from:to] {
		x := affected.persons[p]
		a.Affected = append(a.Affected, AffectedPerson{hex.EncodeToString(p[:]), x.first, x.last, x.events, sortedKeys(x.categories)})
	}
	if to < len(all) {
		a.Next = d.cursorAfter(list, all[to-1])
	}
	return nil
}

// maxListed bounds a page of persons.
const maxListed = 10_000

// findings counts what is a violation or a review, by rule.
func (d *Deps) findings(ctx context.Context, s *selection) ([]RuleUse, error) {
	bad := *s
	bad.acts.Verdicts = []string{"violation", "review"}
	tallies, _, err := s.read.ActsBy(ctx, bad.acts, trail.ByVerdict, trail.ByRule, trail.ByVersion)
	if err != nil {
		return nil, err
	}
	found := []RuleUse{}
	for _, verdict := range bad.acts.Verdicts {
		at := make(map[string]int)
		for i := range tallies {
			t := &tallies[i]
			if t.Keys[0] != verdict {
				continue
			}
			n, seen := at[t.Keys[1]]
			if !seen {
				n = len(found)
				at[t.Keys[1]] = n
				found = append(found, RuleUse{Rule: s.names.rule(t.Keys[2], t.Keys[1]), Verdict: verdict})
			}
			found[n].Count += t.Rows
		}
	}
	return found, nil
}

// reconcile holds receipts against what was sent.
func (d *Deps) reconcile(ctx context.Context, s *selection, receipts []Receipt) (*Reconciliation, error) {
	r := &Reconciliation{Receipts: len(receipts), SentNotReceived: []EventID{}, ReceivedNotSent: []EventID{}, ReceivedTwice: []EventID{}, RecordsDiffer: []RecordsDiff{}, DaysThatDiffer: []DayDiff{}}
	received := make(map[string]int)
	counted, records := make(map[string]uint64), make(map[string]uint64)
	for i, receipt := range receipts {
		switch {
		case receipt.ID != "":
			if received[receipt.ID]++; received[receipt.ID] == 2 {
				if r.ReceivedTwiceN++; len(r.ReceivedTwice) < maxReconciled {
					r.ReceivedTwice = append(r.ReceivedTwice, EventID{ID: receipt.ID})
				}
			}
			if receipt.Records != nil {
				records[receipt.ID] = *receipt.Records
			}
		case receipt.Day != "" && receipt.Count != nil:
			if _, err := time.Parse(time.DateOnly, receipt.Day); err != nil {
				return nil, &Fault{pointerTo("/receipts", i, "day"), "this is no day", "write 2026-01-31"}
			}
			counted[receipt.Day] += *receipt.Count
		default:
			return nil, &Fault{pointerTo("/receipts", i, ""), "the receipt has neither an id nor a day and a count", "give one of both"}
		}
	}
	r.ComparedByEvent, r.ComparedByDayOnly = len(received) > 0, len(received) == 0
	sent := make(map[string]uint64)
	err := d.Trail.ActsIDs(ctx, s.acts, func(source, id string, at time.Time, n uint64) error {
		sent[at.In(s.register.Zone).Format(time.DateOnly)]++
		if len(received) == 0 {
			return nil
		}
		if _, ok := received[id]; ok {
			r.Matched++
			received[id] = -1
			if came, stated := records[id]; stated && came != n {
				if r.RecordsDifferN++; len(r.RecordsDiffer) < maxReconciled {
					r.RecordsDiffer = append(r.RecordsDiffer, RecordsDiff{EventID{source, id, at}, n, came})
				}
			}
			return nil
		}
		if r.SentNotReceivedN++; len(r.SentNotReceived) < maxReconciled {
			r.SentNotReceived = append(r.SentNotReceived, EventID{source, id, at})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, n := range received {
		if n >= 0 {
			r.ReceivedNotSentN++
			r.ReceivedNotSent = append(r.ReceivedNotSent, EventID{ID: id})
		}
	}
	slices.SortFunc(r.ReceivedNotSent, func(a, b EventID) int { return strings.Compare(a.ID, b.ID) })
	r.ReceivedNotSent = r.ReceivedNotSent[:min(len(r.ReceivedNotSent), maxReconciled)]
	if len(counted) > 0 {
		for day := range sent {
			if _, ok := counted[day]; !ok {
				counted[day] = 0
			}
		}
		for day, n := range counted {
			if sent[day] == n {
				r.DaysThatAgree++
				continue
			}
			r.DaysThatDiffer = append(r.DaysThatDiffer, DayDiff{day, sent[day], n})
		}
		slices.SortFunc(r.DaysThatDiffer, func(a, b DayDiff) int { return strings.Compare(a.Day, b.Day) })
	}
	return r, nil
}

// Differs says that the receipts and the trail do not agree.
func (r *Reconciliation) Differs() bool {
	return r.ComparedByEvent && r.SentNotReceivedN > 0 || r.ReceivedNotSentN > 0 || r.ReceivedTwiceN > 0 || r.RecordsDifferN > 0 || len(r.DaysThatDiffer) > 0
}

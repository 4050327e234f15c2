package model

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// named is what the recipient of a row is called: by the register that it was
// judged by. Where none was in force, or that one is there no more, it has its id
// only.
func (h *History) named(r *trail.Row) string {
	for _, in := range h.registers.All() {
		if in.Version != r.RegisterVersion {
			continue
		}
		if e, ok := in.Recipient(r.Recipient); ok {
			return e.Name.In("en")
		}
	}
	return r.Recipient
}

// tally counts a verdict.
func tally(v *answer.Verdicts, o register.Outcome) {
	switch o {
	case register.Allowed:
		v.Allowed++
	case register.Review:
		v.Review++
	default:
		v.Violation++
	}
}

func (h *History) checkPerson(t testing.TB, way Way) {
	t.Helper()
	who := h.identifiers[h.r.IntN(len(h.identifiers))]
	req := answer.Request{Controller: h.Controller, Person: who}
	asOf := openEnd
	if h.r.IntN(2) == 0 { // as the trail stood while it was still being judged
		asOf = Start.Add(time.Duration(h.r.IntN(360)) * time.Minute)
		req.AsOf = asOf.Format(time.RFC3339)
	}
	rows := h.of(h.pseudonym(who), asOf)
	a := ask[answer.RecipientsAnswer](t, way, Recipients, answer.RecipientsRequest{Request: req})
	type sum struct {
		count, byCohort, changed uint64
		verdicts                 answer.Verdicts
		first, last              time.Time
		names                    []string
	}
	var events, duplicates, changed uint64
	var verdicts answer.Verdicts
	want := make(map[string]*sum)
	for _, r := range rows {
		if r.Duplicate {
			duplicates++
			continue
		}
		events++
		tally(&verdicts, r.Verdict)
		again := uint64(0)
		if r.Cause != "" {
			again = 1
		}
		changed += again
		key, name := cmp.Or(r.Recipient, r.RecipientOrganisation), r.RecipientOrganisation
		if r.Recipient != "" {
			name = h.named(r)
		}
		if key == event.DataSubject || key == "" || isNotice(r) {
			continue
		}
		s := want[key]
		if s == nil {
			s = &sum{first: r.Time}
			want[key] = s
		}
		if r.Time.After(s.last) {
			s.names = nil // those of the newest event
		}
		if !r.Time.Before(s.last) {
			s.names = append(s.names, name)
		}
		s.count++
		s.changed += again
		tally(&s.verdicts, r.Verdict)
		if r.Cohort {
			s.byCohort++
		}
		if r.Time.Before(s.first) {
			s.first = r.Time
		}
		if r.Time.After(s.last) {
			s.last = r.Time
		}
	}
	if a.Events != events || a.Duplicates != duplicates || len(a.Recipients) != len(want) || a.Verdicts != verdicts || a.Changed != changed {
		t.Errorf("%+v: %d events, %d duplicates, %d recipients, %+v, %d changed; want %d, %d, %d, %+v, %d",
			req, a.Events, a.Duplicates, len(a.Recipients), a.Verdicts, a.Changed, events, duplicates, len(want), verdicts, changed)
	}
	for _, r := range a.Recipients {
		w := want[cmp.Or(r.ID, r.Name)]
		if w == nil || !slices.Contains(w.names, r.Name) || r.Count != w.count || r.Verdicts != w.verdicts || r.Changed != w.changed || r.ByCohort != w.byCohort || !r.First.Equal(w.first) || !r.Last.Equal(w.last) {
			t.Errorf("%s: %d events, %d by cohort, %v to %v; want %+v", r.Name, r.Count, r.ByCohort, r.First, r.Last, w)
		}
	}
	h.checkMore(t, a, rows)
	// Page by page, every event once, in order.
	var got []string
	for page := (answer.TimelineRequest{Request: req, Limit: 15 + h.r.IntN(40)}); ; {
		p := ask[answer.TimelineAnswer](t, way, Timeline, page)
		for _, e := range p.Events {
			got = append(got, fmt.Sprint(e.Offset, " ", e.Verdict))
		}
		if page.Cursor = p.Next; page.Cursor == "" {
			break
		}
	}
	var order []string
	for _, r := range rows {
		order = append(order, fmt.Sprint(r.Offset, " ", r.Verdict))
	}
	if !slices.Equal(got, order) {
		t.Errorf("timeline %v, want %v", got, order)
	}
}

func (h *History) checkAccess(t testing.TB, way Way) {
	t.Helper()
	q := h.request()
	dimensions := map[string]func(*trail.Row) []string{
		"actor": func(r *trail.Row) []string { return []string{h.mask(r.Actor)} }, "role": func(r *trail.Row) []string { return []string{r.ActorRole} },
		"system": func(r *trail.Row) []string { return []string{r.Source} }, "purpose": func(r *trail.Row) []string { return []string{r.Purpose} },
		"operation": func(r *trail.Row) []string { return []string{r.Operation.String()} }, "category": func(r *trail.Row) []string { return r.Categories },
		"recipient": func(r *trail.Row) []string { return []string{r.Recipient} }, "rule": func(r *trail.Row) []string { return r.Rules },
		"day": func(r *trail.Row) []string { return []string{r.Time.UTC().Format(time.DateOnly)} }, "hour": func(r *trail.Row) []string { return []string{r.Time.UTC().Format("15")} },
	}
	by := pick(h.r, slices.Sorted(maps.Keys(dimensions))...)
	a := ask[answer.AccessAnswer](t, way, Access, answer.AccessRequest{ActsRequest: q, By: []string{by}, Limit: 500})
	rows := h.selected(&q)
	type sum struct {
		events, records uint64
		persons         map[[16]byte]bool
		verdicts        answer.Verdicts
		first, last     time.Time
	}
	total := func(rows []*trail.Row) sum {
		s := sum{persons: make(map[[16]byte]bool)}
		events := make(map[int64]bool)
		for _, r := range rows {
			if !events[r.Offset] {
				events[r.Offset] = true
				s.events++
				s.records += r.Records
			}
			if r.Person != ([16]byte{}) {
				s.persons[r.Person] = true
			}
			tally(&s.verdicts, r.Verdict)
			if s.first.IsZero() || r.Time.Before(s.first) {
				s.first = r.Time
			}
			if r.Time.After(s.last) {
				s.last = r.Time
			}
		}
		return s
	}
	same := func(got *answer.Total, want sum) bool {
		return got.Events == want.events && got.Records == want.records && got.Verdicts == want.verdicts && got.First.Equal(want.first) && got.Last.Equal(want.last)
	}
	if want := total(rows); !same(&a.Total, want) {
		t.Errorf("%+v: %+v, want %+v", q, a.Total, want)
	}
	groups := make(map[string][]*trail.Row)
	for _, r := range rows {
		for _, key := range dimensions[by](r) {
			groups[key] = append(groups[key], r)
		}
	}
	if len(groups) != len(a.Shares) {
		t.Errorf("%+v by %s: %d shares, want %d", q, by, len(a.Shares), len(groups))
	}
	for i := range a.Shares {
		s := &a.Shares[i]
		want := total(groups[s.Keys[0].ID])
		if !same(&s.Total, want) || s.Pseudonyms != uint64(len(want.persons)) {
			t.Errorf("%+v by %s: %+v, want %+v", q, by, s, want)
		}
	}
	offsets := make(map[int64]bool)
	for _, r := range rows {
		offsets[r.Offset] = true
	}
	if len(a.Timeline.Events) != len(offsets) {
		t.Errorf("%+v: %d events listed, want %d", q, len(a.Timeline.Events), len(offsets))
	}
}

func (h *History) checkRecipient(t testing.TB, way Way) {
	t.Helper()
	req := answer.RecipientRequest{Controller: h.Controller, Recipient: h.Controller + "/bank"}
	rows := h.selected(&answer.ActsRequest{Recipients: []string{req.Recipient}, Operations: []string{"transfer", "disclose", "send"}})
	sent := make(map[string]bool)
	records := make(map[string]uint64)
	for _, r := range rows {
		sent[r.EventID], records[r.EventID] = true, r.Records
	}
	// The bank says that it has all but one of them, and one that nobody sent.
	lost, differ := 0, 0
	for _, id := range slices.Sorted(maps.Keys(sent)) {
		if lost == 0 {
			lost = 1
			continue
		}
		// Each third came with a record too many.
		n := records[id]
		if len(req.Receipts)%3 == 2 {
			n++
			differ++
		}
		req.Receipts = append(req.Receipts, answer.Receipt{ID: id, Records: &n})
	}
	req.Receipts = append(req.Receipts, answer.Receipt{ID: "never-sent"})
	req.Limit = pick(h.r, 1000, 1000, 1+len(h.persons(rows))/2)
	a := ask[answer.RecipientAnswer](t, way, Recipient, req)
	if want := len(h.persons(rows)); a.Persons != want || a.Events != uint64(len(sent)) {
		t.Errorf("%d persons, %d events; want %d, %d", a.Persons, a.Events, want, len(sent))
	}
	if r := a.Reconciled; r.Matched != max(0, len(sent)-1) || r.SentNotReceivedN != lost || r.ReceivedNotSentN != 1 || r.RecordsDifferN != differ || r.ReceivedNotSent[0].ID != "never-sent" {
		t.Errorf("reconciled %+v; %d were sent", r, len(sent))
	}
	persons := make(map[string]uint64)
	for _, r := range rows {
		for p := range h.whom(r) {
			persons[hex.EncodeToString(p[:])] = 0
		}
	}
	for name := range persons {
		events := make(map[int64]bool)
		for _, r := range rows {
			for p := range h.whom(r) {
				if hex.EncodeToString(p[:]) == name {
					events[r.Offset] = true
				}
			}
		}
		persons[name] = uint64(len(events))
	}
	got := make(map[string]uint64)
	for p := a; ; {
		for _, one := range p.Affected {
			got[one.Pseudonym] = one.Events
		}
		if p.Next == "" {
			break
		}
		h.saw("recipient page")
		p = ask[answer.RecipientAnswer](t, way, Recipient, answer.RecipientRequest{Controller: h.Controller, Recipient: req.Recipient, Limit: req.Limit, Cursor: p.Next})
	}
	if !maps.Equal(got, persons) {
		t.Errorf("persons page by page %v, want %v", got, persons)
	}
	var days uint64
	for _, day := range a.Days {
		days += day.Events
	}
	if days != a.Events {
		t.Errorf("%d events on all days, %d in all", days, a.Events)
	}
}

func (h *History) checkLineage(t testing.TB, way Way) {
	t.Helper()
	if h.partners {
		return // the plain list below knows nothing of what recipients do in turn
	}
	q := h.request()
	a := ask[answer.LineageAnswer](t, way, Lineage, answer.LineageRequest{ActsRequest: q, Fold: 100})
	want := make(map[[2]string]map[int64]bool)
	add := func(from, to string, r *trail.Row) {
		key := [2]string{from, to}
		if want[key] == nil {
			want[key] = make(map[int64]bool)
		}
		want[key][r.Offset] = true
	}
	for _, r := range h.selected(&q) {
		if r.DataSource != "" {
			add("data-source:"+r.DataSource, "system:"+r.Source, r)
		}
		add("system:"+r.Source, "purpose:"+r.Purpose, r)
		to := "recipient:" + cmp.Or(r.Recipient, r.RecipientOrganisation)
		if to == "recipient:" {
			continue
		}
		add("purpose:"+r.Purpose, to, r)
		country := r.RecipientCountry
		if r.Recipient == h.Controller+"/bank" {
			country = "EE"
		}
		if country != "" {
			add(to, "country:"+country, r)
		}
	}
	if len(a.Edges) != len(want) {
		t.Errorf("%+v: %d edges, want %d", q, len(a.Edges), len(want))
	}
	for _, e := range a.Edges {
		if n := len(want[[2]string{e.From, e.To}]); e.Events != uint64(n) {
			t.Errorf("%+v: %s to %s %d events, want %d", q, e.From, e.To, e.Events, n)
		}
	}
}

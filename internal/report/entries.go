package report

import (
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
)

// entries is a table of events, as the person is told of them or, with toYou
// false, as those who look into it are.
func (w *writer) entries(events []answer.Entry, toYou bool) {
	var rows [][]Cell
	for i := range events {
		e := &events[i]
		if e.Duplicate {
			continue
		}
		rows = append(rows, []Cell{text(w.moment(e.Time.In(w.zone))), text(w.act(e, toYou)), text(w.entryPurpose(e)), text(w.verdict(e))})
	}
	w.doc.table("events", []string{w.say("col.date"), w.say("col.what"), w.say("col.why"), w.say("col.judged")}, []float64{15, 46, 26, 22}, rows)
}

func (w *writer) entryPurpose(e *answer.Entry) string {
	return w.names.purpose(w.catalogue, w.controller.ID, e.Purpose.ID, e.Purpose.Name)
}

// act says in a sentence what was done.
func (w *writer) act(e *answer.Entry, toYou bool) string {
	var data []string
	for _, c := range e.Categories {
		data = append(data, w.names.category(w.catalogue, w.controller.ID, c.ID, c.Name))
	}
	if len(data) == 0 {
		data = []string{w.say("act.none")}
	}
	var said string
	if key := "act." + e.Operation; toYou && w.has(key) {
		said = w.say(key, "who", w.controller.Name, "data", things(data))
	} else {
		said = upper(w.operation(e.Operation)) + ": " + things(data) + "."
	}
	if r := e.Recipient; r != nil {
		switch {
		case r.ID == event.DataSubject && toYou:
			said += " " + w.say("act.to-you")
		default:
			said += " " + w.say("act.to", "recipient", w.entryRecipient(r))
		}
	}
	if who := w.actor(e); who != "" {
		said += " " + w.say("act.by", "actor", who)
	}
	return said
}

func (w *writer) entryRecipient(r *answer.Named) string {
	if r.ID == event.DataSubject {
		return w.say("act.person")
	}
	if reg := w.names.register(w.controller.ID); reg != nil {
		if e, ok := reg.Recipient(r.ID); ok && slices.Contains([]string{r.ID, e.Name.In(Fallback)}, r.Name) {
			return w.names.recipient(w.catalogue, w.controller.ID, r.ID, r.Name)
		}
	}
	return r.Name
}

func (w *writer) operation(id string) string {
	if w.has("op." + id) {
		return w.say("op." + id)
	}
	return id
}

// actor is who acted, by what they were: employees are not named.
func (w *writer) actor(e *answer.Entry) string {
	if e.ActorKind == "" || e.ActorKind == "service" && e.ActorRole == "" {
		return ""
	}
	who := e.ActorKind
	if w.has("actor." + who) {
		who = w.say("actor." + who)
	}
	if e.ActorRole != "" {
		who = w.say("actor.role", "kind", who, "role", e.ActorRole)
	}
	if e.Organisation != "" && e.Organisation != w.controller.Name {
		who = w.say("actor.of", "actor", who, "organisation", e.Organisation)
	}
	if e.Actor != "" && e.ActorKind == "human" {
		who += ", " + e.Actor // a mask
	}
	return who
}

func (w *writer) verdict(e *answer.Entry) string {
	said := w.say("verdict.none")
	if w.has("verdict." + e.Verdict) {
		said = w.say("verdict." + e.Verdict)
	}
	if e.Verdict != "review" && e.Verdict != "violation" {
		return said
	}
	var rules []string
	for i := range e.Rules {
		rules = append(rules, w.rule(&e.Rules[i]))
	}
	if len(rules) > 0 {
		said += ": " + strings.Join(rules, "; ")
	}
	return said
}

package findings

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Type is the CloudEvents type of a finding.
const Type = "ee.andmerada.finding.v1"

// Finding is the data of a finding. It names a person by pseudonym only.
type Finding struct {
	Verdict    string    `json:"verdict"`           // violation, review; allowed where a finding is withdrawn
	Before     string    `json:"before,omitempty"`  // the verdict that stood before, where it was judged again
	Cause      string    `json:"cause,omitempty"`   // why it was judged again
	Rules      []Rule    `json:"rules"`             // that decided
	Missing    []string  `json:"missing,omitempty"` // facts for want of which it is a review
	Controller string    `json:"controller"`
	Person     string    `json:"person,omitempty"` // the keyed pseudonym, hexadecimal
	Cohort     bool      `json:"cohort,omitempty"` // the pseudonym is that of a cohort
	Operation  string    `json:"operation"`
	Purpose    string    `json:"purpose,omitempty"`
	Recipient  string    `json:"recipient,omitempty"` // id in the register, else the organisation
	Country    string    `json:"country,omitempty"`
	Categories []string  `json:"categories"`
	Occurred   time.Time `json:"occurred"`
	Event      Event     `json:"event"`
	Place      Place     `json:"place"`
	Register   string    `json:"register_version,omitempty"`
	Evaluator  uint16    `json:"evaluator"`
	Duplicate  bool      `json:"duplicate,omitempty"` // an event of the same source and id came before
}

// Rule is a rule that decided.
type Rule struct {
	ID      string   `json:"id"`
	Title   string   `json:"title,omitempty"`
	Clauses []string `json:"clauses,omitempty"` // of the notice
}

// Event names the event as its source does (CloudEvents source and id).
type Event struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// Place is where in Kafka the event is, and which of its persons it is about.
type Place struct {
	Topic       string `json:"topic"`
	Partition   int32  `json:"partition"`
	Offset      int64  `json:"offset"`
	PersonIndex uint16 `json:"person_index"`
}

// Message is a finding as it is told.
type Message struct {
	Key   string // the person's, so that one person's findings stay in order
	Event cloudevents.Event
}

// newMessage makes a message of a row of the trail. Its id depends on the place
// and the verdict only: telling it again gives the same.
func newMessage(row *trail.Row, before string, set *register.Set) (Message, error) {
	f := Finding{
		Verdict: row.Verdict.String(), Before: before, Cause: row.Cause, Missing: row.Unknown, Controller: row.Controller, Cohort: row.Cohort,
		Operation: row.Operation.String(), Purpose: row.Purpose, Recipient: row.Recipient, Country: row.RecipientCountry, Categories: row.Categories,
		Occurred: row.Time, Event: Event{row.Source, row.EventID}, Place: Place{row.Topic, row.Partition, row.Offset, row.PersonIndex},
		Register: row.RegisterVersion, Evaluator: row.Evaluator, Duplicate: row.Duplicate, Rules: []Rule{},
	}
	if f.Recipient == "" {
		f.Recipient = row.RecipientOrganisation
	}
	if f.Categories == nil {
		f.Categories = []string{}
	}
	if row.Person != [16]byte{} {
		f.Person = hex.EncodeToString(row.Person[:])
	}
	r, _ := set.Version(row.RegisterVersion)
	for _, id := range row.Rules {
		rule := Rule{ID: id}
		if r != nil {
			if d, ok := r.Rule(id); ok {
				rule.Title, rule.Clauses = d.Title, d.Clauses
			}
		}
		f.Rules = append(f.Rules, rule)
	}
	data, err := json.Marshal(f)
	if err != nil {
		return Message{}, fmt.Errorf("write a finding: %w", err)
	}
	ev := cloudevents.New()
	ev.SetID(id(row))
	ev.SetType(Type)
	ev.SetSource("andmerada/" + row.Controller)
	ev.SetSubject(fmt.Sprintf("%s/%d/%d", row.Topic, row.Partition, row.Offset))
	ev.SetTime(row.JudgedAt)
	if err := ev.SetData("application/json", json.RawMessage(data)); err != nil {
		return Message{}, fmt.Errorf("write a finding: %w", err)
	}
	if err := ev.Validate(); err != nil {
		return Message{}, fmt.Errorf("write a finding: %w", err)
	}
	key := f.Person
	if key == "" {
		key = ev.Subject()
	}
	return Message{Key: key, Event: ev}, nil
}

func id(row *trail.Row) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%d\x00%d\x00%s\x00%d\x00%d\x00%s\x00%q\x00%q",
		row.Topic, row.Partition, row.Offset, row.PersonIndex, row.RegisterVersion, row.Evaluator, row.Verdict, row.Cause, row.Rules, row.Unknown)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

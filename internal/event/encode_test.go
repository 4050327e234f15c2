package event_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
)

func TestPartitionKey(t *testing.T) {
	t.Parallel()
	key := func(parts ...string) string {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
		return hex.EncodeToString(sum[:8])
	}
	mari := event.Person{Scheme: "email", Value: "mari@example.com"}
	tests := []struct {
		name string
		ev   event.Event
		want string
	}{
		{"the first person", event.Event{Controller: "c", Persons: []event.Person{mari, {Scheme: "x", Value: "y"}}}, key("c", "email", "mari@example.com")},
		{"a fact of the same person", event.Event{Controller: "c", Kind: event.FactEvent, Persons: []event.Person{mari}, Fact: event.Fact{AboutOrg: "o"}}, key("c", "email", "mari@example.com")},
		{"a cohort", event.Event{Controller: "c", Cohort: event.Cohort{ID: "k", Members: []event.Person{mari}}}, key("c", "cohort", "k")},
		{"an actor", event.Event{Controller: "c", Fact: event.Fact{AboutActor: "a"}}, key("c", "actor", "a")},
		{"a recipient", event.Event{Controller: "c", Fact: event.Fact{AboutOrg: "o"}}, key("c", "recipient", "o")},
		{"nobody", event.Event{Controller: "c"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := event.PartitionKey(&test.ev); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPseudonymsAreWrittenOneWay(t *testing.T) {
	t.Parallel()
	ev, err := event.DecodeKafka(nil, []byte(structured(`"personal-code","value":"38001010000"`, `"pseudonym","value":" 9F86D081884C7D659A2FEAA0C55AD015 "`)))
	if err != nil || ev.Persons[0].Value != "9f86d081884c7d659a2feaa0c55ad015" {
		t.Errorf("got %+v, %v", ev, err)
	}
}

func TestEncodeRefusesWhatDecodeRefuses(t *testing.T) {
	t.Parallel()
	ev, err := event.DecodeKafka(nil, []byte(structured("", "")))
	if err != nil {
		t.Fatal(err)
	}
	ev.Categories = nil
	_, _, err = event.EncodeStructured(ev)
	checkFault(t, unwrapFault(err), event.CodeMissing, "/data/categories")
	ev.Kind = 0
	if _, err := event.Encode(ev); err == nil {
		t.Error("an event without a kind is written")
	}
}

func unwrapFault(err error) error {
	var fault *event.Fault
	if errors.As(err, &fault) {
		return fault
	}
	return err
}

package event_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
)

func TestDecodeFacts(t *testing.T) {
	t.Parallel()
	tallinn := zone(t, "Europe/Tallinn")
	day := func(y int, m time.Month, d int) event.Value { return event.DayValue(event.NewDate(y, m, d)) }
	known := func(fill func(f *event.Facts)) event.Facts {
		var f event.Facts
		fill(&f)
		return f
	}
	set := func(field event.Field, v event.Value) event.Facts {
		return known(func(f *event.Facts) { f.Set(field, v) })
	}
	tests := []struct {
		text string
		loc  *time.Location
		want event.Facts
	}{
		{`{}`, nil, event.Facts{}},
		{`{"note":{"any":["thing"]}}`, nil, event.Facts{}},
		{`{"necessity":true}`, nil, set(event.Necessity, event.BoolValue(true))},
		{`{"necessity":"unknown"}`, nil, set(event.Necessity, event.Value{State: event.Unknown})},
		{`{"necessity":null}`, nil, set(event.Necessity, event.Value{State: event.Unknown})},
		{`{"relationship_end":null}`, nil, set(event.RelationshipEnd, event.Value{State: event.Null})},
		{`{"relationship_end":"unknown"}`, nil, set(event.RelationshipEnd, event.Value{State: event.Unknown})},
		{`{"relationship_end":"2022-04-15"}`, nil, set(event.RelationshipEnd, day(2022, 4, 15))},
		{`{"contract_end":"2024-06-10T23:30:00+03:00"}`, nil, set(event.ContractEnd, day(2024, 6, 10))},
		{`{"contract_end":"2024-06-10T22:30:00Z"}`, tallinn, set(event.ContractEnd, day(2024, 6, 11))},
		{`{"transfer":{"safeguards":"unknown","note":"x"}}`, nil, set(event.TransferSafeguards, event.Value{State: event.Unknown})},
		{`{"transfer":{"safeguards":" scc "}}`, nil, set(event.TransferSafeguards, event.TextValue("scc"))},
		{`{"breach":{"ended_on":null,"exists":null}}`, nil, known(func(f *event.Facts) {
			f.Set(event.BreachEndedOn, event.Value{State: event.Null})
			f.Set(event.BreachExists, event.Value{State: event.Unknown})
		})},
		{`{"legal_obligation":"unknown"}`, nil, known(func(f *event.Facts) {
			f.Set(event.LegalObligationExists, event.Value{State: event.Unknown})
			f.Set(event.LegalObligationWithinScope, event.Value{State: event.Unknown})
		})},
		{`{"consent":[]}`, nil, event.Facts{Consents: event.List[event.Consent]{Known: true}}},
		{`{"consent":"unknown","opt_out":null}`, nil, event.Facts{}},
		{`{"consent":[{"purpose":"p","given_at":"2023-05-02","withdrawn_at":null}]}`, tallinn, event.Facts{Consents: event.List[event.Consent]{
			Known: true, Entries: []event.Consent{{Purpose: "p", GivenAt: time.Date(2023, 5, 1, 21, 0, 0, 0, time.UTC)}},
		}}},
		{`{"request":{"type":"erasure","made_at":"2024-01-01T00:00:00Z","handled":"unknown"}}`, nil, event.Facts{Requests: event.List[event.Request]{
			Known: true, Entries: []event.Request{{Type: "erasure", MadeAt: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Handled: event.Value{State: event.Unknown}}},
		}}},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := event.DecodeFactsIn([]byte(test.text), test.loc)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %s, want %s", got.AppendJSON(nil), test.want.AppendJSON(nil))
			}
		})
	}
}

func TestFaultsOfFacts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text    string
		code    event.Code
		pointer string
		mend    string
	}{
		{`{"necesity":true}`, event.CodeUnknownFact, "/necesity", `did you mean "necessity"?`},
		{`{"breach.exists":true}`, event.CodeUnknownFact, "/breach.exists", `write {"breach":{"exists":…}}`},
		{`{"breach":{"exist":true}}`, event.CodeUnknownFact, "/breach/exist", `did you mean "exists"?`},
		{`{"consent":[{"gven_at":"2024-01-01T00:00:00Z"}]}`, event.CodeUnknownFact, "/consent/0/gven_at", `did you mean "given_at"?`},
		{`{"consent":[{"given_at":"2024-01-01"}]}`, event.CodeBadTime, "/consent/0/given_at", ""},
		{`{"consent":"none"}`, event.CodeWrongType, "/consent", ""},
		{`{"consent":[true]}`, event.CodeWrongType, "/consent/0", ""},
		{`{"breach":true}`, event.CodeWrongType, "/breach", ""},
		{`{"necessity":1}`, event.CodeWrongType, "/necessity", ""},
		{`{"contract_end":true}`, event.CodeWrongType, "/contract_end", ""},
		{`{"contract_end":"2023-02-29"}`, event.CodeBadTime, "/contract_end", ""},
		{`{"addressee":""}`, event.CodeBadValue, "/addressee", ""},
		{`{"channel":"emial"}`, event.CodeBadValue, "/channel", `did you mean "email"?`},
		{`{"request":[{"type":"deletion"}]}`, event.CodeBadValue, "/request/0/type", ""},
		{`{"necessity":true,"necessity":false}`, event.CodeDuplicate, "/necessity", ""},
		{`[]`, event.CodeWrongType, "", ""},
		{`{`, event.CodeNotJSON, "", ""},
		{``, event.CodeNotJSON, "", ""},
		{`{} {}`, event.CodeNotJSON, "", ""},
		{`{"consent":[{}` + strings.Repeat(",{}", 100) + `]}`, event.CodeTooMany, "/consent", ""},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			_, err := event.DecodeFacts([]byte(test.text))
			checkFault(t, err, test.code, test.pointer)
			var fault *event.Fault
			if errors.As(err, &fault) && fault.Mend != test.mend {
				t.Errorf("mend %q, want %q", fault.Mend, test.mend)
			}
		})
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestFactEventDefaults holds what a fact event's entries take from the event.
func TestFactEventDefaults(t *testing.T) {
	t.Parallel()
	ev, err := event.DecodeKafka(nil, []byte(withFact("opt-out", aPerson+`,"value":{"scope":"direct-marketing"},"valid_from":"2024-01-01T00:00:00Z"`)))
	if err != nil {
		t.Fatal(err)
	}
	want := event.OptOut{Controller: "elektrum", Scope: "direct-marketing", MadeAt: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	if got := ev.Fact.Value.OptOuts.Entries; len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if ev, err = event.DecodeKafka(nil, []byte(withFact("necessity", aPerson+`,"value":true`))); err != nil || !ev.Fact.ValidFrom.Equal(ev.Time) {
		t.Errorf("valid from %v, want the event's time %v (%v)", ev.Fact.ValidFrom, ev.Time, err)
	}
}

// TestStatementsTakeTheController holds that an entry that names no controller
// is about that of the event, wherever in the data that stands.
func TestStatementsTakeTheController(t *testing.T) {
	t.Parallel()
	text := strings.Replace(structured(`"controller":"elektrum",`, ""), `["name"]`,
		`["name"],"statements":{"consent":[{"purpose":"p","given_at":"2024-01-01T00:00:00Z"},{"controller":"netpro","purpose":"p","given_at":"2024-01-01T00:00:00Z"}]},"controller":"elektrum"`, 1)
	ev, err := event.DecodeKafka(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := ev.Statements.Consents.Entries; len(got) != 2 || got[0].Controller != "elektrum" || got[1].Controller != "netpro" {
		t.Errorf("got %+v", got)
	}
}

// TestFactsUsedAgain holds that facts that are reset are as new ones, whatever
// was in them, and that their lists are made in the room of the old.
func TestFactsUsedAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var used event.Facts
		first := genFacts().Draw(t, "first")
		used.Overlay(&first)
		room := cap(used.Requests.Entries)
		used.Reset()
		if !used.IsZero() || string(used.AppendJSON(nil)) != `{}` || cap(used.Requests.Entries) != room {
			t.Fatalf("reset, but %s, room for %d of %d", used.AppendJSON(nil), cap(used.Requests.Entries), room)
		}
		second := genFacts().Draw(t, "second")
		used.Overlay(&second)
		if got, want := string(used.AppendJSON(nil)), string(second.AppendJSON(nil)); got != want {
			t.Fatalf("used again: %s, want %s", got, want)
		}
		var stated []event.Field
		for field := range used.Stated() {
			stated = append(stated, field)
			used.Set(field, event.Value{})
		}
		for _, info := range event.Vocabulary() {
			if slices.Contains(stated, info.Field) != (second.Get(info.Field).State != event.Absent) {
				t.Fatalf("%s: stated or not? %v", info.Name, stated)
			}
		}
		for range used.Stated() {
			t.Fatalf("taken back, and yet %s", used.AppendJSON(nil))
		}
	})
}

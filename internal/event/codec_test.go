package event_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
)

// genText makes texts as a source would write them, of any alphabet.
func genText() *rapid.Generator[string] {
	return rapid.StringMatching(`[a-zA-Z0-9õäöüšžÕ€/"\\ 漢😀._-]{0,20}[a-z0-9õ]`).Filter(func(s string) bool {
		return s != "unknown" && s[0] != ' '
	})
}

func genTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999).Draw(t, "ms")*1e6).UTC()
	})
}

func genValue(info event.FieldInfo) *rapid.Generator[event.Value] {
	return rapid.Custom(func(t *rapid.T) event.Value {
		switch n := rapid.IntRange(0, 5).Draw(t, "state"); {
		case n == 0:
			return event.Value{State: event.Unknown}
		case n == 1 && info.Nullable:
			return event.Value{State: event.Null}
		}
		switch info.Type {
		case event.Bool:
			return event.BoolValue(rapid.Bool().Draw(t, "bool"))
		case event.Day:
			return event.DayValue(event.Date(rapid.IntRange(-100_000, 100_000).Draw(t, "day")))
		}
		if info.Values != nil {
			return event.TextValue(rapid.SampledFrom(info.Values).Draw(t, "word"))
		}
		return event.TextValue(genText().Draw(t, "text"))
	})
}

func optional(t *rapid.T, name string, g *rapid.Generator[string]) string {
	if rapid.Bool().Draw(t, name+"?") {
		return g.Draw(t, name)
	}
	return ""
}

func genList[T any](t *rapid.T, name string, one func(t *rapid.T) T) event.List[T] {
	if !rapid.Bool().Draw(t, name+"?") {
		return event.List[T]{}
	}
	list := event.List[T]{Known: true}
	for range rapid.IntRange(0, 3).Draw(t, name+"#") {
		list.Entries = append(list.Entries, one(t))
	}
	return list
}

func yesNo(t *rapid.T) event.Value {
	return rapid.SampledFrom([]event.Value{{}, {State: event.Unknown}, event.BoolValue(true), event.BoolValue(false)}).Draw(t, "yesno")
}

var fillLists = map[string]func(t *rapid.T, f *event.Facts){
	"consent": func(t *rapid.T, f *event.Facts) {
		f.Consents = genList(t, "consent", func(t *rapid.T) event.Consent {
			c := event.Consent{Controller: "c", Purpose: genText().Draw(t, "p"), GivenAt: genTime().Draw(t, "given"), RegisteredCRM: yesNo(t)}
			c.Form = optional(t, "form", rapid.SampledFrom([]string{"written", "oral", "electronic"}))
			c.GivenBy = optional(t, "by", rapid.SampledFrom([]string{"client", "user", "contact-person"}))
			if rapid.Bool().Draw(t, "withdrawn") {
				c.WithdrawnAt, c.WithdrawalForm, c.WithdrawnBy = genTime().Draw(t, "w"), "oral", "user"
			}
			return c
		})
	},
	"objection": func(t *rapid.T, f *event.Facts) {
		f.Objections = genList(t, "objection", func(t *rapid.T) event.Objection {
			return event.Objection{Controller: "c", Purpose: genText().Draw(t, "p"), MadeAt: genTime().Draw(t, "made"), Outcome: optional(t, "out", rapid.Just("upheld"))}
		})
	},
	"opt_out": func(t *rapid.T, f *event.Facts) {
		f.OptOuts = genList(t, "opt_out", func(t *rapid.T) event.OptOut {
			return event.OptOut{Controller: "c", Scope: "direct-marketing", MadeAt: genTime().Draw(t, "made"), MadeBy: optional(t, "by", genText())}
		})
	},
	"request": func(t *rapid.T, f *event.Facts) {
		f.Requests = genList(t, "request", func(t *rapid.T) event.Request {
			return event.Request{Controller: "c", Type: "erasure", MadeAt: genTime().Draw(t, "made"), Handled: yesNo(t)}
		})
	},
}

func genFacts() *rapid.Generator[event.Facts] {
	return rapid.Custom(func(t *rapid.T) event.Facts {
		var f event.Facts
		for _, info := range event.Vocabulary() {
			if rapid.IntRange(0, 3).Draw(t, info.Name+"?") == 0 {
				f.Set(info.Field, genValue(info).Draw(t, info.Name))
			}
		}
		for _, name := range []string{"consent", "objection", "opt_out", "request"} {
			fillLists[name](t, &f)
		}
		return f
	})
}

func TestFactsReadBackAsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := genFacts().Draw(t, "facts")
		text := f.AppendJSON(nil)
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		got, err := event.DecodeFacts(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(got, f) {
			t.Fatalf("read back differently:\n%s\n%s", text, got.AppendJSON(nil))
		}
	})
}

func genPersons(t *rapid.T, low, high int) []event.Person {
	var list []event.Person
	for range rapid.IntRange(low, high).Draw(t, "persons") {
		if rapid.Bool().Draw(t, "pseudonym") {
			list = append(list, event.Person{Scheme: "pseudonym", Value: rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "hex")})
		} else {
			list = append(list, event.Person{Scheme: rapid.StringMatching(`[a-z][a-z0-9-]{0,8}x`).Draw(t, "scheme"), Value: genText().Draw(t, "value")})
		}
	}
	return list
}

func genEvent() *rapid.Generator[*event.Event] {
	return rapid.Custom(func(t *rapid.T) *event.Event {
		ev := &event.Event{
			Kind: event.Kind(rapid.IntRange(1, 3).Draw(t, "kind")), ID: genText().Draw(t, "id"), Source: genText().Draw(t, "source"),
			Time: genTime().Draw(t, "time"), Sequence: rapid.Uint64().Draw(t, "seq"), Controller: "c",
		}
		if rapid.Bool().Draw(t, "trace?") {
			ev.TraceParent = "00-" + rapid.StringMatching(`[0-9a-f]{32}-[0-9a-f]{16}`).Draw(t, "trace") + "-01"
		}
		switch ev.Kind {
		case event.Processing:
			genProcessing(t, ev)
		case event.CohortPart:
			ev.Cohort = event.Cohort{ID: genText().Draw(t, "cohort"), Size: rapid.Uint64Range(0, 1e6).Draw(t, "size"), Parts: rapid.Uint32Range(1, 9).Draw(t, "parts"), Members: genPersons(t, 1, 20)}
			ev.Cohort.Part = rapid.Uint32Range(1, ev.Cohort.Parts).Draw(t, "part")
		default:
			genFact(t, ev)
		}
		ev.Type = ev.TypeName()
		return ev
	})
}

func genProcessing(t *rapid.T, ev *event.Event) {
	ev.Operation = rapid.SampledFrom(event.Operations()).Draw(t, "op")
	ev.Purpose = genText().Draw(t, "purpose")
	ev.Categories = rapid.SliceOfN(genText(), 1, 5).Draw(t, "categories")
	if rapid.Bool().Draw(t, "fields?") {
		ev.Fields = rapid.SliceOfN(genText(), 1, 5).Draw(t, "fields")
	}
	ev.Records = rapid.Uint64Range(0, 1e9).Draw(t, "records")
	if rapid.Bool().Draw(t, "cohort?") {
		ev.Cohort = event.Cohort{ID: genText().Draw(t, "cohort"), Size: rapid.Uint64Range(0, 1e6).Draw(t, "size")}
	} else {
		ev.Persons = genPersons(t, 1, 5)
	}
	if ev.Operation.HandsOver() || rapid.Bool().Draw(t, "recipient?") {
		ev.Recipient = event.Recipient{ID: optional(t, "rid", genText()), Organisation: genText().Draw(t, "org"), Code: optional(t, "code", genText()), Country: optional(t, "country", rapid.StringMatching("[A-Z]{2}"))}
	}
	ev.Actor = event.Actor{ID: optional(t, "aid", genText()), Kind: event.ActorKind(rapid.IntRange(0, 3).Draw(t, "akind")), Role: optional(t, "role", genText()), Organisation: optional(t, "aorg", genText()), OnBehalfOf: optional(t, "behalf", genText())}
	ev.Basis = event.Basis{Kind: optional(t, "basis", genText()), Reference: optional(t, "ref", genText())}
	ev.DataSource = optional(t, "ds", genText())
	ev.Reason = optional(t, "reason", genText())
	ev.Channel = optional(t, "channel", rapid.SampledFrom([]string{"email", "sms", "mms", "phone", "post"}))
	ev.Statements = genFacts().Draw(t, "statements")
}

func genFact(t *rapid.T, ev *event.Event) {
	ev.Fact.Name = rapid.SampledFrom(event.FactNames()).Draw(t, "fact")
	ev.Fact.ValidFrom = genTime().Draw(t, "from")
	if ev.Fact.Name == event.IdentityFact {
		ev.Persons = genPersons(t, 2, 4)
		return
	}
	ev.Persons = genPersons(t, 1, 3)
	ev.Fact.AboutActor = genText().Draw(t, "actor")
	ev.Fact.AboutOrg = genText().Draw(t, "org")
	if fill := fillLists[ev.Fact.Name]; fill != nil {
		for {
			if fill(t, &ev.Fact.Value); !ev.Fact.Value.IsZero() {
				return
			}
		}
	}
	for _, info := range event.Vocabulary() {
		if info.Name == ev.Fact.Name || len(info.Name) > len(ev.Fact.Name) && info.Name[:len(ev.Fact.Name)+1] == ev.Fact.Name+"." {
			ev.Fact.Value.Set(info.Field, genValue(info).Draw(t, info.Name))
		}
	}
}

func TestEventsReadBackAsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ev := genEvent().Draw(t, "event")
		for mode, encode := range map[string]func(*event.Event) ([]event.Header, []byte, error){"binary": event.EncodeBinary, "structured": event.EncodeStructured} {
			headers, value, err := encode(ev)
			if err != nil {
				t.Fatalf("%s: %v\n%s", mode, err, value)
			}
			got, err := event.DecodeKafka(headers, value)
			if err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			if !reflect.DeepEqual(got, ev) {
				t.Fatalf("%s read back differently:\n%s\n%+v\n%+v", mode, value, got, ev)
			}
			if mode == "structured" {
				if got, err = event.DecodeKafka(nil, value); err != nil || !reflect.DeepEqual(got, ev) {
					t.Fatalf("without headers: %v\n%s", err, value)
				}
			}
			if event.PartitionKey(got) == "" {
				t.Fatal("no partition key")
			}
			if findings := event.Lint(headers, value); hasError(findings) {
				t.Fatalf("lint finds fault with what is accepted: %v\n%s", findings, value)
			}
		}
	})
}

func hasError(findings []event.Finding) bool {
	for _, f := range findings {
		if f.Severity == event.SeverityError {
			return true
		}
	}
	return false
}

// TestTimesToTheMillisecond: the trail keeps no more, and an event that is
// judged again from it must be judged as it was at first.
func TestTimesToTheMillisecond(t *testing.T) {
	t.Parallel()
	value := `{"specversion":"1.0","id":"1","source":"crm","type":"ee.andmerada.use.v1","time":"2026-03-01T10:00:00.123456789+02:00",
		"data":{"controller":"acme","purpose":"acme/billing","categories":["name"],"person":{"scheme":"customer-number","value":"C-1"},
		"statements":{"consent":[{"controller":"acme","purpose":"acme/billing","given_at":"2026-03-01T08:00:00.1239Z"}]}}}`
	ev, err := event.DecodeKafka(nil, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 3, 1, 8, 0, 0, 123e6, time.UTC)
	if !ev.Time.Equal(want) || !ev.Statements.Consents.Entries[0].GivenAt.Equal(want) {
		t.Errorf("%s, %s; want %s", ev.Time, ev.Statements.Consents.Entries[0].GivenAt, want)
	}
}

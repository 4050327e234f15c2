package answer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(embeddedtest.Main(m))
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	for _, secret := range []string{answertest.Customer, answertest.Email, strings.ToUpper(answertest.Email)} {
		if bytes.Contains(got, []byte(secret)) {
			t.Errorf("%s holds an identifier in clear", name)
		}
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s", name, got)
	}
}

func about(scheme, value string) answer.Request {
	return answer.Request{Controller: answertest.Controller, Person: answer.Person{Scheme: scheme, Value: value}}
}

func recipientsOf(scheme, value string) answer.RecipientsRequest {
	return answer.RecipientsRequest{Request: about(scheme, value)}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	a, err := answer.Recipients(t.Context(), d, recipientsOf("customer-number", answertest.Customer))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "recipients.json", a)

	// The other identifier, written otherwise, gives the same but its own pseudonym.
	b, err := answer.Recipients(t.Context(), d, recipientsOf("email", " "+strings.ToUpper(answertest.Email)))
	if err != nil {
		t.Fatal(err)
	}
	b.Person = a.Person
	one, _ := json.Marshal(a)
	two, _ := json.Marshal(b)
	if !bytes.Equal(one, two) {
		t.Errorf("asked by e-mail:\n%s\nby customer number:\n%s", two, one)
	}

	// Another member of the cohort sees its transfer, and nothing of the first person.
	other, err := answer.Recipients(t.Context(), d, recipientsOf("customer-number", answertest.Other))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range other.Recipients {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	if want := []string{"Elsewhere AS", "couriers"}; !slices.Equal(names, want) || other.Events != 2 {
		t.Errorf("the other's recipients are %q (%d events), want %q", names, other.Events, want)
	}

	none, err := answer.Recipients(t.Context(), d, recipientsOf("customer-number", "nobody"))
	if err != nil || none.Events != 0 || len(none.Recipients) != 0 || none.Timeline.Next != "" {
		t.Errorf("nobody: %+v, %v", none, err)
	}

	// Days are those of the controller's calendar: 10 March begins at 22:00 UTC.
	req := about("customer-number", answertest.Customer)
	req.From, req.To = "2026-03-10", "2026-03-10"
	day, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: req})
	if err != nil || !day.Period.From.Equal(time.Date(2026, 3, 9, 22, 0, 0, 0, time.UTC)) || !day.Period.To.Equal(time.Date(2026, 3, 10, 22, 0, 0, 0, time.UTC)) || day.Events != a.Events {
		t.Errorf("10 March: %+v, %v", day.Period, err)
	}
	req.From, req.To = "2026-03-10T08:30:00Z", "2026-03-10T09:30:00Z"
	if hour, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: req}); err != nil || hour.Events != 1 || len(hour.Recipients) != 1 || hour.Recipients[0].Name != "Post24 OÜ" {
		t.Errorf("one hour: %+v, %v", hour, err)
	}
}

// The answer as of a moment is the one that would have been given then.
func TestRecipientsAsOf(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	req := about("email", answertest.Email)
	for asOf, want := range map[string]struct {
		events      uint64
		identifiers int
	}{
		"2026-03-10T05:59:59Z": {0, 1},
		"2026-03-10T09:00:00Z": {2, 2}, // the transfer and the disclosure
		"2026-03-10T17:30:00Z": {5, 2}, // but not the cohort's: its members are stored at 19:00
		"2026-03-10":           {7, 2}, // the whole day of Tallinn, which ends at 22:00 UTC
		"":                     {7, 2},
	} {
		req.AsOf = asOf
		a, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: req})
		if err != nil || a.Events != want.events || a.Person.Identifiers != want.identifiers {
			t.Errorf("as of %q: %d events, %d identifiers, %v; want %+v", asOf, a.Events, a.Person.Identifiers, err, want)
		}
	}
	for _, asOf := range []string{"2026-03-12", "2027-01-01T00:00:00Z", "soon"} {
		req.AsOf = asOf
		var fault *answer.Fault
		if _, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: req}); !errors.As(err, &fault) || fault.Pointer != "/as_of" {
			t.Errorf("as of %q: %v", asOf, err)
		}
	}
}

func TestTimelinePages(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	req := answer.TimelineRequest{Request: about("email", answertest.Email), Limit: 2}
	var offsets []int64
	for range 10 {
		page, err := answer.TimelineOf(t.Context(), d, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			offsets = append(offsets, e.Offset)
		}
		if req.Cursor = page.Next; req.Cursor == "" {
			break
		}
	}
	if want := []int64{12, 11, 8, 7, 5, 4, 3, 2}; !slices.Equal(offsets, want) {
		t.Errorf("timeline %v, want %v", offsets, want)
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	ask := func(offset int64, person int) *answer.EventAnswer {
		t.Helper()
		a, err := answer.Event(t.Context(), d, answer.EventRequest{Place: answer.Place{Topic: answertest.Topic, Offset: offset}, Person: person})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	golden(t, "event.json", ask(2, -1))
	for offset := range int64(13) {
		if offset == 10 {
			continue
		}
		a := ask(offset, -1)
		if x := a.Explanation; x != nil && x.Differs {
			t.Errorf("event %d comes out otherwise: %v", offset, x.Difference)
		}
		if judged := offset != 0 && offset != 1 && offset != 6; judged != (a.Explanation != nil) || judged == (a.NotExplained != "") {
			t.Errorf("event %d: explained %v, %q", offset, a.Explanation != nil, a.NotExplained)
		}
	}
	if a := ask(5, 1); a.Explanation.Person != 1 || len(a.Persons) != 2 {
		t.Errorf("the second person: %+v", a)
	}
	for _, place := range []answer.Place{{Topic: answertest.Topic, Offset: 10}, {Topic: "none"}, {Topic: answertest.Topic, Partition: -1}, {Topic: answertest.Topic, Offset: 1 << 40}} {
		if _, err := answer.Event(t.Context(), d, answer.EventRequest{Place: place, Person: -1}); !errors.Is(err, answer.ErrNotFound) {
			t.Errorf("%v: %v", place, err)
		}
	}

	// A fact that was not known then: the difference is told.
	d.Facts = func(facts.Order, string, identity.Pseudonym, string, string, time.Time) event.Facts {
		return event.Facts{}
	}
	x := ask(2, -1).Explanation
	if want := []string{"verdict: stored violation, recomputed review", "missing facts: stored none, recomputed processor.storage_country"}; !x.Differs || !slices.Equal(x.Difference, want) {
		t.Errorf("differs: %v %q, want %q", x.Differs, x.Difference, want)
	}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	o, err := answer.OverviewOf(t.Context(), d, answer.OverviewRequest{Controller: answertest.Controller, Days: 3})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "overview.json", o)
	// Long after, the newest days that have events are shown.
	d.Now = func() time.Time { return answertest.Start.AddDate(3, 0, 0) }
	if later, err := answer.OverviewOf(t.Context(), d, answer.OverviewRequest{}); err != nil || later.Last != "2026-03-10" || len(later.Days) != 30 || later.Verdicts != o.Verdicts {
		t.Errorf("later: %+v, %v", later, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	set := func(f func(*answer.TimelineRequest)) answer.TimelineRequest {
		req := answer.TimelineRequest{Request: about("email", answertest.Email)}
		f(&req)
		return req
	}
	for pointer, req := range map[string]answer.TimelineRequest{
		"/controller":    set(func(r *answer.TimelineRequest) { r.Controller = answertest.Email }),
		"/person/scheme": set(func(r *answer.TimelineRequest) { r.Person.Scheme = "" }),
		"/person/value":  set(func(r *answer.TimelineRequest) { r.Person.Scheme = "pseudonym" }),
		"/from":          set(func(r *answer.TimelineRequest) { r.From = answertest.Email }),
		"/to":            set(func(r *answer.TimelineRequest) { r.From, r.To = "2026-02-02", "2026-02-01" }),
		"/cursor":        set(func(r *answer.TimelineRequest) { r.Cursor = "xyz" }),
	} {
		_, err := answer.TimelineOf(t.Context(), d, req)
		var fault *answer.Fault
		if !errors.As(err, &fault) || fault.Pointer != pointer || fault.Mend == "" || strings.Contains(err.Error(), "maasikas") {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

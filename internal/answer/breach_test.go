package answer_test

import (
	"errors"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
)

func window(set string, change func(*answer.ActsRequest)) answer.Window {
	w := answer.Window{Set: set, ActsRequest: answer.ActsRequest{Controller: answertest.Controller}}
	if change != nil {
		change(&w.ActsRequest)
	}
	return w
}

// Persons are counted exactly: by members of cohorts, and each once however many
// identifiers it has. The plant has two of them.
func TestBreachCountsPersons(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	bank := func(r *answer.ActsRequest) { r.Recipients = []string{"acme/bank"} }
	courier := func(r *answer.ActsRequest) { r.Recipients = []string{"acme/couriers"} }
	for name, c := range map[string]struct {
		windows []answer.Window
		persons int
		cohorts int
		events  uint64
	}{
		"all":                {[]answer.Window{window("", nil)}, 2, 1, 8},
		"by bank":            {[]answer.Window{window("", bank)}, 1, 0, 2},
		"a cohort":           {[]answer.Window{window("", courier)}, 2, 1, 1},
		"courier, not bank":  {[]answer.Window{window("", courier), window("difference", bank)}, 1, 1, 1},
		"courier and bank":   {[]answer.Window{window("", courier), window("intersection", bank)}, 1, 1, 3},
		"courier or bank":    {[]answer.Window{window("", bank), window("union", courier)}, 2, 1, 3},
		"nobody":             {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Actors = []string{"nobody"} })}, 0, 0, 0},
		"by actor":           {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Actors = []string{"u17"} })}, 1, 0, 2},
		"by role":            {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Roles = []string{"bookkeeper"} })}, 1, 0, 2},
		"by system":          {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Systems = []string{"/acme/crm"} })}, 2, 1, 8},
		"by category":        {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Categories = []string{"phone"} })}, 2, 1, 3},
		"by entity":          {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Entities = []string{"12345678", "Elsewhere AS"} })}, 2, 0, 2},
		"by operation":       {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Operations = []string{"use"} })}, 1, 0, 2},
		"violations":         {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Verdicts = []string{"violation"} })}, 1, 0, 2},
		"a rule":             {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Rules = []string{"A-1"} })}, 1, 0, 2},
		"a moment":           {[]answer.Window{window("", func(r *answer.ActsRequest) { r.From, r.To = "2026-03-10T08:00:00Z", "2026-03-10T08:00:00.001Z" })}, 1, 0, 1},
		"quote'd and \\ odd": {[]answer.Window{window("", func(r *answer.ActsRequest) { r.Actors = []string{"u17' OR 1=1 --", "\\"} })}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := answer.Breach(t.Context(), d, answer.BreachRequest{Windows: c.windows})
			if err != nil {
				t.Fatal(err)
			}
			if a.Persons != c.persons || a.Cohorts != c.cohorts || a.Total.Events != c.events {
				t.Errorf("%d persons, %d cohorts, %d events; want %d, %d, %d", a.Persons, a.Cohorts, a.Total.Events, c.persons, c.cohorts, c.events)
			}
		})
	}
}

func TestBreach(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	a, err := answer.Breach(t.Context(), d, answer.BreachRequest{
		Windows: []answer.Window{window("", func(r *answer.ActsRequest) { r.Operations = []string{"use"}; r.To = "2026-03-10T12:00:00Z" })},
		Onward:  2, AwareAt: "2026-03-10T09:00:00Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "breach.json", a)
}

func TestBreachFaults(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	for pointer, req := range map[string]answer.BreachRequest{
		"/windows":                {},
		"/windows/0/controller":   {Windows: []answer.Window{{}}},
		"/windows/0/operations/0": {Windows: []answer.Window{window("", func(r *answer.ActsRequest) { r.Operations = []string{"steal"} })}},
		"/windows/0/verdicts/0":   {Windows: []answer.Window{window("", func(r *answer.ActsRequest) { r.Verdicts = []string{"none"} })}},
		"/windows/0/from":         {Windows: []answer.Window{window("", func(r *answer.ActsRequest) { r.From = "yesterday" })}},
		"/windows/1/set":          {Windows: []answer.Window{window("", nil), window("xor", nil)}},
		"/aware_at":               {Windows: []answer.Window{window("", nil)}, AwareAt: "now"},
		"/until":                  {Windows: []answer.Window{window("", nil)}, Onward: 1, Until: "then"},
	} {
		_, err := answer.Breach(t.Context(), d, req)
		var f *answer.Fault
		if !errors.As(err, &f) || f.Pointer != pointer || f.Mend == "" {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

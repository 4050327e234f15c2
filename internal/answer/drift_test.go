package answer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/register"
)

func TestDrift(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	a, err := answer.DriftOf(t.Context(), d, answer.DriftRequest{})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "drift.json", a)
	if !a.Found() {
		t.Error("nothing found")
	}
	// A period by the day, and one within a day: the same sums, read otherwise.
	for _, req := range []answer.DriftRequest{
		{Controller: "acme", From: "2026-03-10", To: "2026-03-10"},
		{Controller: "acme", From: "2026-03-10T06:00:00Z", To: "2026-03-10T18:00:00.001Z"},
		{Controller: "acme", From: "2026-03-08T06:00:00Z", To: "2026-03-12T17:00:00Z"},
	} {
		b, err := answer.DriftOf(t.Context(), d, req)
		if err != nil {
			t.Fatal(err)
		}
		b.Controllers[0].Period = a.Controllers[0].Period
		if one, two := toJSON(t, a), toJSON(t, b); !bytes.Equal(one, two) {
			t.Errorf("%+v:\n%s\nwant\n%s", req, two, one)
		}
	}
	// Before that day nothing was seen; what was seen since says when it was last.
	b, err := answer.DriftOf(t.Context(), d, answer.DriftRequest{Controller: "acme", To: "2026-03-09"})
	if err != nil || b.Found() || b.Controllers[0].Events != 0 {
		t.Fatalf("before: %+v, %v", b, err)
	}
	last := make(map[string]time.Time)
	for _, u := range b.Controllers[0].Unseen {
		last[u.ID] = u.LastSeen
	}
	if want := answertest.Start.Add(12 * time.Hour); len(last) != 4 || !last["acme/bank"].Equal(want) || !last["acme/billing"].Equal(want) || !last["acme/couriers"].Equal(answertest.Start.Add(7*time.Hour)) {
		t.Errorf("last seen %v", last)
	}
}

// Each event is held against the register of its time, by the controller's
// calendar: 11 March begins in Auckland at 11:00 UTC on the 10th.
func TestDriftByRegister(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	at := func(from string, change ...string) *register.Register {
		change = append(change, "Europe/Tallinn", "Pacific/Auckland", `"2024-01-01"`, `"`+from+`"`)
		text := strings.NewReplacer(change...).Replace(string(read(t, "register.yaml")))
		r, findings := register.Parse("acme/"+from+".yaml", []byte(text), read(t, "categories.yaml"))
		if r == nil {
			t.Fatal(findings)
		}
		return r
	}
	seen := func(registers ...*register.Register) map[string]uint64 {
		t.Helper()
		d.Registers = register.NewSet(registers...)
		a, err := answer.DriftOf(t.Context(), d, answer.DriftRequest{})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]uint64{"before": a.Controllers[0].Before}
		for _, s := range a.Controllers[0].Undeclared {
			key := string(s.Kind) + " " + s.ID + s.Organisation
			if s.Purpose != nil {
				key += " for " + s.Purpose.ID
			}
			found[key] = s.Count
			if len(s.Examples) == 0 || len(s.Clauses) == 0 && s.Purpose != nil {
				t.Errorf("%s has no example or clause: %+v", key, s)
			}
		}
		return found
	}
	old := at("2024-01-01")
	// "name" is taken off the list, the bank gets data for other purposes only,
	// couriers are no longer declared: from 11:00 UTC on, which is from offset 5.
	later := at("2026-03-11", `categories: [name, phone]`, `categories: [phone]`, "purposes: [billing]\n    clauses: [\"§3\"]", "purposes: []\n    clauses: [\"§3\"]", "id: couriers", "id: riders")
	for name, c := range map[string]struct {
		registers []*register.Register
		want      map[string]uint64
	}{
		"one": {[]*register.Register{old}, map[string]uint64{
			"before": 0, "purpose acme/gossip": 1, "recipient Post24 OÜ": 1, "recipient Elsewhere AS": 1,
		}},
		"two": {[]*register.Register{old, later}, map[string]uint64{
			"before": 0, "purpose acme/gossip": 1, "recipient Post24 OÜ": 1, "recipient Elsewhere AS": 1, "recipient acme/couriers": 1,
			"recipient-for-another-purpose acme/bank for acme/billing": 1,
			// Use of two persons, the disclosure to Elsewhere, the last transfer to the bank.
			"category-outside-the-purpose name for acme/billing": 4,
		}},
		"none before": {[]*register.Register{later}, map[string]uint64{
			"before": 3, "purpose acme/gossip": 1, "recipient Elsewhere AS": 1, "recipient acme/couriers": 1,
			"recipient-for-another-purpose acme/bank for acme/billing": 1, "category-outside-the-purpose name for acme/billing": 4,
		}},
	} {
		got := seen(c.registers...)
		for key, n := range c.want {
			if got[key] != n {
				t.Errorf("%s: %s seen %d times, want %d", name, key, got[key], n)
			}
		}
		for key := range got {
			if _, wanted := c.want[key]; !wanted {
				t.Errorf("%s: %s is not drift", name, key)
			}
		}
	}
}

func TestDriftFaults(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	for pointer, req := range map[string]answer.DriftRequest{
		"/controller": {Controller: answertest.Email},
		"/from":       {From: answertest.Email},
		"/to":         {From: "2026-02-02", To: "2026-02-01"},
	} {
		_, err := answer.DriftOf(t.Context(), d, req)
		var fault *answer.Fault
		if !errors.As(err, &fault) || fault.Pointer != pointer || fault.Mend == "" || strings.Contains(err.Error(), "maasikas") {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("answertest", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func toJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

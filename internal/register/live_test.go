package register_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

// TestLive: what checks takes effect, what does not is refused and named, and
// the versions that were in use can still be found.
func TestLive(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"categories.yaml":      {Data: categories(t)},
		"acme/2024-01-01.yaml": {Data: []byte(minimal)},
	}
	live, err := register.NewLive(fsys)
	if err != nil {
		t.Fatal(err)
	}
	version := func() string {
		t.Helper()
		r, err := live.Set().For("acme", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		return r.Version
	}
	first := version()
	refresh := func(want bool) {
		t.Helper()
		changed, err := live.Refresh()
		if err != nil || changed != want {
			t.Fatalf("changed: %v, %v; want %v", changed, err, want)
		}
	}
	refresh(false)

	fsys["acme/2024-01-01.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(minimal, "that: in_eea(", "that: in_sea(", 1))}
	var faults *register.FindingsError
	if changed, err := live.Refresh(); changed || !errors.As(err, &faults) || !strings.Contains(err.Error(), "acme/2024-01-01.yaml:") {
		t.Fatalf("a register that does not check: %v, %v", changed, err)
	}
	if version() != first {
		t.Error("a register that does not check has taken effect")
	}
	refresh(false) // and is not tried, nor named, again

	fsys["acme/2024-01-01.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(minimal, "Banks in the EEA", "Banks within the EEA", 1))}
	refresh(true)
	second := version()
	if second == first {
		t.Error("the register that was changed has the version of the one before")
	}
	if _, ok := live.Set().Version(first); !ok {
		t.Error("the register that was in use before is forgotten")
	}

	fsys["acme/decisions/d.yaml"] = &fstest.MapFile{Data: []byte(`andmerada: decision/v1
id: A-D1
title: Undeclared recipients of billing
controller: acme
decided_on: "2026-01-01"
decided_by: data protection officer
settles: [X-03]
verdict: allowed
because: We looked.
`)}
	refresh(true)
	if version() == second {
		t.Error("a decision leaves the version as it was")
	}
	fsys["acme/cases/c.yaml"] = &fstest.MapFile{Data: []byte("cases: []")}
	refresh(false)
	delete(fsys, "categories.yaml")
	if changed, err := live.Refresh(); changed || err == nil {
		t.Error("registers without a vocabulary have taken effect")
	}
}

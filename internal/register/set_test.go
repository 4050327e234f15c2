package register_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

func TestTheRegisterInForceAtTheTime(t *testing.T) {
	t.Parallel()
	later := strings.Replace(minimal, `from: "2024-01-01"`, `from: "2025-03-30"`, 1)
	set, err := register.Load(fstest.MapFS{
		register.CategoriesFile: {Data: categories(t)},
		"acme/2024-01-01.yaml":  {Data: []byte(minimal)},
		"acme/2025-03-30.yaml":  {Data: []byte(later)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at, from string
		err      error
	}{
		{at: "2023-12-31T21:59:59Z", err: register.ErrNotInForce}, // 23:59:59 in Tallinn
		{at: "2023-12-31T22:00:00Z", from: "2024-01-01"},          // midnight there
		{at: "2025-03-29T21:59:59Z", from: "2024-01-01"},
		{at: "2025-03-29T22:00:00Z", from: "2025-03-30"}, // the night summer time begins
		{at: "2200-01-01T00:00:00Z", from: "2025-03-30"},
	} {
		at, _ := time.Parse(time.RFC3339, c.at)
		r, err := set.For("acme", at)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.at, err, c.err)
			continue
		}
		if err == nil && r.InForce.From != c.from {
			t.Errorf("%s: the register of %s, want of %s", c.at, r.InForce.From, c.from)
		}
	}
	if _, err := set.For("nobody", time.Now()); !errors.Is(err, register.ErrUnknownController) {
		t.Errorf("unknown controller: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	cats := &fstest.MapFile{Data: categories(t)}
	one := &fstest.MapFile{Data: []byte(minimal)}
	for name, c := range map[string]struct {
		fs   fstest.MapFS
		says string
	}{
		"no vocabulary":      {fstest.MapFS{"acme/a.yaml": one}, "category vocabulary"},
		"no registers":       {fstest.MapFS{register.CategoriesFile: cats}, "no registers"},
		"wrong directory":    {fstest.MapFS{register.CategoriesFile: cats, "other/a.yaml": one}, "the file lies in"},
		"twice on a day":     {fstest.MapFS{register.CategoriesFile: cats, "acme/a.yaml": one, "acme/b.yaml": one}, "the same day"},
		"one that is broken": {fstest.MapFS{register.CategoriesFile: cats, "acme/a.yaml": one, "acme/b.yaml": {Data: []byte("x")}}, "acme/b.yaml:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := register.Load(c.fs); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestTheVersionIsTheContent(t *testing.T) {
	t.Parallel()
	parse := func(text string) string {
		r, findings := register.Parse("x.yaml", []byte(text), categories(t))
		if r == nil {
			t.Fatal(findings)
		}
		return r.Version
	}
	version := parse(minimal)
	if again := parse(minimal); again != version {
		t.Error("the same file has two versions")
	}
	if version == parse(minimal+"# a remark\n") {
		t.Error("another file has the same version")
	}
}

func TestContainment(t *testing.T) {
	t.Parallel()
	r, _ := register.Parse("x.yaml", []byte(minimal), categories(t))
	for _, c := range []struct {
		list     []string
		category string
		want     bool
	}{
		{[]string{"contact-details"}, "email", true}, // a whole takes in the parts of its parts
		{[]string{"contact-address"}, "contact-details", false},
		{[]string{"email"}, "contact-address", false},
		{[]string{"email", "postal-address"}, "contact-address", true}, // the sum of its parts
		{[]string{"electricity-consumption", "gas-consumption"}, "consumption", true},
		{[]string{"consumption-site-address"}, "consumption-site", false}, // not a sum
		{[]string{"name"}, "no-such-category", false},
	} {
		if got := r.Vocab.Contains(c.list, c.category); got != c.want {
			t.Errorf("%v takes in %s: %v, want %v", c.list, c.category, got, c.want)
		}
	}
}

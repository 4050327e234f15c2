package answer_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/answer/model"
	"github.com/andmerada/andmerada/internal/profile"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/unusual"
)

// modelDeps is a planted trail with the model's profile and histories, and the
// clock of the model.
func modelDeps(t *testing.T, fill func(*model.Batch)) answer.Deps {
	t.Helper()
	d := answertest.Plant(t)
	b := model.NewBatch(d.Keys, d.Now)
	fill(b)
	b.Insert(t, d.Trail)
	d.Registers = register.NewSet(append(d.Registers.All(), b.Registers()...)...)
	var err error
	if d.Profiles, err = profile.Load(fstest.MapFS{"xx.yaml": {Data: model.Profile()}}); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestModel asks the same of the trail and of a plain list of what happened. What
// some fifty histories happen not to have is looked for in fifty more, twice.
func TestModel(t *testing.T) {
	t.Parallel()
	base, seeds := model.Seeds(t, 50)
	seen := make(map[string]int)
	for round := range 3 {
		askModel(t, base+uint64(round*seeds), seeds, seen)
		t.Log(seen)
		never := model.Never(seen)
		if seeds < 50 || len(never) == 0 {
			return
		}
		if round == 2 {
			t.Errorf("in no history there was %q: nothing was shown of it", never)
		}
	}
}

// askModel runs the checks of some histories, and counts what they came across.
func askModel(t *testing.T, base uint64, seeds int, seen map[string]int) {
	var all []*model.History
	var batch *model.Batch
	d := modelDeps(t, func(b *model.Batch) {
		batch = b
		for n := range seeds {
			h := b.History(t, base+uint64(n), n%4 == 3)
			if n%8 == 7 { // while the moments are, as of which is asked
				h.Change(t, model.Start.Add(200*time.Minute))
			}
			all = append(all, h)
		}
	})
	for n, h := range all {
		t.Run(h.Controller, func(t *testing.T) {
			for i, c := range model.Checks() {
				if (n+i)%c.Every == 0 {
					c.Run(h, t, model.Functions(d))
				}
			}
		})
	}
	for what, n := range batch.Seen() {
		seen[what] += n
	}
}

// TestUnusualModel asks for unusual access, and counts it again slowly.
func TestUnusualModel(t *testing.T) {
	t.Parallel()
	base, seeds := model.Seeds(t, 25)
	var all []*model.Watched
	d := modelDeps(t, func(b *model.Batch) {
		for n := range uint64(seeds) {
			all = append(all, b.Watched(t, base+n))
		}
	})
	d.Now = func() time.Time { return answertest.Start.AddDate(1, 0, 0) }
	hits := make(map[string]int)
	for n, w := range all {
		rules, err := unusual.Parse("rules.yaml", model.UnusualRules((base+uint64(n))%3 == 0))
		if err != nil {
			t.Fatal(err)
		}
		d.Unusual = rules
		t.Run(w.Controller, func(t *testing.T) { w.Check(t, model.Functions(d), rules, hits) })
	}
	for _, id := range []string{"OWN", "REL", "COL", "PUB", "END", "DAY", "HOUR", "CLOCK", "FOR", "DATA"} {
		if hits[id] == 0 {
			t.Errorf("no hit of %s in any history: nothing was shown of it", id)
		}
	}
	t.Log(hits)
}

package trail

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// TestActsByEach: counted by several lists of dimensions at once is what it is by
// each alone.
func TestActsByEach(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	var events [][]Row
	for range 150 {
		row := Row{
			Person: person(uint64(rng.IntN(6))), Time: queryDay.Add(time.Duration(rng.IntN(60)) * time.Hour), Operation: event.Operation(1 + rng.IntN(10)),
			Actor: pick("", "u-1", "u-2"), Purpose: pick("elektrum/billing", "elektrum/contract"), Recipient: pick("", "elektrum/creditinfo-eesti"), Records: uint64(rng.IntN(3)),
			Categories: [][]string{nil, {"name"}, {"name", "phone"}, {"phone", "email", "name"}}[rng.IntN(4)], Basis: pick("", "contract"),
			Verdict: register.Allowed, Rules: [][]string{nil, {"ELK-01"}, {"ELK-01", "ELK-02"}}[rng.IntN(3)], RegisterVersion: pick("v1", "v2"),
		}
		rows := []Row{row}
		if rng.IntN(4) == 0 {
			row.Person, row.Verdict, row.Rules = person(uint64(rng.IntN(6))), register.Review, []string{"ELK-09"}
			rows = append(rows, row)
		}
		events = append(events, rows)
	}
	plant(t, db, nil, events...)
	mustExec(t, db, `INSERT INTO trail SELECT * REPLACE ('late-fact' AS cause, 'violation' AS verdict, judged_at + INTERVAL 1 DAY AS judged_at) FROM trail WHERE offset % 7 = 0`)
	// By a clock that is behind: a later verdict stands all the same.
	mustExec(t, db, `INSERT INTO trail SELECT * REPLACE ('late-fact' AS cause, 'review' AS verdict, judged_at - INTERVAL 1 DAY AS judged_at) FROM trail WHERE offset % 11 = 1 AND offset % 7 != 0`)

	lists := [][]Dimension{nil, {ByPurpose}, {ByCategory}, {ByVerdict, ByRule, ByVersion}, {ByDay, ByActor}, {ByRule, ByBasis, ByCategory}, {ByCategory, ByOperation}, {}}
	for name, a := range map[string]Acts{
		"all":       {Controller: "elektrum"},
		"some":      {Controller: "elektrum", Actors: []string{"u-1"}, Or: []Acts{{Controller: "elektrum", Recipients: []string{"elektrum/creditinfo-eesti"}}}},
		"violation": {Controller: "elektrum", Verdicts: []string{"violation", "review"}},
		"of a few":  {Controller: "elektrum", About: AboutSomeone, Among: [][16]byte{person(1), person(4)}},
		"none":      {Controller: "elektrum", Actors: []string{"nobody"}},
	} {
		together, err := db.ActsByEach(t.Context(), a, lists...)
		if err != nil {
			t.Fatal(err)
		}
		for i, by := range lists {
			alone, complete, err := db.ActsBy(t.Context(), a, by...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(together[i], Tallies{alone, complete}) {
				t.Errorf("%s by %v: together\n%+v, alone\n%+v", name, by, together[i], alone)
			}
			if (len(alone) == 0) != (name == "none") {
				t.Errorf("%s by %v: %d tallies", name, by, len(alone))
			}
		}
		// Whether a selection is of few events or of many must not show.
		all := func(few int) string {
			db.few = few
			tallies, err := db.ActsByEach(t.Context(), a, lists...)
			if err != nil {
				t.Fatal(err)
			}
			list, err := db.ActsList(t.Context(), a, nil, maxPage)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%+v\n%+v\n", tallies, list)
			if a.Among == nil {
				some := make(map[byte]uint64)
				err = errors.Join(
					db.ActsExposed(t.Context(), a, func(e *Exposed) error {
						text += fmt.Sprint(e.Person, e.First, e.Last, e.Events, len(e.Contexts), "\n")
						return nil
					}),
					db.ActsOfSome(t.Context(), a, [][16]byte{person(1), person(2)}, [][16]byte{person(1), person(2)}, func(one [16]byte, events uint64) { some[one[15]] += events }),
				)
				text += fmt.Sprint(some)
			}
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		many := all(0)
		if few, tooFew := all(maxFew), all(3); few != many || tooFew != many {
			t.Errorf("%s: of many\n%s\nof few\n%s\nof more than was thought\n%s", name, many, few, tooFew)
		}
		db.few = maxFew
	}
}

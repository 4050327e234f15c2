package trail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// acting are those who answer about acts.
type acting interface {
	ActsByEach(ctx context.Context, a Acts, lists ...[]Dimension) ([]Tallies, error)
	ActsList(ctx context.Context, a Acts, before *Place, n int) ([]Row, error)
	ActsExposed(ctx context.Context, a Acts, f func(*Exposed) error) error
	ActsOfSome(ctx context.Context, a Acts, pseudonyms, ones [][16]byte, f func(one [16]byte, events uint64)) error
}

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
			Person: person(uint64(rng.IntN(6))), ActorRole: pick("", "clerk"), RecipientOrganisation: pick("", "Uus AS"), RecipientCode: pick("", "7"), RecipientCountry: pick("", "LV"), Time: queryDay.Add(time.Duration(rng.IntN(60)) * time.Hour), Operation: event.Operation(1 + rng.IntN(10)),
			Actor: pick("", "u-1", "u-2"), Purpose: pick("elektrum/billing", "elektrum/contract"), Recipient: pick("", "elektrum/creditinfo-eesti"), Records: uint64(rng.IntN(3)),
			Categories: [][]string{nil, {"name"}, {"name", "phone"}, {"phone", "email", "name"}}[rng.IntN(4)], Basis: pick("", "contract"),
			Verdict: register.Allowed, Rules: [][]string{nil, {"ELK-01"}, {"ELK-01", "ELK-02"}}[rng.IntN(3)], RegisterVersion: pick("v1", "v2"),
		}
		if rng.IntN(10) == 0 {
			row.Person = [16]byte{}
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
	for _, d := range Dimensions() {
		lists = append(lists, []Dimension{d})
	}
	for name, a := range map[string]Acts{
		"all":       {Controller: "elektrum"},
		"some":      {Controller: "elektrum", Actors: []string{"u-1"}, Or: []Acts{{Controller: "elektrum", Recipients: []string{"elektrum/creditinfo-eesti"}}}},
		"violation": {Controller: "elektrum", Verdicts: []string{"violation", "review"}},
		"of a few":  {Controller: "elektrum", About: AboutSomeone, Among: [][16]byte{person(1), person(4)}},
		"by rule":   {Controller: "elektrum", Rules: []string{"ELK-02"}, Categories: []string{"name"}},
		"nobody":    {Controller: "elektrum", About: AboutNobody},
		"by person": {Controller: "elektrum", Persons: [][16]byte{person(1), person(2)}},
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
		// Whether a selection is of few events or of many must not show, nor whether
		// it was read at once.
		all := func(few int, by acting) string {
			db.few = few
			tallies, err := by.ActsByEach(t.Context(), a, lists...)
			if err != nil {
				t.Fatal(err)
			}
			list, err := by.ActsList(t.Context(), a, nil, maxPage)
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for i := range tallies {
				text += fmt.Sprintf("by %v: %+v\n", lists[i], tallies[i])
			}
			for i := range list {
				text += fmt.Sprintf("%+v\n", list[i])
			}
			text += "\n"
			if len(list) > 10 {
				before := list[7]
				page, err := by.ActsList(t.Context(), a, &Place{before.Time, before.Topic, before.Partition, before.Offset}, 3)
				if err != nil || len(page) != 3 || !reflect.DeepEqual(page, list[8:11]) {
					t.Errorf("%s: a page before %d: %+v, %v", name, before.Offset, page, err)
				}
			}
			if a.Among == nil {
				some := make(map[byte]uint64)
				err = errors.Join(
					by.ActsExposed(t.Context(), a, func(e *Exposed) error {
						var contexts []string
						for _, c := range e.Contexts {
							contexts = append(contexts, fmt.Sprintf("%+v", c))
						}
						slices.Sort(contexts)
						text += fmt.Sprint(e.Person, e.First, e.Last, e.Events, contexts, "\n")
						return nil
					}),
					by.ActsOfSome(t.Context(), a, [][16]byte{person(1), person(2)}, [][16]byte{person(1), person(2)}, func(one [16]byte, events uint64) { some[one[15]] += events }),
				)
				text += fmt.Sprint(some)
			}
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		many := all(0, db)
		read, tooMany := db.Reading(), db.Reading()
		tooMany.most = 3
		for way, got := range map[string]string{
			"of few": all(maxFew, db), "of more than was thought": all(3, db), "read at once": all(maxFew, read), "too many for that": all(maxFew, tooMany),
		} {
			lines, want := strings.Split(got, "\n"), strings.Split(many, "\n")
			for i := range min(len(lines), len(want)) {
				if lines[i] != want[i] {
					t.Errorf("%s, %s:\n%s\nof many:\n%s", name, way, lines[i], want[i])
					break
				}
			}
			if len(lines) != len(want) {
				t.Errorf("%s, %s: %d lines, of many %d", name, way, len(lines), len(want))
			}
		}
		for _, s := range read.read {
			if !s.few {
				t.Errorf("%s: it was not read at once", name)
			}
		}
	}
}

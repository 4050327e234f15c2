package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// What is planted: a year of a large controller. Whatever row is at an offset
// follows from the seed and the offset alone, so that planting goes on where it
// was interrupted.
const (
	plantedTopic   = "planted"
	plantedRange   = 200_000 // rows of an insert
	plantedActors  = 2_000
	plantedCohorts = 24
	cohortSize     = 50_000
	cohortPart     = 10_000
	cohortEvents   = 24 // acts upon each cohort
	cohortOffsets  = cohortSize/cohortPart + cohortEvents
)

var (
	plantedFrom = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
	plantedYear = 365 * 24 * time.Hour
)

// planted is a trail of that many rows, kept for the next time.
type planted struct {
	*place
	database   string
	db         *trail.DB
	controller string
	rows       int // of the events of single persons
	persons    int
	sample     []trail.Row
	growth     []askedPoint
}

// openPlanted opens what there is of a planted trail.
func (p *place) openPlanted(ctx context.Context) (*planted, error) {
	db, database, err := p.database(ctx, "planted")
	if err != nil {
		return nil, err
	}
	all := &planted{place: p, database: database, db: db, rows: p.askRows, persons: p.askPersons}
	for _, row := range p.samples() {
		if all.controller == "" {
			all.controller = row.Controller
		}
		if row.Controller == all.controller && !row.Cohort {
			row.Verdict, row.Rules, row.RegisterVersion, row.Evaluator = register.Allowed, []string{"ELK-01"}, "0123456789abcdef", 1
			all.sample = append(all.sample, row)
		}
	}
	if text, err := os.ReadFile(all.growthFile()); err == nil {
		if err := json.Unmarshal(text, &all.growth); err != nil {
			return nil, fmt.Errorf("read %s: %w", all.growthFile(), err)
		}
	}
	return all, nil
}

func (p *planted) growthFile() string { return filepath.Join(p.houseDir, "growth.json") }

// offsets is how many there are in all: the cohorts' listings and what is done
// with them come first.
func (p *planted) offsets() int64 { return p.cohortOffsets() + int64(p.rows) }

func (p *planted) cohortOffsets() int64 { return plantedCohorts * cohortOffsets }

// plant goes on until all rows are there. At each power of ten it asks.
func (p *planted) plant(ctx context.Context) error {
	next, pending, err := p.db.Position(ctx, plantedTopic, 0)
	if err != nil {
		return err
	}
	if pending != nil {
		return errors.New("planting was interrupted within an insert: remove " + p.houseDir)
	}
	next = max(next, 0)
	blocks := trail.NewBlocks()
	for next < p.cohortOffsets() {
		blocks.Reset()
		if err := p.cohort(blocks, next); err != nil {
			return err
		}
		if next, err = p.insert(ctx, blocks, next, next+cohortOffsets); err != nil {
			return err
		}
	}
	began, told, first := time.Now(), time.Now(), next
	for stage := int64(1_000_000); ; stage *= 10 {
		end := p.cohortOffsets() + min(stage, int64(p.rows))
		asks := next < end
		for next < end {
			blocks.Reset()
			last := min(end, next+plantedRange)
			p.fillRange(blocks, next, last)
			if next, err = p.insert(ctx, blocks, next, last); err != nil {
				return err
			}
			if time.Since(told) > 15*time.Second {
				told = time.Now()
				p.say("planting: %d of %d rows, %.0f rows/s", next, p.offsets(), float64(next-first)/time.Since(began).Seconds())
			}
		}
		if asks {
			if err := p.grown(ctx, int(end-p.cohortOffsets())); err != nil {
				return err
			}
		}
		if end == p.offsets() {
			return nil
		}
	}
}

func (p *planted) insert(ctx context.Context, blocks *trail.Blocks, first, end int64) (next int64, err error) {
	at := p.timeOf(end)
	return end, p.db.Insert(ctx, trail.Range{Topic: plantedTopic, First: first, Last: end - 1}, at.Truncate(time.Millisecond), blocks)
}

// timeOf spreads the offsets over the year.
func (p *planted) timeOf(offset int64) time.Time {
	share := float64(max(0, offset-p.cohortOffsets())) / float64(p.rows)
	return plantedFrom.Add(time.Duration(share * float64(plantedYear)))
}

// fillRange makes the rows of offsets.
func (p *planted) fillRange(blocks *trail.Blocks, first, end int64) {
	rng := rand.New(rand.NewPCG(p.Seed, uint64(first)))
	id := make([]byte, 0, 36)
	for offset := first; offset < end; offset++ {
		row := p.sample[rng.IntN(len(p.sample))]
		row.Offset, row.Time, row.Of = offset, p.timeOf(offset), 1
		row.Recorded, row.JudgedAt = row.Time, p.timeOf(end)
		row.Person = pseudonymOf(rng.IntN(p.persons))
		row.Actor = fmt.Sprintf("u-%04d", rng.IntN(plantedActors))
		a, b := rng.Uint64(), rng.Uint64()
		id = fmt.Appendf(id[:0], "%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), a>>52, uint16(b), b>>16)
		row.EventID = string(id)
		binary.LittleEndian.PutUint64(row.BodyHash[:], b)
		binary.LittleEndian.PutUint64(row.BodyHash[8:], a)
		binary.LittleEndian.PutUint64(row.TraceID[:], a)
		row.Sequence = uint64(offset)
		blocks.Trail.Append(&row)
	}
}

// cohort makes the listing of the cohort whose offsets begin there, and some
// acts upon it.
func (p *planted) cohort(blocks *trail.Blocks, offset int64) error {
	number := int(offset / cohortOffsets)
	size := min(cohortSize, p.persons)
	id := fmt.Sprintf("segment-%02d", number)
	who, err := p.keys.Cohort(p.controller, id)
	if err != nil {
		return err
	}
	base := p.sample[number%len(p.sample)]
	base.Person, base.Cohort, base.CohortID, base.CohortSize, base.Of = who, true, id, uint64(size), 1
	first := rand.New(rand.NewPCG(p.Seed, uint64(offset))).IntN(p.persons)
	for part := range cohortSize / cohortPart {
		row := base
		row.Operation, row.Verdict, row.Rules = trail.OperationCohort, register.NotApplicable, nil
		row.CohortPart, row.CohortParts = uint32(part+1), cohortSize/cohortPart
		row.Offset, row.Time, row.EventID = offset, plantedFrom, fmt.Sprintf("%s-%d", id, part)
		blocks.Trail.Append(&row)
		for n := part * cohortPart; n < min(size, (part+1)*cohortPart); n++ {
			blocks.Members.Append(&trail.Member{Controller: p.controller, CohortID: id, Person: pseudonymOf((first + n) % p.persons), Part: row.CohortPart, Offset: offset})
		}
		offset++
	}
	for n := range cohortEvents {
		row := base
		row.Offset, row.EventID = offset, fmt.Sprintf("%s-act-%d", id, n)
		row.Time = plantedFrom.Add(time.Duration(n) * plantedYear / cohortEvents)
		blocks.Trail.Append(&row)
		offset++
	}
	return nil
}

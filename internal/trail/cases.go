package trail

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Case is a breach trace that was frozen under a name.
type Case struct {
	ID, Controller, Name string
	Request, Answer      json.RawMessage
	Persons              uint64
	AwareAt, FrozenAt    time.Time
}

// CasePerson is one whom a case affects.
type CasePerson struct {
	Person      [16]byte // of several that are linked, the least
	First, Last time.Time
	Events      uint64
	Categories  []string
}

// ErrNoCases says that no case can be kept: the trail was opened to read only, and
// without a user who may write cases.
var ErrNoCases = errors.New("no case can be kept: the trail is open to read only, and nobody is named who may write cases")

// KeepsCases says whether cases can be kept.
func (db *DB) KeepsCases() bool { return db.cases != nil }

// sendCase writes a block into a table of cases.
func (db *DB) sendCase(ctx context.Context, table, token string, columns []column) error {
	ctx, cancel := db.detach(ctx)
	defer cancel()
	return asRefusal(db.cases.insert(ctx, table, token, columns))
}

// casePart is how many persons are written at once.
const casePart = 100_000

// FreezeCase keeps a case: first its persons, then itself, so that a case that is
// there is whole; persons without a case are left by a crash, and nobody asks
// for them. The id must be new.
func (db *DB) FreezeCase(ctx context.Context, c *Case, persons []CasePerson) error {
	if !db.KeepsCases() {
		return ErrNoCases
	}
	for n := 0; n < len(persons); n += casePart {
		if err := db.writeCasePersons(ctx, c.ID, persons[n:min(n+casePart, len(persons))]); err != nil {
			return fmt.Errorf("freeze the persons of a case: %w", err)
		}
	}
	id, controller := new(proto.ColStr), newLowCard()
	id.Append(c.ID)
	controller.Append(c.Controller)
	var name, request, answer proto.ColStr
	name.Append(c.Name)
	request.AppendBytes(c.Request)
	answer.AppendBytes(c.Answer)
	var aware, frozen millis
	aware.append(c.AwareAt)
	frozen.append(c.FrozenAt)
	if err := db.sendCase(ctx, "cases", "case:"+c.ID, []column{
		{"case_id", id},
		{"controller", controller},
		{"name", &name},
		{"request", &request},
		{"answer", &answer},
		{"persons", &proto.ColUInt64{uint64(len(persons))}},
		{"aware_at", &aware},
		{"frozen_at", &frozen},
	}); err != nil {
		return fmt.Errorf("freeze a case: %w", err)
	}
	return nil
}

func (db *DB) writeCasePersons(ctx context.Context, id string, persons []CasePerson) error {
	var ids proto.ColStr
	var person proto.ColFixedStr16
	var first, last millis
	var events proto.ColUInt64
	categories := new(proto.ColStr).LowCardinality().Array()
	for i := range persons {
		p := &persons[i]
		ids.Append(id)
		person.Append(p.Person)
		first.append(p.First)
		last.append(p.Last)
		events.Append(p.Events)
		categories.Append(p.Categories)
	}
	return db.sendCase(ctx, "case_persons", "", []column{
		{"case_id", &ids},
		{"person", &person},
		{"first", &first},
		{"last", &last},
		{"events", &events},
		{"categories", categories},
	})
}

// Cases lists the cases of a controller, or of all, newest first, without what
// was asked and answered.
func (db *DB) Cases(ctx context.Context, controller string) (all []Case, err error) {
	err = db.each(ctx, `SELECT case_id, controller, name, persons, aware_at, frozen_at FROM cases
		WHERE {controller:String} = '' OR controller = {controller:String} ORDER BY frozen_at DESC, case_id LIMIT 1000`,
		map[string]string{"controller": controller}, func(scan func(...any) error) error {
			var c Case
			err := scan(&c.ID, &c.Controller, &c.Name, &c.Persons, &c.AwareAt, &c.FrozenAt)
			c.AwareAt = stated(c.AwareAt)
			all = append(all, c)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list the cases: %w", err)
	}
	return all, nil
}

// stated is a time of a case, zero where nobody has said it: the column has 1970
// then.
func stated(t time.Time) time.Time {
	if t.UnixMilli() == 0 {
		return time.Time{}
	}
	return t
}

// ErrNoCase says that there is no case of that id.
var ErrNoCase = errors.New("there is no such case")

// CaseOf is a case whole.
func (db *DB) CaseOf(ctx context.Context, id string) (c Case, err error) {
	found := false
	err = db.each(ctx, `SELECT case_id, controller, name, request, answer, persons, aware_at, frozen_at FROM cases WHERE case_id = {id:String} LIMIT 1`,
		map[string]string{"id": id}, func(scan func(...any) error) error {
			found = true
			var request, answer string
			err := scan(&c.ID, &c.Controller, &c.Name, &request, &answer, &c.Persons, &c.AwareAt, &c.FrozenAt)
			c.AwareAt = stated(c.AwareAt)
			c.Request, c.Answer = json.RawMessage(request), json.RawMessage(answer)
			return err
		})
	switch {
	case err != nil:
		return Case{}, fmt.Errorf("read a case: %w", err)
	case !found:
		return Case{}, ErrNoCase
	}
	return c, nil
}

// PersonsOfCase streams the persons of a case in order of their pseudonyms, those
// after one, at most n.
func (db *DB) PersonsOfCase(ctx context.Context, id string, after [16]byte, n int, f func(CasePerson) error) error {
	var person proto.ColFixedStr16
	var first, last millis
	var events proto.ColUInt64
	categories := new(proto.ColStr).LowCardinality().Array()
	err := db.pool.do(ctx, ch.Query{
		Body:       "SELECT person, first, last, events, categories FROM case_persons WHERE case_id = {id:String} AND person > toFixedString(unhex({after:String}), 16) ORDER BY person LIMIT 1 BY person LIMIT {n:UInt64}",
		Parameters: parameters(map[string]string{"id": id, "after": hex.EncodeToString(after[:]), "n": strconv.Itoa(n)}),
		Result: proto.Results{
			{Name: "person", Data: &person},
			{Name: "first", Data: &first},
			{Name: "last", Data: &last},
			{Name: "events", Data: &events},
			{Name: "categories", Data: categories},
		},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				if err := f(CasePerson{person[i], first.at(i), last.at(i), events[i], listOf(categories, i)}); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("read the persons of a case: %w", err)
	}
	return nil
}

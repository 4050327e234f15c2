package trail

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/andmerada/andmerada/internal/event"
)

// Humans selects what humans did with the data of one controller's persons, in a
// time of the events' own, each event once.
type Humans struct {
	Controller   string
	From, To     time.Time // From included, To not; zero = open
	Operations   []string  // names of operations
	WithoutRoles []string  // roles in which was acted otherwise
	// Questions says that what was asked of the trail itself is among it.
	Questions bool
}

// Bounds of the questions on habits.
const (
	maxHabitDays = 2_000_000 // actors' days of one query
	maxHabitUses = 500_000   // purposes or categories of all actors
)

func (h *Humans) params() map[string]string {
	q := PersonQuery{Controller: h.Controller, From: h.From, To: h.To}
	p := q.params()
	delete(p, "persons")
	hexed := func(list []string) string {
		all := make([]string, len(list))
		for i, v := range list {
			all[i] = hex.EncodeToString([]byte(v))
		}
		return quoteHex(all)
	}
	p["operations"], p["without_roles"] = hexed(h.Operations), hexed(h.WithoutRoles)
	return p
}

// where are the conditions on a row of the trail. It uses nothing that the
// projection by_person does not hold.
func (h *Humans) where() string {
	source := ""
	if !h.Questions {
		source = ` AND source != '` + event.AnswersSource + `'`
	}
	return `controller = {controller:String} AND cause = '' AND NOT duplicate AND actor != ''
		AND operation NOT IN ('fact', 'cohort') AND toString(operation) IN (SELECT unhex(arrayJoin({operations:Array(String)})))
		AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
		AND context IN (SELECT id FROM contexts WHERE actor_kind = 'human' AND actor_role NOT IN (SELECT unhex(arrayJoin({without_roles:Array(String)})))` + source + `)`
}

// HabitDay is what one actor did in one role on one day of a calendar.
type HabitDay struct {
	Actor, Role string
	Date        event.Date
	Events      uint64     // each once, however many persons it is about
	Persons     uint64     // different pseudonyms; a cohort counts by its size
	Hours       [24]uint64 // the same, by hour of the day
	Active      uint32     // a bit for each hour with events
	First       time.Time
}

// HabitDays tells what actors did, day by day of the calendar of a zone, in no
// order. complete is false if there was more than can be told.
func (db *DB) HabitDays(ctx context.Context, h Humans, zone string, f func(*HabitDay)) (complete bool, err error) {
	params := h.params()
	params["zone"] = zone
	var actor, role proto.ColStr
	var date proto.ColInt32
	var events, persons proto.ColUInt64
	var active proto.ColUInt32
	var first millis
	hours := new(proto.ColUInt64).Array()
	n := 0
	err = db.pool.do(ctx, ch.Query{
		Body: `SELECT actor, role, toInt32(day) AS date, sum(n) AS events, sum(weight) AS persons,
				sumForEach(arrayMap(i -> if(bitTest(mask, i), weight, toUInt64(0)), range(24))) AS hours, groupBitOr(mask) AS active, min(began) AS first
			FROM
			(
				SELECT CAST(t.actor, 'String') AS actor, CAST(c.actor_role, 'String') AS role, toDate32(t.time, {zone:String}) AS day, t.person AS person,
					countIf(t.person_index = 0) AS n, max(if(c.cohort, c.cohort_size, toUInt64(t.person != toFixedString('', 16)))) AS weight,
					groupBitOr(bitShiftLeft(toUInt32(1), toHour(t.time, {zone:String}))) AS mask, min(t.time) AS began
				FROM (SELECT actor, context, time, person, person_index FROM trail WHERE ` + h.where() + `) AS t ANY LEFT JOIN contexts AS c ON t.context = c.id
				GROUP BY actor, role, day, person
			)
			GROUP BY actor, role, day LIMIT ` + strconv.Itoa(maxHabitDays+1),
		Parameters: parameters(params),
		Settings:   []ch.Setting{noProjections(), setting("max_execution_time", "60")},
		Result: proto.Results{
			{Name: "actor", Data: &actor},
			{Name: "role", Data: &role},
			{Name: "date", Data: &date},
			{Name: "events", Data: &events},
			{Name: "persons", Data: &persons},
			{Name: "hours", Data: hours},
			{Name: "active", Data: &active},
			{Name: "first", Data: &first},
		},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				if n++; n > maxHabitDays {
					return nil
				}
				d := HabitDay{Actor: actor.Row(i), Role: role.Row(i), Date: event.Date(date[i]), Events: events[i], Persons: persons[i], Active: active[i], First: first.at(i)}
				copy(d.Hours[:], hours.Row(i))
				f(&d)
			}
			return nil
		},
	})
	if err != nil {
		return false, fmt.Errorf("count what actors did: %w", err)
	}
	return n <= maxHabitDays, nil
}

// HabitUse is a purpose or a category of data that an actor had in one role.
type HabitUse struct {
	Actor, Role, Value string
	Events             uint64
	First, Last        time.Time
}

// HabitUses tells for which purposes, or with which categories of data, actors
// acted, in no order. complete is false if there was more than can be told.
func (db *DB) HabitUses(ctx context.Context, h Humans, by Dimension, f func(*HabitUse)) (complete bool, err error) {
	if by != ByPurpose && by != ByCategory {
		return false, fmt.Errorf("count what actors did: not by %q", by)
	}
	var actor, role, value proto.ColStr
	var events proto.ColUInt64
	var first, last millis
	n := 0
	err = db.pool.do(ctx, ch.Query{
		Body: `SELECT CAST(t.actor, 'String') AS actor, CAST(c.actor_role, 'String') AS role, CAST(` + dimensions[by] + `, 'String') AS value, sum(t.n) AS events, min(t.first) AS first, max(t.last) AS last
			FROM (SELECT actor, context, countIf(person_index = 0) AS n, min(time) AS first, max(time) AS last FROM trail WHERE ` + h.where() + ` GROUP BY actor, context) AS t
				ANY LEFT JOIN contexts AS c ON t.context = c.id
			GROUP BY actor, role, value LIMIT ` + strconv.Itoa(maxHabitUses+1),
		Parameters: parameters(h.params()),
		Settings:   []ch.Setting{noProjections(), setting("max_execution_time", "60")},
		Result: proto.Results{
			{Name: "actor", Data: &actor},
			{Name: "role", Data: &role},
			{Name: "value", Data: &value},
			{Name: "events", Data: &events},
			{Name: "first", Data: &first},
			{Name: "last", Data: &last},
		},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				if n++; n > maxHabitUses {
					return nil
				}
				f(&HabitUse{Actor: actor.Row(i), Role: role.Row(i), Value: value.Row(i), Events: events[i], First: first.at(i), Last: last.at(i)})
			}
			return nil
		},
	})
	if err != nil {
		return false, fmt.Errorf("count what actors acted for: %w", err)
	}
	return n <= maxHabitUses, nil
}

// HumanAct is one act on one person's record.
type HumanAct struct {
	Actor, Role string
	Person      [16]byte
	Time        time.Time
	Reasoned    bool // a reason is stated
}

// HumanActs lists acts on single persons, the newest first, at most limit of them:
// all, or those on some persons; unreasoned leaves out those with a reason.
// complete is false if there were more.
func (db *DB) HumanActs(ctx context.Context, h Humans, persons [][16]byte, unreasoned bool, limit int) (acts []HumanAct, complete bool, err error) {
	if persons != nil && len(persons) == 0 {
		return nil, true, nil
	}
	where := h.where() + ` AND person != toFixedString('', 16) AND context IN (SELECT id FROM contexts WHERE NOT cohort)`
	settings := []ch.Setting{setting("max_execution_time", "60"), setting("query_plan_optimize_lazy_materialization", "0")}
	q := ch.Query{Parameters: parameters(h.params())}
	if persons == nil {
		settings = append(settings, noProjections())
	} else {
		where += ` AND person IN (SELECT person FROM persons)`
		q.ExternalData, q.ExternalTable = personsTable(persons, nil), "persons"
	}
	if unreasoned {
		where += ` AND reason = ''`
	}
	var actor, role proto.ColStr
	var person proto.ColFixedStr16
	var at millis
	var reasoned proto.ColUInt8
	q.Settings = settings
	q.Body = `SELECT CAST(t.actor, 'String') AS actor, CAST(c.actor_role, 'String') AS role, t.person AS person, t.time AS time, t.reason != '' AS reasoned
		FROM
		(
			SELECT actor, context, person, time, reason FROM trail WHERE ` + where + `
			ORDER BY time DESC, topic DESC, partition DESC, offset DESC, person_index LIMIT ` + strconv.Itoa(limit+1) + `
		) AS t ANY LEFT JOIN contexts AS c ON t.context = c.id`
	q.Result = proto.Results{
		{Name: "actor", Data: &actor},
		{Name: "role", Data: &role},
		{Name: "person", Data: &person},
		{Name: "time", Data: &at},
		{Name: "reasoned", Data: &reasoned},
	}
	q.OnResult = func(_ context.Context, block proto.Block) error {
		for i := range block.Rows {
			acts = append(acts, HumanAct{Actor: actor.Row(i), Role: role.Row(i), Person: person[i], Time: at.at(i), Reasoned: reasoned[i] != 0})
		}
		return nil
	}
	if err := db.pool.do(ctx, q); err != nil {
		return nil, false, fmt.Errorf("list what actors did: %w", err)
	}
	slices.SortStableFunc(acts, func(a, b HumanAct) int { return b.Time.Compare(a.Time) })
	if len(acts) > limit {
		return acts[:limit], false, nil
	}
	return acts, true, nil
}

// FactsOfKinds lists facts of some kinds, about some persons or, with nil, about
// anybody: one row for each person named, by place, at most limit of them.
// complete is false if there were more. When they were recorded is not read.
func (db *DB) FactsOfKinds(ctx context.Context, controller string, kinds []string, persons [][16]byte, limit int) (rows []Row, complete bool, err error) {
	where := `WHERE controller = {controller:String} AND operation = 'fact' AND fact IN (SELECT arrayJoin({kinds:Array(String)})) AND NOT duplicate AND cause = '' AND person != toFixedString('', 16)`
	params := map[string]string{"controller": controller, "kinds": textArray(kinds), "n": strconv.Itoa(limit + 1)}
	settings := []ch.Setting{setting("max_execution_time", "60"), setting("query_plan_optimize_lazy_materialization", "0")}
	if persons == nil {
		settings = append(settings, noProjections())
	} else {
		q := PersonQuery{Persons: persons}
		if err := q.check(); err != nil {
			return nil, false, err
		}
		params["persons"] = hexArray(persons)
		where += ` AND person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16))`
	}
	rows, err = collect(db.rows(ctx, []string{"person", "controller", "actor", "recipient", "fact", "fact_value", "fact_valid_from", "topic", "partition", "offset"},
		where+` ORDER BY topic, partition, offset, person_index LIMIT {n:UInt32}`, params, settings...))
	if err != nil {
		return nil, false, fmt.Errorf("list facts: %w", err)
	}
	if len(rows) > limit {
		return rows[:limit], false, nil
	}
	return rows, true, nil
}

// EndedPersons lists the persons of whom a fact says that their contract or
// relationship has ended, at most limit of them. Whether it has ended at a
// moment is for all their facts to say. complete is false if there were more.
func (db *DB) EndedPersons(ctx context.Context, controller string, limit int) (persons [][16]byte, complete bool, err error) {
	var person proto.ColFixedStr16
	err = db.pool.do(ctx, ch.Query{
		Body: `SELECT DISTINCT person FROM trail
			WHERE controller = {controller:String} AND operation = 'fact' AND fact IN ('contract_end', 'relationship_end', 'contract_in_force') AND NOT duplicate AND cause = ''
				AND person != toFixedString('', 16) AND (fact = 'contract_in_force' AND position(fact_value, 'false') > 0 OR fact != 'contract_in_force' AND match(fact_value, '[0-9]'))
			LIMIT ` + strconv.Itoa(limit+1),
		Parameters: parameters(map[string]string{"controller": controller}),
		Settings:   []ch.Setting{noProjections(), setting("max_execution_time", "60")},
		Result:     proto.Results{{Name: "person", Data: &person}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				persons = append(persons, person[i])
			}
			return nil
		},
	})
	if err != nil {
		return nil, false, fmt.Errorf("list whose contracts have ended: %w", err)
	}
	if len(persons) > limit {
		return persons[:limit], false, nil
	}
	return persons, true, nil
}

package trail

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Acts selects processing events of one controller in a time of their own. Of
// each list an event has to have one; an empty list asks for nothing. Facts,
// listings of cohorts and events that arrived twice are never among them.
type Acts struct {
	Controller string
	From, To   time.Time // From included, To not; zero = open

	Operations    []string // names of operations
	Actors        []string // ids of who acted
	Roles         []string
	Organisations []string // of who acted, or on whose behalf
	Sources       []string // systems: the CloudEvents source
	Purposes      []string
	Recipients    []string // ids of the register
	Entities      []string // registration codes or names of recipients, as the events say
	Countries     []string // of recipients
	Categories    []string // one of the event's
	DataSources   []string // where collected data came from
	Verdicts      []string // the verdict that stands
	Rules         []string // one of those that decided

	// Persons are pseudonyms whom the events are about; nil asks for nothing. With
	// them the trail is read in their order, and not by time.
	Persons [][16]byte

	// Or are further selections, of the same controller: an event that several
	// select is still one.
	Or []Acts
	// About says whether the events must name somebody, or must not; and Among, if
	// not nil, which pseudonyms, however many. Both hold for all selections.
	About Whom
	Among [][16]byte

	few int // so many rows are selected at most: see fewFirst; 0 = any number
}

// Whom says whether events name a person or a cohort.
type Whom int

// What may be asked of whom events are about.
const (
	AboutAnyone Whom = iota // or nobody
	AboutSomeone
	AboutNobody
)

// maxValues bounds each list of a selection.
const maxValues = 1000

// rowConditions are what a row of the trail itself must hold.
func (a *Acts) rowConditions() string {
	where := `controller = {controller:String} AND operation NOT IN ('fact', 'cohort') AND NOT duplicate
		AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`
	if len(a.Operations) > 0 {
		where += ` AND toString(operation) IN (SELECT unhex(arrayJoin({operations:Array(String)})))`
	}
	if len(a.Actors) > 0 {
		where += ` AND actor IN (SELECT unhex(arrayJoin({actors:Array(String)})))`
	}
	switch a.About {
	case AboutSomeone:
		where += ` AND person != toFixedString('', 16)`
	case AboutNobody:
		where += ` AND person = toFixedString('', 16)`
	}
	if a.Among != nil {
		where += ` AND person IN (SELECT person FROM persons)`
	}
	if a.Persons != nil {
		where += ` AND person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16))`
	}
	return where
}

// contextConditions are what its context must hold; empty if nothing is asked.
func (a *Acts) contextConditions() string {
	var all []string
	add := func(list []string, condition string) {
		if len(list) > 0 {
			all = append(all, condition)
		}
	}
	const in = ` IN (SELECT unhex(arrayJoin({%s:Array(String)})))`
	one := func(column, name string) string { return column + fmt.Sprintf(in, name) }
	some := func(column, name string) string {
		return "hasAny(CAST(" + column + ", 'Array(String)'), arrayMap(x -> unhex(x), {" + name + ":Array(String)}))"
	}
	add(a.Roles, one("actor_role", "roles"))
	add(a.Organisations, "("+one("actor_organisation", "organisations")+" OR "+one("actor_on_behalf_of", "organisations")+")")
	add(a.Sources, one("source", "sources"))
	add(a.Purposes, one("purpose", "purposes"))
	add(a.Recipients, one("recipient", "recipients"))
	add(a.Entities, "("+one("recipient_code", "entities")+" OR "+one("recipient_organisation", "entities")+")")
	add(a.Countries, one("recipient_country", "countries"))
	add(a.Categories, some("categories", "categories"))
	add(a.DataSources, one("data_source", "data_sources"))
	return strings.Join(all, " AND ")
}

// conditions are those of a row and its context.
func (a *Acts) conditions() string {
	where := a.rowConditions()
	if c := a.contextConditions(); c != "" {
		where += " AND context IN (SELECT id FROM contexts WHERE " + c + ")"
	}
	return where
}

// verdictConditions are what the verdict that stands must be.
func (a *Acts) verdictConditions() string {
	where := "1"
	if len(a.Verdicts) > 0 {
		where += ` AND toString(verdict) IN (SELECT unhex(arrayJoin({verdicts:Array(String)})))`
	}
	if len(a.Rules) > 0 {
		where += ` AND context IN (SELECT id FROM contexts WHERE hasAny(CAST(rules, 'Array(String)'), arrayMap(x -> unhex(x), {rules:Array(String)})))`
	}
	return where
}

// all are the selections, of which an event has to be in one.
func (a *Acts) all() []Acts {
	all := append([]Acts{*a}, a.Or...)
	for i := range all {
		all[i].Or, all[i].About, all[i].Among, all[i].few = nil, a.About, a.Among, a.few
	}
	return all
}

// numbered is the name of a parameter of one of several selections.
func numbered(name string, i int) string { return name + "_" + strconv.Itoa(i) }

var parameterName = regexp.MustCompile(`\{(\w+):`)

func (a *Acts) params() (map[string]string, error) {
	if len(a.Or) == 0 {
		return a.ownParams()
	}
	p := make(map[string]string)
	for i, one := range a.all() {
		own, err := one.ownParams()
		if err != nil {
			return nil, err
		}
		for name, value := range own {
			p[numbered(name, i)] = value
		}
	}
	return p, nil
}

func (a *Acts) ownParams() (map[string]string, error) {
	q := PersonQuery{Controller: a.Controller, From: a.From, To: a.To}
	p := q.params()
	delete(p, "persons")
	if a.Persons != nil {
		if len(a.Persons) > maxPersons {
			return nil, fmt.Errorf("%w: %d, at most %d", ErrTooMany, len(a.Persons), maxPersons)
		}
		p["persons"] = hexArray(a.Persons)
	}
	for name, list := range map[string][]string{
		"operations": a.Operations, "actors": a.Actors, "roles": a.Roles, "organisations": a.Organisations, "sources": a.Sources,
		"purposes": a.Purposes, "recipients": a.Recipients, "entities": a.Entities, "countries": a.Countries, "categories": a.Categories,
		"data_sources": a.DataSources, "verdicts": a.Verdicts, "rules": a.Rules,
	} {
		if len(list) > maxValues {
			return nil, fmt.Errorf("select events: %d %s are more than %d", len(list), name, maxValues)
		}
		if len(list) > 0 {
			hexed := make([]string, len(list))
			for i, v := range list {
				hexed[i] = hex.EncodeToString([]byte(v))
			}
			p[name] = quoteHex(hexed)
		}
	}
	return p, nil
}

// standing reads the columns of the selected events' rows, one for each event
// and person, with the verdict that stands: of an event that was judged again,
// the last. It is what follows FROM. Where there are several selections the
// columns have to hold those of a row's place.
func (a *Acts) standing(columns string) string {
	if len(a.Or) == 0 {
		return a.ownStanding(columns)
	}
	var parts []string
	for i, one := range a.all() {
		parts = append(parts, "SELECT * FROM "+parameterName.ReplaceAllString(one.ownStanding(columns), "{"+numbered("${1}", i)+":"))
	}
	return "(SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ") LIMIT 1 BY topic, partition, offset, person_index)"
}

func (a *Acts) ownStanding(columns string) string {
	where := a.conditions()
	const place = "topic, partition, offset, person_index"
	if a.few > 0 {
		return `(
		SELECT ` + columns + ` FROM
		(
			SELECT * FROM trail WHERE ` + where + `
			ORDER BY ` + place + `, cause != '' DESC, judged_at DESC, cause DESC
			LIMIT 1 BY ` + place + `
		)
		WHERE ` + a.verdictConditions() + `
	)`
	}
	return `(
		SELECT ` + columns + ` FROM
		(
			SELECT * FROM trail WHERE ` + where + ` AND cause = ''
				AND (` + place + `) NOT IN (SELECT ` + place + ` FROM trail WHERE ` + where + ` AND cause != '')
			UNION ALL
			SELECT * FROM trail WHERE ` + where + ` AND cause != ''
			ORDER BY ` + place + `, judged_at DESC, cause DESC
			LIMIT 1 BY ` + place + `
		)
		WHERE ` + a.verdictConditions() + `
	)`
}

// maxFew is how many rows are few.
const maxFew = 100_000

// fewFirst asks about a selection as if it were of few events, and again if it is
// not. The last verdicts on few are found by sorting all that was selected, in one
// pass over the trail; of many these are looked for in three, as to sort them takes
// too long. ClickHouse says that there are too many before anything comes out.
func (db *DB) fewFirst(a Acts, ask func(a Acts) error) error {
	a.few = db.few
	err := ask(a)
	if ch.IsErr(err, proto.ErrTooManyRowsOrBytes) {
		a.few = 0
		err = ask(a)
	}
	return err
}

// settings are those of a question about the selection: in the order of its
// persons, if it has any.
func (a *Acts) settings() []ch.Setting {
	if a.Persons == nil {
		return a.byTime()
	}
	return append(byPerson(), a.fewSettings()...)
}

// byTime are settings, in the order of time whatever is selected.
func (a *Acts) byTime() []ch.Setting {
	return append([]ch.Setting{noProjections()}, a.fewSettings()...)
}

func (a *Acts) fewSettings() []ch.Setting {
	if a.few == 0 {
		return nil
	}
	return []ch.Setting{setting("max_rows_to_sort", strconv.Itoa(a.few)), setting("sort_overflow_mode", "throw"), setting("optimize_read_in_order", "0")}
}

// byRow says whether of an event with several persons only some rows may be
// selected.
func (a *Acts) byRow() bool {
	if a.Among != nil || a.Persons != nil || len(a.Verdicts) > 0 || len(a.Rules) > 0 {
		return true
	}
	return slices.ContainsFunc(a.Or, func(o Acts) bool { return o.byRow() })
}

// withPersons sends the pseudonyms of Among with a query.
func (a *Acts) withPersons(q *ch.Query) {
	if a.Among != nil {
		q.ExternalData, q.ExternalTable = personsTable(a.Among, nil), "persons"
	}
}

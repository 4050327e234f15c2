package trail

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// FactsQuery says whose facts are asked for: of a person by all its pseudonyms
// ([DB.Linked]), of an employee and of a recipient; what is empty is not asked
// for.
type FactsQuery struct {
	Controller string
	Persons    [][16]byte
	Actor      string // the employee a fact is about
	Recipient  string // the recipient a fact is about, an id of the register
}

// maxFacts bounds the facts of one question.
const maxFacts = 10_000

// ErrTooManyFacts says that there are more facts than one question can be
// answered from.
var ErrTooManyFacts = errors.New("there are too many facts about whom is asked")

// FactsAbout lists the rows of the facts that are about one of those asked for, in
// order of topic, partition and offset: all rows of a fact, so that those of an
// identity fact name the other pseudonyms.
//
// Facts of a person are found by person; when they were recorded is not in that
// projection and is read by place. Those of an employee or a recipient are
// found by reading three short columns of the trail.
func (db *DB) FactsAbout(ctx context.Context, q FactsQuery) ([]Row, error) {
	var topics, partitions, offsets []string
	seen := make(map[string]bool)
	places := func(where string, params map[string]string) error {
		params["controller"] = q.Controller
		return db.each(ctx, `
			SELECT DISTINCT topic, partition, offset FROM trail
			WHERE `+where+` AND operation = 'fact' AND controller = {controller:String}
			ORDER BY topic, partition, offset LIMIT `+strconv.Itoa(maxFacts+1)+personSettings, params, func(scan func(...any) error) error {
			var topic string
			var partition uint32
			var offset uint64
			if err := scan(&topic, &partition, &offset); err != nil {
				return err
			}
			key := fmt.Sprint(partition, " ", offset, " ", topic)
			if !seen[key] {
				seen[key] = true
				topics = append(topics, hex.EncodeToString([]byte(topic)))
				partitions = append(partitions, strconv.FormatUint(uint64(partition), 10))
				offsets = append(offsets, strconv.FormatUint(offset, 10))
			}
			return nil
		})
	}
	var errs []error
	if len(q.Persons) > 0 {
		p := PersonQuery{Controller: q.Controller, Persons: q.Persons}
		if err := p.check(); err != nil {
			return nil, err
		}
		errs = append(errs, places("person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16))", map[string]string{"persons": hexArray(q.Persons)}))
	}
	// What is true of these only together with a person is no fact about them.
	if q.Actor != "" {
		errs = append(errs, places("actor = {actor:String} AND (fact = 'employee' OR person = toFixedString('', 16))", map[string]string{"actor": q.Actor}))
	}
	if q.Recipient != "" {
		errs = append(errs, places("context IN (SELECT id FROM contexts WHERE recipient = {recipient:String}) AND (fact IN ('processor', 'recipient_info') OR person = toFixedString('', 16))", map[string]string{"recipient": q.Recipient}))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("look for facts: %w", err)
	}
	switch {
	case len(offsets) == 0:
		return nil, nil
	case len(offsets) > maxFacts:
		return nil, fmt.Errorf("%w: more than %d", ErrTooManyFacts, maxFacts)
	}
	return collect(db.rows(ctx, nil, `
		WHERE (topic, partition, offset) IN
			(
				SELECT unhex(place.1), place.2, place.3
				FROM (SELECT arrayJoin(arrayZip({topics:Array(String)}, {partitions:Array(UInt32)}, {offsets:Array(UInt64)})) AS place)
			)
			AND operation = 'fact' AND cause = ''
		ORDER BY topic, partition, offset, person_index`, map[string]string{
		"topics": "['" + strings.Join(topics, "','") + "']", "partitions": "[" + strings.Join(partitions, ",") + "]", "offsets": "[" + strings.Join(offsets, ",") + "]",
	}, setting("max_threads", "1"), setting("optimize_use_projections", "0"), bounded()))
}

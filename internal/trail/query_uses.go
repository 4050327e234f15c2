package trail

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Use is how often a person's data was used in one way: all events alike in
// what stands first here.
type Use struct {
	Recipient, Organisation, Code, Country string // all empty: nobody is named, the controller's own use
	Operation                              string
	Purpose                                string
	Basis                                  string // as the source states it
	Verdict                                string // allowed, review, violation
	Cohort                                 bool
	Duplicate                              bool // an event of the same source and id came before
	RegisterVersion                        string
	DataSource                             string // of what was collected: id in the register, "" where it is not stated
	CohortID                               string // as the source names it
	CohortSize                             uint64 // members in all, as the source states it

	Count       uint64 // events
	Changed     uint64 // of these, whose verdict is not the first one
	First, Last time.Time
	Categories  map[string]uint64 // events by category
	Rules       map[string]uint64 // …by rule that decided
	Unknown     map[string]uint64 // …by fact that was missing

	contexts []ContextID // that it was summed up from
}

// usesQuery groups in the database by context. Of several judgements the latest
// stands. An event that names the person by two identifiers counts once, by the
// worse of its two verdicts.
const usesSelect = `
	SELECT context, operation, verdict, duplicate, count(), countIf(cause != ''), min(time), max(time)
	FROM
	(
		SELECT * FROM
		(
			SELECT time, topic, partition, offset, person_index, judged_at, cause, context, operation, verdict, duplicate
			FROM trail`

const usesGroup = latestOrder + `
		)
		ORDER BY topic, partition, offset, verdict DESC, person_index
		LIMIT 1 BY topic, partition, offset
	)
	GROUP BY context, operation, verdict, duplicate
	ORDER BY min(time), context, operation, verdict, duplicate
	LIMIT {limit:UInt32}` + personSettings

// latestOrder leaves of each event and person the verdict given last.
const latestOrder = `
			ORDER BY topic, partition, offset, person_index, judged_at DESC, cause DESC
			LIMIT 1 BY topic, partition, offset, person_index`

// Uses sums up what was done with a person's data, for whom and with which
// verdict, by the first of each; complete is false if there were too many ways
// to list them all.
func (db *DB) Uses(ctx context.Context, q PersonQuery) (uses []Use, complete bool, err error) {
	if err := q.check(); err != nil {
		return nil, false, err
	}
	params := q.params()
	params["limit"] = strconv.Itoa(maxUses + 1)
	var found []Use
	var ids []ContextID
	err = db.each(ctx, usesSelect+q.where()+usesGroup, params, func(scan func(...any) error) error {
		var u Use
		var id string
		if err := scan(&id, &u.Operation, &u.Verdict, &u.Duplicate, &u.Count, &u.Changed, &u.First, &u.Last); err != nil {
			return err
		}
		found = append(found, u)
		ids = append(ids, ContextID([]byte(id)))
		return nil
	})
	if err == nil {
		uses, err = db.mergeUses(ctx, found, ids)
	}
	if err != nil {
		return nil, false, fmt.Errorf("sum up the person's events: %w", err)
	}
	if len(found) > maxUses {
		return uses, false, nil
	}
	return uses, true, nil
}

// useKey is what makes uses one.
type useKey struct {
	recipient, organisation, code, country string
	operation, purpose, basis, verdict     string
	cohort, duplicate                      bool
	version, dataSource, cohortID          string
}

// mergeUses makes one of the uses whose contexts differ only in what is counted.
func (db *DB) mergeUses(ctx context.Context, found []Use, ids []ContextID) (uses []Use, err error) {
	contexts, err := db.contextsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	m := newUseMerger()
	for i, u := range found {
		c := contexts[i]
		u.Recipient, u.Organisation, u.Code, u.Country = c.Recipient, c.RecipientOrganisation, c.RecipientCode, c.RecipientCountry
		u.Purpose, u.Basis, u.Cohort, u.RegisterVersion = c.Purpose, c.Basis, c.Cohort, c.RegisterVersion
		u.DataSource, u.CohortID, u.CohortSize = c.DataSource, c.CohortID, c.CohortSize
		m.add(u, ids[i], c.Categories, c.Rules, c.Unknown)
	}
	return m.uses, nil
}

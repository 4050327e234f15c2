package trail

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// PersonColumns are the columns that a question about a person may use: what
// the projection by_person holds. One column more, anywhere in the query, and
// the whole table is read.
var PersonColumns = []string{
	"time", "operation", "person", "person_index", "of", "controller", "actor", "context",
	"records", "basis_reference", "reason", "fact", "fact_value", "fact_valid_from",
	"duplicate", "verdict", "judged_at", "cause", "topic", "partition", "offset",
}

// historyColumns are those that tell what was done with a person's data. Each
// costs about a tenth of a millisecond in each part of the table. The controller
// is the question's own.
var historyColumns = []string{
	"time", "operation", "person", "person_index", "actor", "context", "records", "basis_reference", "reason",
	"duplicate", "verdict", "judged_at", "cause", "topic", "partition", "offset",
}

// factsAndHistory tells facts about the person, too.
var factsAndHistory = append(slices.Clone(historyColumns), "fact")

// errStop ends a query whose reader has seen enough.
var errStop = errors.New("the reader has stopped")

// rows streams rows of the trail, block by block, in bounded memory. where is
// what follows FROM trail, with {name:Type} for each parameter; only gives the
// columns to read, all if nil (others stay zero); to name any column of the
// context is to read the context. The sequence ends with an error, if there is one.
func (db *DB) rows(ctx context.Context, only []string, where string, parameters map[string]string, settings ...ch.Setting) iter.Seq2[Row, error] {
	return db.rowsOf(ctx, only, "trail "+where, parameters, settings...)
}

// rowsOf is rows of whatever has the trail's columns: from is what follows FROM.
func (db *DB) rowsOf(ctx context.Context, only []string, from string, parameters map[string]string, settings ...ch.Setting) iter.Seq2[Row, error] {
	return db.rowsWith(ctx, func(*ch.Query) {}, only, from, parameters, settings...)
}

// rowsWith is rowsOf, with what a query needs beside its text.
func (db *DB) rowsWith(ctx context.Context, with func(*ch.Query), only []string, from string, parameters map[string]string, settings ...ch.Setting) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		b := NewBlock()
		columns := b.columns
		var missing []column
		if only != nil {
			columns = nil
			for _, c := range b.columns {
				if slices.Contains(only, c.name) || c.name == "context" && slices.ContainsFunc(only, isContextColumn) {
					columns = append(columns, c)
				} else {
					missing = append(missing, c)
				}
			}
		}
		q := ch.Query{
			Body:     "SELECT " + namesOf(columns) + " FROM " + from,
			Result:   resultsOf(columns),
			Settings: settings,
			OnResult: func(ctx context.Context, block proto.Block) error {
				pad(missing, block.Rows)
				if err := db.resolve(ctx, b.context); err != nil {
					return err
				}
				for i := range block.Rows {
					if !yield(b.row(i), nil) {
						return errStop
					}
				}
				return nil
			},
		}
		for name, value := range parameters {
			q.Parameters = append(q.Parameters, proto.Parameter{Key: name, Value: "'" + quoteParameter.Replace(escapeParameter.Replace(value)) + "'"})
		}
		with(&q)
		if err := db.pool.do(ctx, q); err != nil && !errors.Is(err, errStop) {
			yield(Row{}, fmt.Errorf("read the trail: %w", err))
		}
	}
}

// isContextColumn says whether a column is part of the context.
func isContextColumn(name string) bool { return contextColumns[name] }

// Query parameters travel as a quoted string whose text is in turn escaped, as
// the server reads it twice (Field::restoreFromDump, then deserializeTextEscaped).
var (
	escapeParameter = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)
	quoteParameter  = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
)

// Event is the event at an offset: one row for each person, in order, and then
// the verdicts that were given later. No row means that there is no event
// (it may be in the quarantine).
func (db *DB) Event(ctx context.Context, topic string, partition int32, offset int64) ([]Row, error) {
	var rows []Row
	for row, err := range db.rows(ctx, nil,
		"WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset = {offset:UInt64} ORDER BY cause != '', judged_at, person_index",
		map[string]string{"topic": topic, "partition": strconv.Itoa(int(partition)), "offset": strconv.FormatInt(offset, 10)}) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Facts streams the facts of a topic in order of partition and offset, which
// is the order in which the store in memory must learn them. It sorts by the
// table's own order and needs little memory however many there are. Only what
// is needed to learn a fact is read: most of a row is about the event.
func (db *DB) Facts(ctx context.Context, topic string) iter.Seq2[Row, error] {
	return db.rows(ctx, factColumns,
		"WHERE topic = {topic:String} AND operation = 'fact' ORDER BY topic, partition, offset, person_index",
		map[string]string{"topic": topic})
}

// RecentIDs are the hashes (EventHash) of the newest n events of a partition,
// oldest first: what a new owner of the partition needs to know duplicates.
func (db *DB) RecentIDs(ctx context.Context, topic string, partition int32, n int) ([][16]byte, error) {
	var hashes [][16]byte
	for row, err := range db.rows(ctx, []string{"source", "event_id"},
		"WHERE topic = {topic:String} AND partition = {partition:UInt32} AND person_index = 0 AND cause = '' ORDER BY topic DESC, partition DESC, offset DESC LIMIT {n:UInt64}",
		map[string]string{"topic": topic, "partition": strconv.Itoa(int(partition)), "n": strconv.Itoa(n)}) {
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, EventHash(row.Source, row.EventID))
	}
	slices.Reverse(hashes)
	return hashes, nil
}

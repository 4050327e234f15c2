package trail

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Again is an event's row with a new verdict.
type Again struct {
	Row                  // as it is to be: the event's row, with the new verdict, its cause and its time
	Supersedes time.Time // JudgedAt of the verdict that held before
}

// Causes of a second verdict, in the column cause.

// CauseFact is the cause that is a fact: at which place.
func CauseFact(p Partition, offset int64) string {
	return fmt.Sprintf("fact %s/%d/%d", p.Topic, p.Partition, offset)
}

// CauseRegister is the cause that is a register: its version, or none.
func CauseRegister(version string) string {
	if version == "" {
		version = "none"
	}
	return "register " + version
}

// CauseCheck is the cause where all of a controller's events were judged again
// because somebody has asked for it.
const CauseCheck = "check"

// ParseCause takes a cause apart. fact is the place of the fact, register the
// version of the register; both are empty for any other cause.
func ParseCause(cause string) (fact *Place, register string) {
	kind, rest, _ := strings.Cut(cause, " ")
	switch kind {
	case "register":
		return nil, rest
	case "fact":
		// A topic has no '/' (Kafka allows letters, digits, '.', '_' and '-').
		parts := strings.Split(rest, "/")
		if len(parts) != 3 {
			return nil, ""
		}
		partition, err1 := strconv.ParseInt(parts[1], 10, 32)
		offset, err2 := strconv.ParseInt(parts[2], 10, 64)
		if err1 != nil || err2 != nil || partition < 0 || offset < 0 {
			return nil, ""
		}
		return &Place{Topic: parts[0], Partition: int32(partition), Offset: offset}, ""
	}
	return nil, ""
}

// WriteVerdicts adds new verdicts to the trail: rows of their own, beside the
// first, in the quarter in which the event is stored, so that an event and all
// its verdicts go together when a quarter goes. Each quarter's rows are one
// block, which is one commit.
//
// A block's token is made of what it says and of what it supersedes: of two
// processes that have come to the same at once, one's rows are taken; and the
// same verdict given again later, after others, is another block. As with
// Insert, an unclear outcome is found out by looking.
func (db *DB) WriteVerdicts(ctx context.Context, rows []Again) error {
	for _, r := range rows {
		if r.Cause == "" || r.Topic == "" || r.Stored.IsZero() {
			return errors.New("write new verdicts: a row without a cause, a place or a stored date")
		}
	}
	slices.SortStableFunc(rows, func(a, b Again) int { return quarter(a.Stored) - quarter(b.Stored) })
	b := NewBlock()
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && n < MaxRows && quarter(rows[n].Stored) == quarter(rows[0].Stored) {
			n++
		}
		if err := db.writeVerdicts(ctx, b, rows[:n]); err != nil {
			return fmt.Errorf("write %d new verdicts: %w", n, err)
		}
		rows = rows[n:]
	}
	return nil
}

func quarter(t time.Time) int { return t.UTC().Year()*4 + int(t.UTC().Month()-1)/3 }

func (db *DB) writeVerdicts(ctx context.Context, b *Block, rows []Again) (failure error) {
	b.Reset()
	places := make([]Judged, len(rows))
	h := sha256.New()
	for i := range rows {
		r := &rows[i].Row
		b.Append(r)
		b.stored.append(r.Stored)
		b.topic.Append(r.Topic)
		b.partition.Append(uint32(r.Partition))
		places[i] = Judged{Partition{r.Topic, r.Partition}, r.Offset, r.PersonIndex}
		fmt.Fprintf(h, "%s\x00%d\x00%d\x00%d\x00", r.Topic, r.Partition, r.Offset, r.PersonIndex)
		fmt.Fprintf(h, "%d\x00%d\x00%q\x00%q\x00%s\x00%d\x00%s\n", rows[i].Supersedes.UnixMilli(), r.Verdict, r.Rules, r.Unknown, r.RegisterVersion, r.Evaluator, r.Cause)
	}
	if err := db.writeContexts(ctx, b.context); err != nil {
		return err
	}
	sum := h.Sum(nil)
	token := fmt.Sprintf("rejudge-v1:%x", sum[:16])
	for try := 0; try < db.cfg.Tries; try++ {
		if err := db.pause(ctx, try, failure); err != nil {
			return err
		}
		failure = db.send(ctx, "trail", token, b.columns)
		there, err := db.haveVerdicts(ctx, places, rows)
		switch {
		case err != nil:
			failure = errors.Join(failure, err)
		case there:
			return nil
		case failure == nil:
			db.log.WarnContext(ctx, "acknowledged verdicts are not there, sending them under a new token", slog.Int("rows", len(rows)))
			failure = errors.New("acknowledged rows are not there")
			token = fmt.Sprintf("rejudge-v1:%x~%x", sum[:16], binary.LittleEndian.AppendUint64(nil, rand.Uint64()))
		}
	}
	return fmt.Errorf("%w: gave up after %d tries: %w", ErrUnclear, db.cfg.Tries, failure)
}

// haveVerdicts says whether a block of new verdicts is there. A block is there
// whole or not at all, so that its first row tells.
func (db *DB) haveVerdicts(ctx context.Context, places []Judged, rows []Again) (bool, error) {
	ctx, cancel := db.detach(ctx)
	defer cancel()
	first := &rows[0]
	params := placesParams(places[:1])
	params["index"] = strconv.Itoa(int(first.PersonIndex))
	params["cause"] = first.Cause
	params["supersedes"] = strconv.FormatInt(first.Supersedes.UnixMilli(), 10)
	var n uint64
	err := db.each(ctx, `SELECT count() FROM trail`+placesWhere+` AND person_index = {index:UInt16} AND cause = {cause:String}
		AND judged_at > fromUnixTimestamp64Milli({supersedes:Int64}, 'UTC') SETTINGS optimize_use_projections = 0`, params,
		func(scan func(...any) error) error { return scan(&n) })
	if err != nil {
		return false, fmt.Errorf("look whether new verdicts are there: %w", err)
	}
	return n > 0, nil
}

// formerColumns are what Former reads.
var formerColumns = []string{"person_index", "verdict", "rules", "unknown", "register_version", "evaluator", "judged_at", "cause", "topic", "partition", "offset"}

// Former lists every verdict on a person's events at some places, in order of
// place and person, oldest first. It reads the projection by_person.
func (db *DB) Former(ctx context.Context, q PersonQuery, places []Judged) ([]Row, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	params := q.params()
	maps.Copy(params, placesParams(places))
	return collect(db.rows(ctx, formerColumns, q.where()+strings.Replace(placesWhere, "WHERE", "AND", 1)+`
		ORDER BY topic, partition, offset, person_index, judged_at, cause`, params, byPersonSettings()...))
}

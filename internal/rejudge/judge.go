package rejudge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/replay"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// judge judges events of one controller, each by all facts that the trail has,
// and writes a verdict where it is not the one that holds. now is from before
// the rows were read. cause says why, given what is known and a way to
// ask whether the verdict would be another without a certain fact.
func (f *Follower) judge(ctx context.Context, set *register.Set, controller string, rows []trail.Row, now time.Time, cause func(row *trail.Row, known *known, owedTo func(fact trail.Judged) bool) string) error {
	if len(rows) == 0 {
		return nil
	}
	known, err := f.recall(ctx, controller, rows)
	if err != nil {
		return err
	}
	store, err := known.store()
	if err != nil {
		return err
	}
	judge := replay.Judge{Registers: set, Facts: store}
	var again []trail.Again
	for i := range rows {
		row := &rows[i]
		v, ok := f.verdict(&judge, row)
		if !ok || same(row, &v) {
			continue
		}
		a := trail.Again{Row: *row, Supersedes: row.JudgedAt}
		a.Cause = cause(row, known, func(fact trail.Judged) bool {
			some, found := known.without(row, fact)
			if !found {
				return false
			}
			store, err := some.store()
			if err != nil {
				return false
			}
			w, ok := f.verdict(&replay.Judge{Registers: set, Facts: store}, row)
			return ok && !alike(&v, &w)
		})
		a.Verdict, a.Rules, a.Unknown, a.RegisterVersion, a.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
		// ClickHouse's clock may be behind the one of the process that judged first.
		if a.JudgedAt = now; !now.After(row.JudgedAt) {
			a.JudgedAt = row.JudgedAt.Add(time.Millisecond)
		}
		again = append(again, a)
	}
	f.stats.events.Add(int64(len(rows)))
	if len(again) == 0 {
		return nil
	}
	if err := f.hold(ctx); err != nil { // judging may have taken long
		return err
	}
	if err := f.trail.WriteVerdicts(ctx, again); err != nil {
		return err
	}
	f.stats.changed.Add(int64(len(again)))
	return nil
}

// verdict judges one row; an event that cannot be judged keeps the verdict
// that it has.
func (f *Follower) verdict(j *replay.Judge, row *trail.Row) (v verdict.Verdict, ok bool) {
	where := []any{slog.String("topic", row.Topic), slog.Int("partition", int(row.Partition)), slog.Int64("offset", row.Offset)}
	defer func() {
		if p := recover(); p != nil {
			// Neither the panic's value nor anything of the event: both may hold identifiers.
			f.log.Error("the program failed at an event, which keeps its verdict: please report this", append(where, slog.String("panic", fmt.Sprintf("%T", p)))...)
			ok = false
		}
	}()
	v, err := j.Verdict(row)
	switch {
	case errors.Is(err, register.ErrUnknownController):
		return v, false // its registers are gone: there is nothing to judge by
	case err != nil:
		f.log.Error("an event cannot be judged again and keeps its verdict", append(where, slog.Any("error", err))...)
		return v, false
	}
	return v, true
}

// same says that a verdict is the one that a row has.
func same(row *trail.Row, v *verdict.Verdict) bool {
	return row.Verdict == v.Outcome && slices.Equal(row.Rules, v.Rules) && slices.Equal(row.Unknown, v.Unknown)
}

func alike(v, w *verdict.Verdict) bool {
	return v.Outcome == w.Outcome && slices.Equal(v.Rules, w.Rules) && slices.Equal(v.Unknown, w.Unknown)
}

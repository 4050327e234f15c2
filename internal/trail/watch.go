package trail

import (
	"context"
	"time"
)

// Step is one thing that [DB.Insert] or [DB.Position] asks of ClickHouse.
type Step struct {
	Name  string // "journal", "insert" or "probe"
	Table string // that it is about; empty = several
	Began time.Time
	Took  time.Duration
	Err   error
}

type watchKey struct{}

// Watch has f called after each step that is done under the context, in the
// order of their ends, by the goroutine that does them.
func Watch(ctx context.Context, f func(Step)) context.Context {
	return context.WithValue(ctx, watchKey{}, f)
}

// watched tells of each step to whoever watches.
type watched struct{ tables }

func (w watched) step(ctx context.Context, name, table string) func(error) {
	f, ok := ctx.Value(watchKey{}).(func(Step))
	if !ok {
		return func(error) {}
	}
	began := time.Now()
	return func(err error) { f(Step{name, table, began, time.Since(began), err}) }
}

func (w watched) insert(ctx context.Context, table, token string, columns []column) error {
	name := "insert"
	if table == "journal" {
		name = "journal"
	}
	done := w.step(ctx, name, table)
	err := w.tables.insert(ctx, table, token, columns)
	done(err)
	return err
}

func (w watched) count(ctx context.Context, table string, r Range) (uint64, error) {
	done := w.step(ctx, "probe", table)
	n, err := w.tables.count(ctx, table, r)
	done(err)
	return n, err
}

func (w watched) countRange(ctx context.Context, r Range) (rowCounts, error) {
	done := w.step(ctx, "probe", "")
	n, err := w.tables.countRange(ctx, r)
	done(err)
	return n, err
}

func (w watched) journal(ctx context.Context, part journalPart, r Range) ([]JournalEntry, error) {
	done := w.step(ctx, "journal", "journal")
	entries, err := w.tables.journal(ctx, part, r)
	done(err)
	return entries, err
}

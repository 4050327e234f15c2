package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// RefusedError says that ClickHouse refuses some events of a block for what is
// in them, so that sending them again is of no use, and that it takes the rest.
// Blocks that have these in the quarantine instead go in.
type RefusedError struct {
	Offsets []int64
	Code    int    // ClickHouse's
	Name    string // of that code
}

// Error names the offsets and ClickHouse's code, without its message: that
// quotes values, which may be a person's.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("ClickHouse refuses the events at %v (%s, code %d)", e.Offsets, e.Name, e.Code)
}

// maxRefused is how many events of a range may be refused for what is in them.
// Beyond that it is the table that is not right, and not the events.
const maxRefused = 64

// refusals are ClickHouse's codes for a block whose contents it does not take.
// All others pass, or are not about rows. The columns are typed and each value
// is within its type, so that what remains is a constraint, or an expression of
// a column, an index or a projection that fails: those that somebody added.
var refusals = []proto.Error{
	proto.ErrCannotParseText, proto.ErrCannotParseInputAssertionFailed, proto.ErrBadArguments, proto.ErrCannotParseDate, proto.ErrCannotParseDatetime,
	proto.ErrArgumentOutOfBound, proto.ErrCannotConvertType, proto.ErrCannotParseNumber, proto.ErrIncorrectData, proto.ErrTooLargeStringSize,
	proto.ErrValueIsOutOfRangeOfDataType, proto.ErrFunctionThrowIfValueIsNonZero, proto.ErrDecimalOverflow, proto.ErrViolatedConstraint,
	proto.ErrUnknownElementOfEnum,
}

// refusal is ClickHouse's answer to a block that it does not take.
type refusal struct {
	code proto.Error
	name string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("ClickHouse refuses the block for what is in it (%s, code %d)", r.name, r.code)
}

// asRefusal makes a refusal of an error that is one; its message is dropped.
func asRefusal(err error) error {
	var e *ch.Exception
	if errors.As(err, &e) && slices.Contains(refusals, e.Code) {
		return &refusal{e.Code, e.Name}
	}
	return err
}

// isolate finds the events that a refused block is refused for, by trying parts
// of it on a table that is made like the trail, and dropped again. It returns a
// *RefusedError, or why they cannot be found.
func (db *DB) isolate(ctx context.Context, r Range, stored time.Time, b *Block, cause *refusal) error {
	found := &RefusedError{Code: int(cause.code), Name: cause.name}
	failed := func(err error) error { return fmt.Errorf("%w: %w; looking for the event: %w", ErrUnclear, cause, err) }
	try, done, err := db.tables.trial(ctx)
	if err != nil {
		return failed(err)
	}
	defer done()
	var look func(first, last int64) error
	look = func(first, last int64) error {
		part, err := b.pick(func(offset int64) bool { return first <= offset && offset <= last })
		if err != nil || part.Rows() == 0 {
			return err
		}
		part.stamp(r, stored)
		err = asRefusal(try(part.columns))
		var refused *refusal
		switch {
		case !errors.As(err, &refused):
			return err
		case first == last:
			if found.Offsets = append(found.Offsets, first); len(found.Offsets) > maxRefused {
				return fmt.Errorf("more than %d events are refused: it is the table that must be looked at", maxRefused)
			}
			return nil
		}
		// Halves by row: offsets may be far apart, or have many rows.
		middle := int64(part.offset[(part.Rows()-1)/2])
		if middle == last {
			middle--
		}
		return errors.Join(look(first, middle), look(middle+1, last))
	}
	if err := look(r.First, r.Last); err != nil {
		return failed(err)
	}
	if len(found.Offsets) == 0 {
		return failed(errors.New("each of them is taken alone"))
	}
	return found
}

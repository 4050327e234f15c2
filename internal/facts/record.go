package facts

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// A record is
//
//	size           of what follows
//	kind           6 bits; bit 7 says that an employee or a recipient is named
//	from           since when it is true, ms from the year 2020
//	recorded       ms from that
//	place, offset  where in Kafka
//	actor, recipient  that it holds only together with; 0 = with any
//	value          how many of what, then these; of a link, the other pseudonym
//
// Numbers are varints; names are of the dictionary; times in values are ms from
// `from`, which they mostly are themselves.
const together = 1 << 7

// epoch is the year 2020: small numbers are short.
const epoch = 1577836800000

// record is one fact, without its value.
type record struct {
	kind             kind
	from, recorded   int64 // Unix milliseconds
	place            uint32
	offset           int64
	actor, recipient uint32
}

// What a value is a list of.
const (
	ofScalars = iota
	ofConsents
	ofObjections
	ofOptOuts
	ofRequests
)

// append adds all but the size; value is nil for a link.
func (r *record) append(b []byte, s *Store, controller string, value *event.Facts) []byte {
	named := r.actor != 0 || r.recipient != 0
	b = append(b, byte(r.kind)|byte(flag(named, 7)))
	b = binary.AppendVarint(b, r.from-epoch)
	b = binary.AppendVarint(b, r.recorded-r.from)
	b = binary.AppendUvarint(b, uint64(r.place))
	b = binary.AppendUvarint(b, uint64(r.offset))
	if value == nil {
		return b
	}
	if named {
		b = binary.AppendUvarint(b, uint64(r.actor))
		b = binary.AppendUvarint(b, uint64(r.recipient))
	}
	w := writer{b: b, names: &s.names, controller: controller, from: r.from}
	switch {
	case value.Consents.Known:
		w.count(len(value.Consents.Entries), ofConsents)
		for i := range value.Consents.Entries {
			w.consent(&value.Consents.Entries[i])
		}
	case value.Objections.Known:
		w.count(len(value.Objections.Entries), ofObjections)
		for i := range value.Objections.Entries {
			o := &value.Objections.Entries[i]
			w.entry(o.Controller, o.Purpose, o.MadeAt, flag(o.Outcome != "", 0))
			w.opt(o.Outcome)
		}
	case value.OptOuts.Known:
		w.count(len(value.OptOuts.Entries), ofOptOuts)
		for i := range value.OptOuts.Entries {
			o := &value.OptOuts.Entries[i]
			w.entry(o.Controller, o.Scope, o.MadeAt, flag(o.MadeBy != "", 0))
			w.opt(o.MadeBy)
		}
	case value.Requests.Known:
		w.count(len(value.Requests.Entries), ofRequests)
		for i := range value.Requests.Entries {
			r := &value.Requests.Entries[i]
			w.entry(r.Controller, r.Type, r.MadeAt, yesNo(r.Handled)<<0)
		}
	default:
		n := 0
		for range value.Stated() {
			n++
		}
		w.count(n, ofScalars)
		for field := range value.Stated() {
			w.scalar(field, value.Get(field))
		}
	}
	return w.b
}

// sized puts a record's size before it.
func sized(b []byte) []byte {
	var room [binary.MaxVarintLen32]byte
	return slices.Insert(b, 0, binary.AppendUvarint(room[:0], uint64(len(b)))...)
}

// writer appends the value of a record.
type writer struct {
	b          []byte
	names      *dictionary
	controller string
	from       int64
}

func (w *writer) uint(n uint64)     { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) name(text string)  { w.uint(uint64(w.names.id(text))) }
func (w *writer) time(t time.Time)  { w.b = binary.AppendVarint(w.b, t.UnixMilli()-w.from) }
func (w *writer) count(n, form int) { w.uint(uint64(n*8 + form)) }
func (w *writer) opt(text string) { // flagged before
	if text != "" {
		w.name(text)
	}
}

// Flags of an entry: seven bits are its own.
const (
	ofAnother = 1 << 7 // its controller is not the subject's
	timeless  = 1 << 8
)

func flag(is bool, bit int) uint64 {
	if is {
		return 1 << bit
	}
	return 0
}

// entry writes what all lists have.
func (w *writer) entry(controller, about string, at time.Time, own uint64) {
	w.uint(own | flag(controller != w.controller, 7) | flag(at.IsZero(), 8))
	if controller != w.controller {
		w.name(controller)
	}
	w.name(about)
	if !at.IsZero() {
		w.time(at)
	}
}

// Flags of a consent, beside whether it was registered (two bits, then one).
const (
	hasGivenBy = 1 << (iota + 3)
	hasForm
	hasWithdrawal
	hasWithdrawalDetails
)

func (w *writer) consent(c *event.Consent) {
	details := c.WithdrawalForm != "" || c.WithdrawnBy != ""
	w.entry(c.Controller, c.Purpose, c.GivenAt, yesNo(c.RegisteredCRM)|flag(c.GivenBy != "", 3)|flag(c.Form != "", 4)|
		flag(!c.WithdrawnAt.IsZero(), 5)|flag(details, 6))
	w.opt(c.GivenBy)
	w.opt(c.Form)
	if !c.WithdrawnAt.IsZero() {
		w.time(c.WithdrawnAt)
	}
	if details {
		w.name(c.WithdrawalForm)
		w.name(c.WithdrawnBy)
	}
}

// yesNo is a truth value in three bits.
func yesNo(v event.Value) uint64 { return uint64(v.State)&3 | flag(v.Bool, 2) }

func yesNoOf(bits uint64) event.Value {
	return event.Value{State: event.State(bits & 3), Bool: bits&4 != 0}
}

func (w *writer) scalar(field event.Field, v event.Value) {
	w.b = append(w.b, byte(field), byte(yesNo(v)))
	if v.State != event.Known {
		return
	}
	switch types[field] {
	case event.Day:
		w.b = binary.AppendVarint(w.b, int64(v.Day))
	case event.Text:
		w.name(v.Text)
	case event.Bool:
	}
}

// types are those of the scalar facts, by number.
var types = func() (all []event.FieldType) {
	for _, info := range event.Vocabulary() {
		all = append(all, info.Type)
	}
	return all
}()

// cursor reads what writer wrote.
type cursor struct {
	data []byte
	at   int
}

func (c *cursor) byte() byte {
	c.at++
	return c.data[c.at-1]
}

func (c *cursor) uvarint() uint64 {
	b := c.data[c.at]
	c.at++
	if b < 0x80 {
		return uint64(b)
	}
	return c.long(uint64(b & 0x7f))
}

// long reads on after the first byte of a number.
func (c *cursor) long(n uint64) uint64 {
	for shift := 7; ; shift += 7 {
		b := c.data[c.at]
		c.at++
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

func (c *cursor) varint() int64 {
	n := c.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (c *cursor) pseudonym() identity.Pseudonym {
	c.at += len(identity.Pseudonym{})
	return identity.Pseudonym(c.data[c.at-len(identity.Pseudonym{}) : c.at])
}

// record reads a record and goes on to the next; its value is at value.
func (c *cursor) record() (r record, value cursor) {
	size := int(c.uvarint())
	value = *c
	c.at += size
	first := value.byte()
	r.kind = kind(first &^ together)
	r.from = epoch + value.varint()
	r.recorded = r.from + value.varint()
	r.place = uint32(value.uvarint())
	r.offset = int64(value.uvarint())
	if first&together != 0 {
		r.actor = uint32(value.uvarint())
		r.recipient = uint32(value.uvarint())
	}
	return r, value
}

// reader reads the value of a record.
type reader struct {
	cursor
	names      *dictionary
	controller string
	from       int64
}

func (r *reader) name() string    { return r.names.text(uint32(r.uvarint())) }
func (r *reader) time() time.Time { return time.UnixMilli(r.from + r.varint()).UTC() }
func (r *reader) opt(there uint64) string {
	if there == 0 {
		return ""
	}
	return r.name()
}

func (r *reader) entry(controller, about *string, at *time.Time) (own uint64) {
	own = r.uvarint()
	*controller = r.controller
	if own&ofAnother != 0 {
		*controller = r.name()
	}
	*about = r.name()
	if own&timeless == 0 {
		*at = r.time()
	}
	return own
}

func (r *reader) consent(c *event.Consent) {
	own := r.entry(&c.Controller, &c.Purpose, &c.GivenAt)
	c.RegisteredCRM = yesNoOf(own)
	c.GivenBy = r.opt(own & hasGivenBy)
	c.Form = r.opt(own & hasForm)
	if own&hasWithdrawal != 0 {
		c.WithdrawnAt = r.time()
	}
	if own&hasWithdrawalDetails != 0 {
		c.WithdrawalForm, c.WithdrawnBy = r.name(), r.name()
	}
}

func (r *reader) scalar() (event.Field, event.Value) {
	field := event.Field(r.byte())
	v := yesNoOf(uint64(r.byte()))
	if v.State == event.Known {
		switch types[field] {
		case event.Day:
			v.Day = event.Date(r.varint())
		case event.Text:
			v.Text = r.name()
		case event.Bool:
		}
	}
	return field, v
}

package report

import (
	"slices"
	"strings"
	"unicode"
)

// drawable is the document with the texts that the fonts can draw. What stands in
// a report comes from events, too, and so may have any letters: those beyond
// Unicode's first plane are in no font here, and the library that draws does not
// survive them; control characters have no looks, and some turn the direction of
// what follows.
func (d *Document) drawable() *Document {
	c := *d
	c.Title, c.Subtitle = drawn(d.Title), drawn(d.Subtitle)
	c.Blocks = slices.Clone(d.Blocks)
	for i := range c.Blocks {
		b := &c.Blocks[i]
		b.Text = drawn(b.Text)
		b.Items, b.Head = each(b.Items, drawn), each(b.Head, drawn)
		b.Pairs = each(b.Pairs, func(p Pair) Pair { return Pair{drawn(p.Name), drawn(p.Value)} })
		b.Rows = each(b.Rows, func(row []Cell) []Cell {
			return each(row, func(c Cell) Cell { return Cell{drawn(c.Text), c.Number} })
		})
	}
	return &c
}

func each[T any](list []T, change func(T) T) []T {
	all := slices.Clone(list)
	for i := range all {
		all[i] = change(all[i])
	}
	return all
}

func drawn(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		case r > 0xFFFF:
			return '?'
		default:
			return r
		}
	}, s)
}

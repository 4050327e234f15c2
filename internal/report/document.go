// Package report makes of an answer a document that a person would gladly
// receive: in plain words, in one of five languages, as PDF, CSV or JSON.
//
// A report says nothing that the answer does not say. It takes the answer's
// value, looks up what things are called in the language ([Names]), says it in
// sentences of a catalogue (the files of lang), and gives a [Document], which
// knows nothing of pages or files; [Document.Write] draws it.
package report

import (
	"time"
)

// Document is a report in its language, before it is drawn.
type Document struct {
	Language string    `json:"language"`
	Title    string    `json:"title"`
	Subtitle string    `json:"subtitle,omitempty"`
	Made     time.Time `json:"made"`
	Blocks   []Block   `json:"blocks"`

	of func(page, pages int) string // the footer's page number
}

// Block is a part of a document: of its members, only those of its kind are set.
type Block struct {
	Kind  Kind     `json:"kind"`
	Text  string   `json:"text,omitempty"`
	Level int      `json:"level,omitempty"` // of a heading, from 1
	Items []string `json:"items,omitempty"` // of a list
	Pairs []Pair   `json:"pairs,omitempty"` // of a table of facts
	Head  []string `json:"head,omitempty"`  // of a table
	Rows  [][]Cell `json:"rows,omitempty"`  // of a table
	Name  string   `json:"name,omitempty"`  // of a table: what it is, for CSV
	Tone  Tone     `json:"tone,omitempty"`  // of a paragraph

	widths []float64 // of a table's columns, in parts
}

// Cell is a cell of a table.
type Cell struct {
	Text string `json:"text"`
	// Number says that it is drawn to the right.
	Number bool `json:"number,omitempty"`
}

// Pair is what something is called, and what it is.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Kind is what a block is.
type Kind string

// The kinds of block.
const (
	Heading   Kind = "heading"
	Paragraph Kind = "paragraph"
	List      Kind = "list"
	Facts     Kind = "facts"
	Table     Kind = "table"
)

// Tone is how a paragraph is meant.
type Tone string

// The tones of a paragraph.
const (
	Plain Tone = ""     // like any other
	Lead  Tone = "lead" // what the reader is to know first
	Alarm Tone = "alarm"
	Quiet Tone = "quiet" // small print
)

func (d *Document) heading(level int, text string) {
	d.Blocks = append(d.Blocks, Block{Kind: Heading, Level: level, Text: text})
}

func (d *Document) say(text string) { d.tone(Plain, text) }

func (d *Document) tone(t Tone, text string) {
	if text != "" {
		d.Blocks = append(d.Blocks, Block{Kind: Paragraph, Text: text, Tone: t})
	}
}

func (d *Document) list(items []string) {
	if len(items) > 0 {
		d.Blocks = append(d.Blocks, Block{Kind: List, Items: items})
	}
}

func (d *Document) facts(pairs ...Pair) {
	var all []Pair
	for _, p := range pairs {
		if p.Value != "" {
			all = append(all, p)
		}
	}
	d.Blocks = append(d.Blocks, Block{Kind: Facts, Pairs: all})
}

// table adds a table; widths are its columns', in parts of the whole.
func (d *Document) table(name string, head []string, widths []float64, rows [][]Cell) {
	d.Blocks = append(d.Blocks, Block{Kind: Table, Name: name, Head: head, Rows: rows, widths: widths})
}

func text(s string) Cell { return Cell{Text: s} }

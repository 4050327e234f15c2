package event

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// locate puts in the line and column of each finding, where the JSON text has
// what it points to, or else of the nearest thing around it. base is the pointer
// of the text within the event.
func locate(findings []Finding, text []byte, base string) {
	const somewhere = -1
	offsets := map[string]int{}
	for i := range findings {
		for p := findings[i].Pointer; ; p = p[:strings.LastIndexByte(p, '/')] {
			offsets[p] = somewhere
			if p == "" {
				break
			}
		}
	}
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for dec.StackDepth() <= MaxDepth {
		at := int(dec.InputOffset())
		if _, err := dec.ReadToken(); err != nil {
			break // what could be read is enough
		}
		for at < len(text) && strings.IndexByte(" \t\r\n,:", text[at]) >= 0 {
			at++
		}
		pointer := base + string(dec.StackPointer())
		if seen, wanted := offsets[pointer]; wanted && seen == somewhere {
			offsets[pointer] = at
		}
	}
	for i := range findings {
		f := &findings[i]
		pointer := f.Pointer
		for f.Line == 0 && strings.HasPrefix(pointer, base) {
			if at, ok := offsets[pointer]; ok && at != somewhere {
				f.Line, f.Column = lineColumn(text, at)
				break
			}
			cut := strings.LastIndexByte(pointer, '/')
			if cut < 0 {
				break
			}
			pointer = pointer[:cut]
		}
	}
}

// lineColumn is where a byte stands, both from 1.
func lineColumn(text []byte, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	return bytes.Count(before, []byte{'\n'}) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

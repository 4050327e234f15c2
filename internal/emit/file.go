package emit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Raw is one structured CloudEvent as it stands in a file.
type Raw struct {
	Line  int    // where it begins, from 1
	Value []byte // for event.DecodeKafka or event.Lint, without headers
}

// ReadFile reads structured CloudEvents one by one: one JSON object, several
// one after another (a line each, or not), or a JSON array of them. It looks at
// no more than the JSON syntax. The first error ends it.
func ReadFile(r io.Reader) iter.Seq2[*Raw, error] {
	return func(yield func(*Raw, error) bool) {
		lines := &lineReader{r: r, line: 1}
		dec := jsontext.NewDecoder(lines, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		depth := 0 // 1 within an array
		for {
			kind := dec.PeekKind()
			switch {
			case kind == '[' && depth == 0, kind == ']' && depth == 1:
				if _, err := dec.ReadToken(); err != nil {
					yield(nil, lines.fault(dec, err))
					return
				}
				depth = 1 - depth
				continue
			}
			v, err := dec.ReadValue()
			if errors.Is(err, io.EOF) && depth == 0 {
				return
			}
			if err != nil {
				yield(nil, lines.fault(dec, err))
				return
			}
			start := dec.InputOffset() - int64(len(v))
			if !yield(&Raw{Line: lines.at(start), Value: bytes.Clone(v)}, nil) {
				return
			}
		}
	}
}

// lineReader knows in which line each byte stands that has passed.
type lineReader struct {
	r      io.Reader
	offset int64
	breaks []int64 // line breaks from line on
	line   int
}

// Read reads on and notes the line breaks.
func (l *lineReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.offset+int64(i))
		}
	}
	l.offset += int64(n)
	return n, err
}

// at is the line of a byte; offsets must not fall.
func (l *lineReader) at(offset int64) int {
	passed := 0
	for passed < len(l.breaks) && l.breaks[passed] < offset {
		passed++
	}
	l.line += passed
	l.breaks = append(l.breaks[:0], l.breaks[passed:]...)
	return l.line
}

// fault names the line where reading failed. It shows nothing of the text.
func (l *lineReader) fault(dec *jsontext.Decoder, err error) error {
	offset := dec.InputOffset()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		line := l.at(max(syntax.ByteOffset, offset))
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("line %d: the file ends within a JSON value", line)
		}
		return fmt.Errorf("line %d: not JSON", line)
	}
	return fmt.Errorf("line %d: read events: %w", l.at(offset), err)
}

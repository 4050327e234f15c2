package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
)

// withField is our own schema with a field before all others.
func withField(t testing.TB, typ string) string {
	t.Helper()
	s := shape(t, event.Processing)
	insert(s, 0, "x", fromJSON(typ))
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// huge are lengths and counts that cannot be, as Avro writes them.
var huge = map[string][]byte{
	"2^62":    {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	"2^63-1":  {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	"-2^63":   {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	"-2^62":   {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	"2^30":    {0x80, 0x80, 0x80, 0x80, 0x08},
	"-2^30":   {0xff, 0xff, 0xff, 0xff, 0x07},
	"endless": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
}

// TestBombs: a few bytes that say that much follows are a fault at once, and
// cost neither time nor memory. A decoder that counts, or makes room, never
// ends here.
func TestBombs(t *testing.T) { // alone, as it counts allocations
	skipped := []string{
		`"string"`, `"bytes"`, `{"type":"array","items":"string"}`, `{"type":"map","values":"string"}`, `{"type":"map","values":"null"}`,
		`{"type":"array","items":"null"}`, `{"type":"array","items":{"type":"record","name":"Empty","fields":[]}}`,
		`{"type":"array","items":{"type":"array","items":"null"}}`, `{"type":"array","items":{"type":"fixed","name":"None","size":0}}`,
		`{"type":"array","items":{"type":"fixed","name":"Big","size":1000000000}}`, `["null","string"]`, `{"type":"enum","name":"E","symbols":["A"]}`,
		`{"type":"array","items":["null","string"]}`,
	}
	ev := fullEvent(t)
	headers := headersOf(t, ev)
	for _, typ := range skipped {
		decoder := registry(t, withField(t, typ))
		for name, n := range huge {
			for _, rest := range []string{"", "\x00", "\x02", strings.Repeat("\x00", 50)} {
				value := frame(1, append(append([]byte{}, n...), rest...))
				allocated := testing.AllocsPerRun(1, func() {
					if _, fault := decodeBy(decoder, headers, value); fault == nil || fault.Code != event.CodeNotAvro && fault.Code != event.CodeMissing {
						t.Errorf("%s, %s: %v", typ, name, fault)
					}
				})
				if allocated > 100 {
					t.Errorf("%s, %s: %v allocations", typ, name, allocated)
				}
			}
		}
	}
	// The lists that are read.
	own := ownRegistry(t)
	head := "\x00\x02c" // no operation, controller c
	for name, n := range huge {
		for _, before := range []string{head, head + "\x00\x00\x00\x02p", head + "\x00\x00\x00\x02p\x00", "\x00"} {
			for _, rest := range []string{"", "\x02a\x02b"} {
				if _, fault := decodeBy(own, headers, frame(1, []byte(before+string(n)+rest))); fault == nil {
					t.Errorf("%s after %q is accepted", name, before)
				}
			}
		}
	}
}

// TestEmptyItems: entries that take no bytes, as all that they could say is
// left out, are bounded like any others.
func TestEmptyItems(t *testing.T) {
	t.Parallel()
	s := shape(t, event.Processing)
	facts := record(field(s, "statements"))
	facts["fields"] = []any{object{"name": "opt_out", "type": fromJSON(`{"type":"array","items":{"type":"record","name":"Nothing","fields":[]}}`)}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	ev := fullEvent(t)
	v := generic(t, ev)
	v["statements"] = object{"ee.andmerada.v1.Facts": object{"opt_out": []any{}}}
	datum := encodeBy(t, string(text), v) // the last byte is the end of opt_out
	value := append(append([]byte{}, datum[:len(datum)-1]...), append(huge["2^62"], 0)...)
	_, fault := decodeBy(registry(t, string(text)), headersOf(t, ev), frame(1, value))
	if fault == nil || fault.Code != event.CodeMissing && fault.Code != event.CodeTooMany {
		t.Errorf("got %v", fault)
	}
}

// TestDeepValues: a schema that names itself may be read past, but not for ever.
func TestDeepValues(t *testing.T) {
	t.Parallel()
	tree := `{"type":"record","name":"Tree","fields":[{"name":"next","type":["null","Tree"]}]}`
	self := `{"type":"record","name":"Self","fields":[{"name":"self","type":"Self"}]}`
	nested := `{"type":"array","items":{"type":"record","name":"List","fields":[{"name":"l","type":{"type":"array","items":"List"}}]}}`
	ev := fullEvent(t)
	for typ, bytes := range map[string]string{
		tree:   strings.Repeat("\x02", 1<<19),
		self:   "\x00",
		nested: strings.Repeat("\x02", 1<<19),
	} {
		_, fault := decodeBy(registry(t, withField(t, typ)), headersOf(t, ev), frame(1, []byte(bytes)))
		if fault == nil || fault.Code != event.CodeTooDeep {
			t.Errorf("%s: %v", typ, fault)
		}
	}
}

// TestHostileSchemas: a schema comes from outside, too.
func TestHostileSchemas(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	many.WriteString(`{"type":"record","name":"R","fields":[`)
	for i := range 8000 {
		fmt.Fprintf(&many, `{"name":"f%d","type":"int"},`, i)
	}
	many.WriteString(`{"name":"last","type":"int"}]}`)
	// Each level has many branches that lead to all of the next.
	var wide strings.Builder
	wide.WriteString(`[`)
	for i := range 300 {
		fmt.Fprintf(&wide, `{"type":"record","name":"W%d","fields":[{"name":"controller","type":"string"},{"name":"purpose","type":"string"},{"name":"statements","type":%s}]},`,
			i, map[bool]string{true: `[{"type":"record","name":"S0","fields":[]}`, false: `["S0"`}[i == 0]+`,"null"]`)
	}
	wide.WriteString(`"null"]`)
	for name, text := range map[string]string{
		"empty": "", "not JSON": "{", "deep": strings.Repeat("[", 100_000), "huge": `"` + strings.Repeat("x", 1<<20) + `"`,
		"no fields": `{"type":"record","name":"R"}`, "unknown type": `"x"`, "union in union": `[["null"]]`, "bad name": `{"type":"fixed","name":"a b","size":1}`,
		"negative size": `{"type":"fixed","name":"a","size":-1}`, "many fields": many.String(), "many branches": wide.String(),
		"numbers": `{"type":"record","name":"R","fields":[{"name":1,"type":2}]}`, "null": "null", "bad default": `{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`,
	} {
		s, err := event.ParseSchema(text)
		if err != nil {
			var fault *event.Fault
			if !asFault(err, &fault) || fault.Code != event.CodeSchemaMismatch {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		d := &event.Decoder{Schema: func(uint32) (*event.Schema, error) { return s, nil }}
		if _, fault := decodeBy(d, headersOf(t, fullEvent(t)), frame(1, []byte("\x00\x00\x00\x00"))); fault == nil {
			t.Errorf("%s: an event", name)
		}
	}
}

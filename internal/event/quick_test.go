package event

import (
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/schemas"
)

// slowly reads a message by the decoder alone.
func slowly(value []byte) (*Event, *Fault) {
	r := newReader()
	defer r.free()
	ev := new(Event)
	r.message(ev, nil, value)
	return ev, r.fault
}

// quickly reads a message by quick alone; ok is false where it gives up.
func quickly(value []byte) (ev *Event, ok bool) {
	r := newReader()
	defer r.free()
	ev, r.quick.on = new(Event), true
	r.message(ev, nil, value)
	return ev, r.fault == nil
}

// checkQuick holds that what is read quickly is what is read slowly, and that
// a fault is found whichever way was tried first.
func checkQuick(t *testing.T, value []byte) (taken bool) {
	t.Helper()
	want, fault := slowly(value)
	got, taken := quickly(value)
	switch {
	case taken && fault != nil:
		t.Fatalf("read quickly, but at fault: %v\n%s", fault, value)
	case taken && !reflect.DeepEqual(got, want):
		t.Fatalf("read quickly as\n%+v\nslowly as\n%+v\n%s", got, want, value)
	}
	both, err := DecodeKafka(nil, value)
	switch {
	case (err != nil) != (fault != nil), err != nil && !reflect.DeepEqual(err, error(fault)):
		t.Fatalf("%v, and read slowly: %v\n%s", err, fault, value)
	case err == nil && !reflect.DeepEqual(both, want):
		t.Fatalf("read as\n%+v\nslowly as\n%+v\n%s", both, want, value)
	}
	return taken
}

// TestQuickTakesWhatIsUsual holds that quick is of use: it takes every example.
func TestQuickTakesWhatIsUsual(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(schemas.FS, "examples/*.json")
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(schemas.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if !checkQuick(t, text) {
			t.Errorf("%s is not read quickly", name)
		}
	}
}

// quickOdd are texts at the edge of what is JSON, for a place in an event.
var quickOdd = []string{
	`"a\u0062"`, `"\ud800"`, `"\x"`, `"a` + "\x01" + `b"`, `"` + "\x7f" + `"`, `"` + "\u0085" + `"`, `"` + "\xff" + `"`, `" a "`, `"\u00a0a"`, `"õõõõõõõõõõ"`, `"`, `"abc`, `""`,
	`01`, `-1`, `1.5`, `1e3`, `7`, `9007199254740993`, `null`, `nul`, `true`, `truefalse`, `[]`, `[,]`, `["a",]`, `["a" "b"]`, `{}`, `{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`,
	`{"a":1,}`, `{"a" 1}`, `{a:1}`, `[1,[2,{"x":[]}]]`, "\"1234567\"", "\"12345678\"", "\"1234567\\n9\"", `"1234567õ"`, `"12345678õ"`,
}

func TestQuickAtTheEdge(t *testing.T) {
	t.Parallel()
	for _, v := range quickOdd {
		for _, at := range []string{"id", "reason", "records", "extra", "categories", "person", "statements", "data", "time"} {
			data := `{"controller":"elektrum","person":{"scheme":"customer-number","value":"7"},"purpose":"p","categories":["name"]}`
			text := `{"specversion":"1.0","id":"1","source":"/s","type":"ee.andmerada.access.v1","time":"2024-06-10T09:59:59Z","data":` + data + "}"
			switch at {
			case "id":
				text = strings.Replace(text, `"id":"1"`, `"id":`+v, 1)
			case "time":
				text = strings.Replace(text, `"2024-06-10T09:59:59Z"`, v, 1)
			case "data":
				text = strings.Replace(text, data, v, 1)
			case "categories":
				text = strings.Replace(text, `["name"]`, v, 1)
			case "person":
				text = strings.Replace(text, `{"scheme":"customer-number","value":"7"}`, v, 1)
			default:
				text = strings.Replace(text, `"purpose"`, ` "`+at+`" : `+v+` , "purpose"`, 1)
			}
			checkQuick(t, []byte(text))
			checkQuick(t, []byte(strings.Replace(text, `"specversion":"1.0",`, "", 1)+" "))
			checkQuick(t, []byte(text+"x"))
		}
	}
}

// FuzzQuick holds the same of any message.
func FuzzQuick(f *testing.F) {
	for _, pattern := range []string{"examples/*.json", "examples/invalid/*.json"} {
		names, err := fs.Glob(schemas.FS, pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(schemas.FS, name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	for _, v := range quickOdd {
		f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"ee.andmerada.access.v1","time":"2024-06-10T09:59:59Z","data":{"controller":` + v + `}}`))
	}
	f.Fuzz(func(t *testing.T, value []byte) { checkQuick(t, value) })
}

package emit_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andmerada/andmerada/internal/emit"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"one object", "{\n \"id\": \"a\"\n}\n", "1:{\n \"id\": \"a\"\n}"},
		{"lines", "{\"id\":1}\n{\"id\":2}\n\n{\"id\":3}", `1:{"id":1} 2:{"id":2} 4:{"id":3}`},
		{"array", "[\n{\"id\":1},\n{\"id\":\n2},\n{\"id\":3}]\n", "2:{\"id\":1} 3:{\"id\":\n2} 5:{\"id\":3}"},
		{"empty", " \n", ""},
		{"empty array", "[]", ""},
		{"duplicate names are for the decoder", `{"a":1,"a":2}`, `1:{"a":1,"a":2}`},
		{"broken line", "{\"id\":1}\n{\"id\":x}\n{\"id\":3}", `1:{"id":1} error line 2: not JSON`},
		{"cut short", "{\"id\":1}\n\n{\"id\":", `1:{"id":1} error line 3: the file ends within a JSON value`},
		{"cut array", "[{\"id\":1},\n", `1:{"id":1} error line 2: the file ends within a JSON value`},
		{"nested array", "[[1]]", `1:[1]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for raw, err := range emit.ReadFile(iotest.OneByteReader(strings.NewReader(test.text))) {
				if err != nil {
					got = append(got, "error "+err.Error())
					continue
				}
				got = append(got, fmt.Sprintf("%d:%s", raw.Line, raw.Value))
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got  %s\nwant %s", s, test.want)
			}
		})
	}
}

func TestReadFileStopsWhenAsked(t *testing.T) {
	t.Parallel()
	n := 0
	for range emit.ReadFile(strings.NewReader("{}\n{}\n{}")) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("read %d", n)
	}
}

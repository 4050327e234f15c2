package embedded

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
)

func hello(database, user, password string) []byte {
	var b proto.Buffer
	proto.ClientHello{Name: "client", Major: 26, Minor: 7, ProtocolVersion: proto.Version, Database: database, User: user, Password: password}.Encode(&b)
	return b.Buf
}

func TestReadGreeting(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxGreetingPart)
	for name, test := range map[string]struct {
		bytes []byte
		want  greeting
		fails bool
	}{
		"whole":        {bytes: hello("d", "u", "p"), want: greeting{"d", "u", "p", proto.Version}},
		"empty parts":  {bytes: hello("", "", ""), want: greeting{revision: proto.Version}},
		"longest part": {bytes: hello(long, "u", "p"), want: greeting{long, "u", "p", proto.Version}},
		"more behind":  {bytes: append(hello("d", "u", "p"), 1, 2, 3), want: greeting{"d", "u", "p", proto.Version}},
		"too long":     {bytes: hello(long+"x", "u", "p"), fails: true},
		"cut off":      {bytes: hello("d", "u", "password")[:20], fails: true},
		"nothing":      {fails: true},
		"HTTP":         {bytes: []byte("GET / HTTP/1.1\r\n\r\n"), fails: true},
		"huge length":  {bytes: []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, fails: true},
	} {
		got, err := readGreeting(bytes.NewReader(test.bytes))
		if (err != nil) != test.fails {
			t.Errorf("%s: error %v, want one: %t", name, err, test.fails)
		}
		if err == nil && got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// Whatever a client sends: what is read is within the bounds, and the same as
// what a client that says so would have sent.
func FuzzReadGreeting(f *testing.F) {
	f.Add(hello("d", "u", "p"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		g, err := readGreeting(bytes.NewReader(in))
		if err != nil {
			return
		}
		for _, part := range []string{g.database, g.user, g.password} {
			if len(part) > maxGreetingPart {
				t.Errorf("a part has %d bytes", len(part))
			}
		}
		again, err := readGreeting(bytes.NewReader(hello(g.database, g.user, g.password)))
		again.revision = g.revision // hello says that of this library
		if err != nil || again != g {
			t.Errorf("read again: %+v, %v, want %+v", again, err, g)
		}
	})
}

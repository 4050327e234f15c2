package answer

import (
	"errors"
	"strings"
	"testing"
)

func TestReadReceipts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"id\na\nb\n": 2, "\xef\xbb\xbfday;count\n2026-01-01;3\n": 1, "x,ID\n1, a \n": 1, "id\n": 0} {
		got, err := ReadReceipts(strings.NewReader(text))
		if err != nil || len(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
			continue
		}
		for _, r := range got {
			if r.ID == "" && (r.Day != "2026-01-01" || r.Count == nil || *r.Count != 3) || r.ID != strings.TrimSpace(r.ID) {
				t.Errorf("%q: %+v", text, r)
			}
		}
	}
	for text, want := range map[string]string{
		"": "empty", "a,b\n1,2\n": "columns", "day,count\n2026-01-01,mari@example.com\n": "line 2", "id\n\"a\nb": "no CSV", "id,x\na\n": "no CSV",
	} {
		_, err := ReadReceipts(strings.NewReader(text))
		fault := new(Fault)
		if !errors.As(err, &fault) || fault.Pointer != "/receipts" || !strings.Contains(fault.Problem, want) || strings.Contains(fault.Error(), "mari") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

package report

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	objectAt = regexp.MustCompile(`(?m)^(\d+) 1\n(\d{10}) 00000 n $`)
	streamOf = regexp.MustCompile(`(?s)/Length (\d+)>>\nstream\n`)
	markOf   = regexp.MustCompile(`/MCID (\d+)>> BDC`)
	markRef  = regexp.MustCompile(`/MCR /Pg (\d+) 0 R /MCID (\d+)`)
	kindOf   = regexp.MustCompile(`/StructElem /S /(\w+)`)
)

// checkPDF reads a PDF by means of its own: that each object is where the table
// says, that all content is marked and each mark is of the structure, and that
// what a screen reader needs is there.
func checkPDF(t *testing.T, pdf []byte, d *Document) {
	t.Helper()
	text := string(pdf)
	for _, want := range []string{"%PDF-", "/MarkInfo <</Marked true>>", "/Lang (" + d.Language + ")", "/DisplayDocTitle true", "<pdfuaid:part>1</pdfuaid:part>", "/ParentTree", "/FontFile2"} {
		if !strings.Contains(text, want) {
			t.Errorf("the PDF has no %s", want)
		}
	}
	at := strings.LastIndex(text, "startxref\n")
	xref, err := strconv.Atoi(strings.SplitN(text[at:], "\n", 3)[1])
	if err != nil {
		t.Fatal(err)
	}
	objects := make(map[string]string)
	for _, m := range objectAt.FindAllStringSubmatch(text[xref:], -1) {
		offset, _ := strconv.Atoi(m[2])
		if !strings.HasPrefix(text[offset:], m[1]+" 0 obj\n") {
			t.Errorf("object %s is not at %d", m[1], offset)
		}
		body, _, _ := strings.Cut(text[offset:], "\nendobj")
		objects[m[1]] = body
	}
	marks := make(map[string]bool) // of the content, by page and mark
	for n, body := range objects {
		if !strings.Contains(body, "/Type /Page\n") {
			continue
		}
		page := n
		content := regexp.MustCompile(`/Contents (\d+) 0 R`).FindStringSubmatch(body)[1]
		start := strings.Index(text, "\n"+content+" 0 obj\n")
		m := streamOf.FindStringSubmatchIndex(text[start:])
		size, _ := strconv.Atoi(text[start+m[2] : start+m[3]])
		z, err := zlib.NewReader(bytes.NewReader(pdf[start+m[1] : start+m[1]+size]))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		depth := 0
		for line := range strings.SplitSeq(string(stream), "\n") {
			switch {
			case strings.HasSuffix(line, " BDC"):
				depth++
				if m := markOf.FindStringSubmatch(line); m != nil {
					marks[page+" "+m[1]] = true
				}
			case line == "EMC":
				depth--
			case depth == 0 && (strings.Contains(line, " Tj") || strings.HasSuffix(line, " S")):
				t.Errorf("page %s draws what is not marked: %s", page, line)
			}
			if depth < 0 || depth > 1 {
				t.Fatalf("page %s: marks do not nest: %s", page, line)
			}
		}
	}
	kinds := make(map[string]int)
	for _, body := range objects {
		if m := kindOf.FindStringSubmatch(body); m != nil {
			kinds[m[1]]++
		}
		for _, m := range markRef.FindAllStringSubmatch(body, -1) {
			key := m[1] + " " + m[2]
			if !marks[key] {
				t.Errorf("the structure names mark %s, which no page has, or names it twice", key)
			}
			delete(marks, key)
		}
	}
	if len(marks) > 0 {
		t.Errorf("%d marks are of no element: %v", len(marks), marks)
	}
	want := make(map[string]int)
	for i := range d.Blocks {
		b := &d.Blocks[i]
		switch b.Kind {
		case Heading:
			want[fmt.Sprintf("H%d", b.Level+1)]++
		case List:
			want["L"]++
			want["LI"] += len(b.Items)
		case Table:
			want["Table"]++
			want["THead"]++
			want["TR"] += len(b.Rows) + 1
		case Facts:
			want["Table"]++
			want["TR"] += len(b.Pairs)
		}
	}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("the structure has %d %s, the document %d", kinds[kind], kind, n)
		}
	}
}

// What events say stands in reports, whatever letters it has.
func TestAnyLetters(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Kohvik 🐈 OÜ", "\U0010FFFF", "a\x00b\x14\u0085c", "\u202eevil", "\xff\xfe", strings.Repeat("ŽÕж", 400), "\u0000", "漢字かな", "e\u0301"} {
		d := &Document{Language: "en", Title: text, Subtitle: text, of: func(int, int) string { return "1/1" }}
		d.heading(1, text)
		d.say(text)
		d.list([]string{text})
		d.facts(Pair{text, text})
		d.table("t", []string{text, "b"}, nil, [][]Cell{{{Text: text}, {Text: text, Number: true}}})
		var b bytes.Buffer
		if err := d.PDF(&b); err != nil || b.Len() < 1000 {
			t.Errorf("%.20q: %d bytes, err = %v", text, b.Len(), err)
		}
		if d.Title != text {
			t.Errorf("%.20q: the document has changed", text)
		}
	}
	if got := drawn("a\u202eb\tc\nd🐈"); got != "ab c\nd?" {
		t.Errorf("%q", got)
	}
}

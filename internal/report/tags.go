package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// tag is an element of the structure that a screen reader follows (ISO 32000-1,
// 14.7): what a part of the page is, apart from how it looks.
type tag struct {
	kind string // standard structure type: H1, P, L, LI, LBody, Table, TR, TH, TD
	attr string // attribute dictionary, "" = none
	kids []kid
}

// kid is a part of an element: another element, or marked content of a page.
type kid struct {
	tag        *tag
	page, mcid int // page from 0
}

func (t *tag) add(kind string) *tag {
	k := &tag{kind: kind}
	t.kids = append(t.kids, kid{tag: k})
	return k
}

// tagged adds the structure to a finished PDF, as an incremental update: the
// writer of the PDF knows nothing of structure, but lets content be marked.
func tagged(pdf []byte, root *tag, marks []int) ([]byte, error) {
	w, err := newUpdate(pdf)
	if err != nil {
		return nil, err
	}
	w.pages = nil
	for n := 1; n < w.size; n++ {
		if strings.HasPrefix(w.object(n), "<</Type /Page\n") {
			w.pages = append(w.pages, n)
		}
	}
	if len(w.pages) != len(marks) {
		return nil, fmt.Errorf("the PDF has %d pages, and %d are marked", len(w.pages), len(marks))
	}
	tree, parents := w.next(), w.next()
	w.owner = make([][]int, len(marks))
	for i, n := range marks {
		w.owner[i] = make([]int, n)
	}
	top := w.element(root, tree)
	var b strings.Builder
	b.WriteString("<</Nums [")
	for i, owners := range w.owner {
		fmt.Fprintf(&b, "%d [", i)
		for mcid, o := range owners {
			if o == 0 {
				return nil, fmt.Errorf("mark %d of page %d is of no element", mcid, i+1)
			}
			fmt.Fprintf(&b, "%d 0 R ", o)
		}
		b.WriteString("]\n")
	}
	b.WriteString("]>>")
	w.set(parents, b.String())
	w.set(tree, fmt.Sprintf("<</Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d>>", top, parents, len(marks)))
	for i, n := range w.pages {
		w.set(n, strings.Replace(w.object(n), "/Type /Page\n", fmt.Sprintf("/Type /Page\n/StructParents %d /Tabs /S\n", i), 1))
	}
	catalog := strings.Replace(w.object(w.root), "/Type /Catalog\n",
		fmt.Sprintf("/Type /Catalog\n/Version /1.7\n/MarkInfo <</Marked true>>\n/StructTreeRoot %d 0 R\n/ViewerPreferences <</DisplayDocTitle true>>\n", tree), 1)
	w.set(w.root, catalog)
	return w.bytes(), nil
}

// update is an incremental update of a PDF (ISO 32000-1, 7.5.6): objects after
// its end, in place of those of the same number.
type update struct {
	old        []byte
	offsets    []int // of the old objects, by number
	size       int   // of the old file: one more than its last object
	last       int   // number given last
	root, info int
	xref       int // where the old table begins
	objects    map[int]string
	order      []int
	pages      []int
	owner      [][]int // of each page and mark, the element
}

var trailerOf = regexp.MustCompile(`(?s)/Size (\d+)\n/Root (\d+) 0 R\n/Info (\d+) 0 R.*startxref\n(\d+)\n`)

func newUpdate(pdf []byte) (*update, error) {
	w := &update{old: pdf, objects: make(map[int]string)}
	at := bytes.LastIndex(pdf, []byte("trailer\n"))
	if at < 0 {
		return nil, fmt.Errorf("the PDF has no trailer")
	}
	m := trailerOf.FindSubmatch(pdf[at:])
	if m == nil {
		return nil, fmt.Errorf("the PDF's trailer is not of the form that is expected")
	}
	for i, to := range []*int{&w.size, &w.root, &w.info, &w.xref} {
		n, err := strconv.Atoi(string(m[i+1]))
		if err != nil {
			return nil, fmt.Errorf("read the PDF's trailer: %w", err)
		}
		*to = n
	}
	w.last = w.size - 1
	lines := strings.Split(string(pdf[w.xref:at]), "\n")
	if len(lines) < w.size+2 {
		return nil, fmt.Errorf("the PDF's table of objects is too short")
	}
	w.offsets = make([]int, w.size)
	for n := 1; n < w.size; n++ {
		offset, err := strconv.Atoi(strings.Fields(lines[n+2])[0])
		if err != nil || offset >= len(pdf) {
			return nil, fmt.Errorf("read the PDF's table of objects: entry %d", n)
		}
		w.offsets[n] = offset
	}
	return w, nil
}

// object is what an object of the old file holds.
func (w *update) object(n int) string {
	b := w.old[w.offsets[n]:]
	if end := bytes.Index(b, []byte("endobj")); end >= 0 {
		b = b[:end]
	}
	_, body, _ := strings.Cut(string(b), "obj\n")
	return strings.TrimSpace(body)
}

func (w *update) next() int {
	w.last++
	return w.last
}

func (w *update) set(n int, body string) {
	w.objects[n] = body
	w.order = append(w.order, n)
}

// element writes an element and all below it.
func (w *update) element(t *tag, parent int) int {
	n := w.next()
	var b strings.Builder
	fmt.Fprintf(&b, "<</Type /StructElem /S /%s /P %d 0 R", t.kind, parent)
	if t.attr != "" {
		b.WriteString(" /A " + t.attr)
	}
	b.WriteString(" /K [")
	for _, k := range t.kids {
		if k.tag != nil {
			fmt.Fprintf(&b, "%d 0 R ", w.element(k.tag, n))
			continue
		}
		w.owner[k.page][k.mcid] = n
		fmt.Fprintf(&b, "<</Type /MCR /Pg %d 0 R /MCID %d>> ", w.pages[k.page], k.mcid)
	}
	b.WriteString("]>>")
	w.set(n, b.String())
	return n
}

func (w *update) bytes() []byte {
	var b bytes.Buffer
	b.Write(w.old)
	if !bytes.HasSuffix(w.old, []byte("\n")) {
		b.WriteByte('\n')
	}
	at := make(map[int]int, len(w.order))
	for _, n := range w.order {
		at[n] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n, w.objects[n])
	}
	xref := b.Len()
	b.WriteString("xref\n")
	for n := 1; n <= w.last; n++ {
		if offset, ok := at[n]; ok {
			fmt.Fprintf(&b, "%d 1\n%010d 00000 n \n", n, offset)
		}
	}
	fmt.Fprintf(&b, "trailer\n<<\n/Size %d\n/Root %d 0 R\n/Info %d 0 R\n/Prev %d\n>>\nstartxref\n%d\n%%%%EOF\n", w.last+1, w.root, w.info, w.xref, xref)
	return b.Bytes()
}

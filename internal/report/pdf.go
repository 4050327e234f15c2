package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
)

// Sizes of the page, in millimetres: A4, with room to punch holes.
const (
	pageWidth, pageHeight = 210.0, 297.0
	left, right           = 25.0, 22.0
	top, bottom           = 22.0, 26.0
	textWidth             = pageWidth - left - right
	point                 = 25.4 / 72
)

// font is a face of the report's family, the Go fonts: open (BSD), drawn for
// Latin, Greek and Cyrillic, with all letters of the five languages.
type font struct {
	style  string // of the PDF library
	size   float64
	lead   float64 // from line to line, in points
	colour [3]int
}

var (
	ink    = [3]int{28, 30, 34}
	grey   = [3]int{96, 100, 108}
	accent = [3]int{20, 74, 92}
	alarm  = [3]int{150, 32, 24}

	titleFont = font{"B", 22, 27, accent}
	subFont   = font{"", 11.5, 16, grey}
	headFonts = []font{{"B", 14, 19, accent}, {"B", 11, 15, ink}, {"B", 10, 14, ink}}
	textFont  = font{"", 10, 14.6, ink}
	leadFont  = font{"", 11.5, 17, ink}
	alarmFont = font{"B", 10, 14.6, alarm}
	quietFont = font{"", 8.5, 12, grey}
	nameFont  = font{"", 9.5, 13.8, grey}
	valueFont = font{"", 9.5, 13.8, ink}
	cellFont  = font{"", 8.5, 11.6, ink}
	thFont    = font{"I", 8.5, 11.6, grey} // I is the medium weight here
)

const family = "go"

// drawer draws a document.
type drawer struct {
	*fpdf.Fpdf
	doc   *Document
	pages int // of the whole, 0 = not known yet
	y     float64
	root  *tag
	marks []int // how many marks each page has
	err   error
}

// PDF writes the document as a PDF that is tagged for screen readers
// (ISO 14289-1), with the fonts' used letters in it.
func (d *Document) PDF(w io.Writer) error {
	d = d.drawable()
	first, err := d.draw(0)
	if err != nil {
		return err
	}
	whole, err := d.draw(first.PageCount()) // now that the number of pages is known
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := whole.Output(&b); err != nil {
		return fmt.Errorf("draw the report: %w", err)
	}
	pdf, err := tagged(b.Bytes(), whole.root, whole.marks)
	if err != nil {
		return fmt.Errorf("tag the report: %w", err)
	}
	_, err = w.Write(pdf)
	return err
}

func (d *Document) draw(pages int) (*drawer, error) {
	p := &drawer{Fpdf: fpdf.New("P", "mm", "A4", ""), doc: d, pages: pages, root: &tag{kind: "Document"}}
	p.SetAutoPageBreak(false, 0)
	p.SetMargins(left, top, right)
	p.SetCellMargin(0)
	p.SetCatalogSort(true)
	p.SetCreationDate(d.Made)
	p.SetModificationDate(d.Made)
	p.SetTitle(d.Title, true)
	p.SetCreator("Andmerada", true)
	p.SetProducer("Andmerada", true)
	p.SetLang(d.Language)
	p.SetXmpMetadata(xmp(d))
	for style, ttf := range map[string][]byte{"": goregular.TTF, "B": gobold.TTF, "I": gomedium.TTF} {
		p.AddUTF8FontFromBytes(family, style, ttf)
	}
	p.turn()
	p.block(p.root.add("H1"), titleFont, left, textWidth, d.Title)
	if d.Subtitle != "" {
		p.y += 1
		p.block(p.root.add("P"), subFont, left, textWidth, d.Subtitle)
	}
	p.y += 3
	p.rule(left, textWidth, .5, accent)
	p.y += 4
	for i := range d.Blocks {
		p.draw(&d.Blocks[i], d.Blocks[i+1:])
	}
	p.foot()
	if err := p.Error(); err != nil {
		return nil, fmt.Errorf("draw the report: %w", err)
	}
	return p, p.err
}

// turn begins a page.
func (p *drawer) turn() {
	if p.PageCount() > 0 {
		p.foot()
	}
	p.AddPage()
	p.marks = append(p.marks, 0)
	p.y = top
}

// need turns the page where less than so many millimetres are left.
func (p *drawer) need(height float64) {
	if p.y+height > pageHeight-bottom {
		p.turn()
	}
}

// artifact draws what is no part of the content: a screen reader leaves it out.
func (p *drawer) artifact(kind string, draw func()) {
	p.RawWriteStr("/Artifact <</Type /" + kind + ">> BDC")
	draw()
	p.RawWriteStr("EMC")
}

func (p *drawer) foot() {
	y := pageHeight - bottom + 9
	p.artifact("Pagination", func() {
		p.use(quietFont)
		of := strings.TrimSuffix(p.doc.Title+" · "+p.doc.Subtitle, " · ")
		if p.GetStringWidth(of) > textWidth-34 { // rather the title alone than words that are cut
			of = p.fit(p.doc.Title, textWidth-34)
		}
		p.Text(left, y+3, of)
		number := p.doc.of(p.PageNo(), max(p.pages, 1))
		p.Text(pageWidth-right-p.GetStringWidth(number), y+3, number)
	})
}

// fit cuts a text to a width.
func (p *drawer) fit(s string, width float64) string {
	if p.GetStringWidth(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && p.GetStringWidth(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return strings.TrimSpace(string(r)) + "…"
}

func (p *drawer) rule(x, width, thick float64, colour [3]int) {
	p.artifact("Layout", func() {
		p.SetDrawColor(colour[0], colour[1], colour[2])
		p.SetLineWidth(thick)
		p.Line(x, p.y, x+width, p.y)
	})
}

func (p *drawer) use(f font) {
	p.SetFont(family, f.style, f.size)
	p.SetTextColor(f.colour[0], f.colour[1], f.colour[2])
}

// lines breaks a text into lines of at most that width.
func (p *drawer) lines(f font, width float64, s string) []string {
	p.use(f)
	var lines []string
	for part := range strings.SplitSeq(s, "\n") {
		line := ""
		for word := range strings.SplitSeq(part, " ") {
			try := word
			if line != "" {
				try = line + " " + word
			}
			if p.GetStringWidth(try) <= width {
				line = try
				continue
			}
			if line != "" {
				lines = append(lines, line)
			}
			for p.GetStringWidth(word) > width { // a word that no line holds, as an id or a hash
				r := []rune(word)
				n := len(r) - 1
				for n > 1 && p.GetStringWidth(string(r[:n])) > width {
					n--
				}
				lines, word = append(lines, string(r[:n])), string(r[n:])
			}
			line = word
		}
		lines = append(lines, line)
	}
	return lines
}

// block draws a text as content of an element, over as many pages as it needs.
func (p *drawer) block(t *tag, f font, x, width float64, s string) {
	lines := p.lines(f, width, s)
	for len(lines) > 0 {
		p.need(f.lead * point)
		room := max(int((pageHeight-bottom-p.y)/(f.lead*point)), 1)
		n := min(room, len(lines))
		if n < len(lines) && len(lines)-n == 1 && n > 2 {
			n-- // no line alone on the next page
		}
		p.text(t, f, x, p.y, lines[:n], 0)
		p.y += float64(n) * f.lead * point
		lines = lines[n:]
	}
}

// text draws lines at a place, as content of an element; width, where it is not
// zero, is that of a column in which they stand to the right.
func (p *drawer) text(t *tag, f font, x, y float64, lines []string, width float64) {
	page := p.PageNo() - 1
	mcid := p.marks[page]
	p.marks[page]++
	t.kids = append(t.kids, kid{page: page, mcid: mcid})
	p.RawWriteStr(fmt.Sprintf("/%s <</MCID %d>> BDC", t.kind, mcid))
	p.use(f)
	for i, line := range lines {
		at := x
		if width > 0 {
			at += width - p.GetStringWidth(line)
		}
		if i < len(lines)-1 {
			line += " " // so that words of two lines stay apart where it is read aloud or copied
		}
		p.Text(at, y+(float64(i)*f.lead+f.lead*.5+f.size*.35)*point, line)
	}
	p.RawWriteStr("EMC")
}

// xmp is what the file says of itself: its title and language, and that it is
// made for screen readers (PDF/UA-1).
func xmp(d *Document) []byte {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	return []byte(`<?xpacket begin="` + "\uFEFF" + `" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">` + escape(d.Title) + `</rdf:li></rdf:Alt></dc:title>
<dc:language><rdf:Bag><rdf:li>` + escape(d.Language) + `</rdf:li></rdf:Bag></dc:language>
<xmp:CreatorTool>Andmerada</xmp:CreatorTool>
<pdfuaid:part>1</pdfuaid:part>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>`)
}

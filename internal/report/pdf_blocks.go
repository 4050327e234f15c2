package report

import "strings"

// draw draws one block, which others follow.
func (p *drawer) draw(b *Block, next []Block) {
	switch b.Kind {
	case Heading:
		p.heading(b, next)
	case Paragraph:
		f := map[Tone]font{Plain: textFont, Lead: leadFont, Alarm: alarmFont, Quiet: quietFont}[b.Tone]
		p.block(p.root.add("P"), f, left, textWidth, b.Text)
		p.y += 2.2
	case List:
		p.list(b)
	case Facts:
		p.facts(b)
	case Table:
		p.table(b)
	}
}

func (p *drawer) heading(b *Block, next []Block) {
	f, space := headingOf(b)
	p.need(space + f.lead*point + p.begins(next)) // a heading does not end a page
	if p.y > top {
		p.y += space
	}
	p.block(p.root.add([]string{"H2", "H3", "H4"}[min(max(b.Level, 1), 3)-1]), f, left, textWidth, b.Text)
	p.y += 1.4
}

// headingOf is the font of a heading, and the space above it.
func headingOf(b *Block) (f font, space float64) {
	level := min(max(b.Level, 1), len(headFonts))
	return headFonts[level-1], []float64{6.5, 3.8, 2.5}[level-1]
}

// begins is how high the least is of what follows a heading that may stand below
// it alone: some lines, a table's head with its first row, another heading with
// what follows that.
func (p *drawer) begins(next []Block) float64 {
	few := 3 * textFont.lead * point
	if len(next) == 0 {
		return 0
	}
	b := &next[0]
	switch {
	case b.Kind == Heading:
		f, space := headingOf(b)
		return space + f.lead*point + 1.4 + p.begins(next[1:])
	case b.Kind == Table && len(b.Rows) > 0:
		_, width := p.columns(b)
		head, row := 1, 1
		for i := range b.Head {
			head = max(head, len(p.lines(thFont, width[i], b.Head[i])))
			row = max(row, len(p.lines(cellFont, width[i], b.Rows[0][i].Text)))
		}
		high := float64(head)*thFont.lead*point + float64(row)*cellFont.lead*point + 6
		return min(max(high, 4*cellFont.lead*point+1.4), (pageHeight-bottom-top)/2)
	default:
		return few
	}
}

const bulletIndent = 4.5

func (p *drawer) list(b *Block) {
	list := p.root.add("L")
	for _, item := range b.Items {
		p.need(textFont.lead * point)
		li := list.add("LI")
		p.text(li.add("Lbl"), textFont, left+.8, p.y, []string{"–"}, 0)
		p.block(li.add("LBody"), textFont, left+bulletIndent, textWidth-bulletIndent, item)
		p.y += .7
	}
	p.y += 1.6
}

// facts draws names to the left of what they are.
func (p *drawer) facts(b *Block) {
	const nameWidth = 48.0
	table := p.root.add("Table")
	for _, pair := range b.Pairs {
		tr := table.add("TR")
		th, td := tr.add("TH"), tr.add("TD")
		th.attr = "<</O /Table /Scope /Row>>"
		p.row([]*tag{th, td}, []font{nameFont, valueFont}, []Cell{{Text: pair.Name}, {Text: pair.Value}}, []float64{left, left + nameWidth}, []float64{nameWidth - 4, textWidth - nameWidth}, .6)
	}
	p.y += 2.5
}

// row draws the cells of a row beside each other; a row that does not fit
// stands on the next page as a whole, unless no page holds it.
func (p *drawer) row(tags []*tag, fonts []font, cells []Cell, x, width []float64, gap float64) {
	lines := make([][]string, len(cells))
	most := 1
	for i := range cells {
		lines[i] = p.lines(fonts[i], width[i], cells[i].Text)
		most = max(most, len(lines[i]))
	}
	lead := fonts[len(fonts)-1].lead * point
	whole := int((pageHeight - bottom - top) / lead)
	for from := 0; from < most; from += whole {
		n := min(most-from, whole)
		p.need(float64(n)*lead + 2*gap)
		p.y += gap
		for i := range cells {
			part := lines[i][min(from, len(lines[i])):min(from+n, len(lines[i]))]
			if len(part) == 0 {
				continue
			}
			column := 0.0
			if cells[i].Number {
				column = width[i]
			}
			p.text(tags[i], fonts[i], x[i], p.y, part, column)
		}
		p.y += float64(n)*lead + gap
	}
}

const columnGap = 3.0

func (p *drawer) table(b *Block) {
	x, width := p.columns(b)
	table := p.root.add("Table")
	numbers := make([]bool, len(b.Head))
	for _, row := range b.Rows {
		for i := range row {
			numbers[i] = numbers[i] || row[i].Number
		}
	}
	fonts := make([]font, len(b.Head))
	head := make([]Cell, len(b.Head))
	heads := make([]font, len(b.Head))
	for i, h := range b.Head {
		fonts[i], heads[i], head[i] = cellFont, thFont, Cell{Text: h, Number: numbers[i]}
	}
	p.need(4 * cellFont.lead * point)
	drawHead := func(as func() []*tag) {
		p.row(as(), heads, head, x, width, 1)
		p.rule(left, textWidth, .3, accent)
	}
	drawHead(func() []*tag {
		tr := table.add("THead").add("TR")
		tags := make([]*tag, len(b.Head))
		for i := range tags {
			tags[i] = tr.add("TH")
			tags[i].attr = "<</O /Table /Scope /Column>>"
		}
		return tags
	})
	body := table.add("TBody")
	for _, row := range b.Rows {
		page := p.PageNo()
		high := 1
		for i := range row {
			high = max(high, len(p.lines(fonts[i], width[i], row[i].Text)))
		}
		p.need(min(float64(high)*cellFont.lead*point+2, pageHeight-bottom-top-12))
		if p.PageNo() != page {
			p.again(heads, head, x, width)
		}
		tr := body.add("TR")
		tags := make([]*tag, len(row))
		for i := range tags {
			tags[i] = tr.add("TD")
		}
		p.row(tags, fonts, row, x, width, 1)
		p.rule(left, textWidth, .1, [3]int{200, 204, 208})
	}
	p.y += 4
}

// again draws a table's head on a further page, where it is for the eye only.
func (p *drawer) again(fonts []font, head []Cell, x, width []float64) {
	most := 1
	lines := make([][]string, len(head))
	for i := range head {
		lines[i] = p.lines(fonts[i], width[i], head[i].Text)
		most = max(most, len(lines[i]))
	}
	p.artifact("Pagination", func() {
		p.use(thFont)
		for i := range head {
			for k, line := range lines[i] {
				at := x[i]
				if head[i].Number {
					at += width[i] - p.GetStringWidth(line)
				}
				p.Text(at, p.y+1+(float64(k)*thFont.lead+thFont.lead*.5+thFont.size*.35)*point, line)
			}
		}
	})
	p.y += 2 + float64(most)*thFont.lead*point
	p.rule(left, textWidth, .3, accent)
}

// columns are where a table's columns begin, and how wide they are.
func (p *drawer) columns(b *Block) (x, width []float64) {
	parts := b.widths
	if len(parts) != len(b.Head) {
		parts = make([]float64, len(b.Head))
		for i := range parts {
			parts[i] = 1
		}
	}
	sum := 0.0
	for _, n := range parts {
		sum += n
	}
	for _, n := range parts {
		width = append(width, max((textWidth+columnGap)*n/sum-columnGap, 0))
	}
	p.widen(b, width)
	at := left
	for i := range width {
		x = append(x, at)
		at += width[i] + columnGap
	}
	return x, width
}

// widen makes room in columns whose words would be broken, at the cost of those
// that have more than their words need.
func (p *drawer) widen(b *Block, width []float64) {
	need := make([]float64, len(width))
	longest := func(i int, f font, s string) {
		p.use(f)
		for _, word := range strings.Fields(strings.ReplaceAll(s, "\u00a0", "_")) {
			need[i] = max(need[i], min(p.GetStringWidth(word)+.2, textWidth/3))
		}
	}
	for i, h := range b.Head {
		longest(i, thFont, h)
	}
	for _, row := range b.Rows {
		for i := range row {
			longest(i, cellFont, row[i].Text)
		}
	}
	short, spare := 0.0, 0.0
	for i := range width {
		short += max(need[i]-width[i], 0)
		spare += max(width[i]-need[i], 0)
	}
	if short == 0 || spare == 0 {
		return
	}
	give := min(short/spare, 1)
	get := min(spare/short, 1)
	for i := range width {
		if lack := need[i] - width[i]; lack > 0 {
			width[i] += lack * get
		} else {
			width[i] += lack * give
		}
	}
}

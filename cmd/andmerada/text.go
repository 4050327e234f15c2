package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Bounds of a line of text, in characters.
const (
	minWidth     = 40
	maxWidth     = 120
	defaultWidth = 100 // where the output is no terminal
)

const widthFlag = "wrap lines at so many characters (default: the terminal's width, at most 120)"

// lineWidth is how long a line may be: as asked, or what the terminal takes.
func lineWidth(out io.Writer, asked int) (int, error) {
	if asked != 0 {
		if asked < minWidth {
			return 0, usageError{fmt.Errorf("--width %d: at least %d", asked, minWidth)}
		}
		return asked, nil
	}
	if f, ok := out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 { //nolint:gosec // a file descriptor is a small number
			return min(max(w, minWidth), maxWidth), nil
		}
	}
	return defaultWidth, nil
}

// writeWrapped writes text in lines no longer than width, the first after
// first, the others after as many blanks. A word that is longer stands alone.
func writeWrapped(out io.Writer, first, text string, width int) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(first))
	room := max(width-len(indent), minWidth/2)
	line := ""
	flush := func() {
		fmt.Fprintln(out, strings.TrimRight(first+line, " "))
		first, line = indent, ""
	}
	for paragraph := range strings.Lines(text) {
		for _, word := range strings.Fields(paragraph) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
				flush()
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		flush()
	}
	if text == "" {
		flush()
	}
}

// padded fills a text up with blanks to a number of characters.
func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

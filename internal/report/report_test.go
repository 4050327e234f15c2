package report

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

func realNames(t testing.TB) *Names {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	n, err := LoadNames(registers.FS, func() *register.Set { return set })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// plainText is a document as it is read, without its looks.
func plainText(d *Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", d.Title, d.Subtitle)
	for i := range d.Blocks {
		x := &d.Blocks[i]
		switch x.Kind {
		case Heading:
			fmt.Fprintf(&b, "\n%s %s\n", strings.Repeat("#", x.Level), x.Text)
		case Paragraph:
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace(string(x.Tone)+" "+x.Text))
		case List:
			for _, item := range x.Items {
				fmt.Fprintf(&b, "- %s\n", item)
			}
		case Facts:
			for _, p := range x.Pairs {
				fmt.Fprintf(&b, "%s: %s\n", p.Name, p.Value)
			}
		case Table:
			fmt.Fprintf(&b, "| %s\n", strings.Join(x.Head, " | "))
			for _, row := range x.Rows {
				for _, cell := range row {
					fmt.Fprintf(&b, "| %s ", cell.Text)
				}
				b.WriteString("\n")
			}
		}
	}
	return strings.ReplaceAll(b.String(), "\u00a0", "~")
}

func TestReports(t *testing.T) {
	t.Parallel()
	n := realNames(t)
	for name, a := range fixtures() {
		for _, language := range Languages() {
			t.Run(name+"/"+language, func(t *testing.T) {
				t.Parallel()
				d, err := n.Report(language, a, later(70))
				if err != nil {
					t.Fatal(err)
				}
				got := plainText(d)
				golden := filepath.Join("testdata", name+"."+language+".txt")
				if *updateGolden {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("the report is not that of %s (-update writes it anew):\n%s", golden, got)
				}
				for _, bad := range []string{"{", "}", "[act", ".."} {
					if strings.Contains(got, bad) {
						t.Errorf("the report holds %q", bad)
					}
				}
				var b bytes.Buffer
				if err := d.PDF(&b); err != nil {
					t.Fatal(err)
				}
				checkPDF(t, b.Bytes(), d)
				if dir := os.Getenv("REPORTS_TO"); dir != "" { // to look at
					if err := os.WriteFile(filepath.Join(dir, name+"-"+language+".pdf"), b.Bytes(), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func TestNothingIsWithoutAName(t *testing.T) {
	t.Parallel()
	var missing []string
	for _, key := range realNames(t).Missing() {
		if strings.Contains(key, " rule ") {
			continue // titles of rules are in English so far, and say so: "[en]"
		}
		missing = append(missing, key)
	}
	if len(missing) > 0 {
		t.Errorf("%d names are missing in deploy/registers/names:\n%s", len(missing), strings.Join(missing, "\n"))
	}
}

func TestCataloguesSayTheSame(t *testing.T) {
	t.Parallel()
	places := regexp.MustCompile(`\{[a-z]+(#[a-z]+)?\}`)
	of := func(s string) []string {
		all := places.FindAllString(s, -1)
		slices.Sort(all)
		return slices.Compact(all)
	}
	forms := map[string]int{"en": 2, "et": 2, "fi": 2, "lv": 3, "ru": 3}
	en := catalogues[Fallback]
	for _, language := range Languages() {
		c := catalogues[language]
		if c == nil {
			t.Errorf("%s: no catalogue", language)
			continue
		}
		if len(c.Months) != 12 || c.OnMonths != nil && len(c.OnMonths) != 12 {
			t.Errorf("%s: a year has twelve months", language)
		}
		for key := range en.Messages {
			if !slices.Equal(of(c.Messages[key]), of(en.Messages[key])) {
				t.Errorf("%s: %s is %q, in English %q", language, key, c.Messages[key], en.Messages[key])
			}
		}
		for _, key := range slices.Sorted(maps.Keys(c.Messages)) {
			if en.Messages[key] == "" {
				t.Errorf("%s: %s is not in the English one", language, key)
			}
		}
		for noun := range en.Nouns {
			if len(c.Nouns[noun]) != forms[language] {
				t.Errorf("%s: %s has %d forms, not %d", language, noun, len(c.Nouns[noun]), forms[language])
			}
		}
	}
}

func TestFontsHaveAllLetters(t *testing.T) {
	t.Parallel()
	letters := make(map[rune]bool)
	add := func(s string) {
		for _, r := range s {
			letters[r] = true
		}
	}
	for _, c := range catalogues {
		for _, s := range c.Messages {
			add(s)
		}
		for _, forms := range c.Nouns {
			add(strings.Join(forms, ""))
		}
		add(strings.Join(append(c.Months, c.OnMonths...), ""))
	}
	n := realNames(t)
	for _, f := range n.files {
		for _, m := range []map[string]string{f.Categories, f.Purposes, f.Recipients, f.Sources, f.Rules} {
			for _, s := range m {
				add(s)
			}
		}
	}
	add("AÄÖÕÜŠŽaäöõüšžĀČĒĢĪĶĻŅŠŪŽāčēģīķļņšūžАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя0123456789§–—„“”«»…·€№\u00a0")
	for name, ttf := range map[string][]byte{"regular": goregular.TTF, "medium": gomedium.TTF, "bold": gobold.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			t.Fatal(err)
		}
		var buf sfnt.Buffer
		for r := range letters {
			if i, err := f.GlyphIndex(&buf, r); err != nil || i == 0 {
				t.Errorf("%s has no %q (%U)", name, r, r)
			}
		}
	}
}

func TestPlurals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language string
		want     string // forms of 0, 1, 2, 5, 10, 11, 12, 19, 21, 22, 25, 101, 111, 112
	}{
		{"en", "10111111111111"},
		{"et", "10111111111111"},
		{"fi", "10111111111111"},
		{"lv", "01220000122100"},
		{"ru", "20122222012022"},
	} {
		got := ""
		for _, n := range []uint64{0, 1, 2, 5, 10, 11, 12, 19, 21, 22, 25, 101, 111, 112} {
			got += fmt.Sprint(plural(c.language, n))
		}
		if got != c.want {
			t.Errorf("%s: %s, not %s", c.language, got, c.want)
		}
	}
}

func TestNumbersAndDates(t *testing.T) {
	t.Parallel()
	en, et := catalogues["en"], catalogues["et"]
	for got, want := range map[string]string{
		en.number(1234567): "1,234,567", et.number(1234567): "1\u00a0234\u00a0567", et.number(1234): "1234", en.number(12): "12",
		en.on(start): "2\u00a0May\u00a02024", et.on(start): "2.\u00a0mail\u00a02024", et.day(start): "2.\u00a0mai\u00a02024",
		et.say("told.open", "n", 1, "o", 0): "Lahtised: 1\u00a0saaja. Tähtaja ületanud: 0\u00a0saajat.",
		en.say("no.such"):                   "[no.such]",
		lower("GPS data"):                   "GPS data", lower("Arveldamine"): "arveldamine", lower("Õigus"): "õigus",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

package report

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// catalogue is what reports say in one language: sentences with places for
// names, and the words that follow a number.
type catalogue struct {
	Language string              `yaml:"language"`
	Name     string              `yaml:"name"`
	Group    string              `yaml:"group"`   // between thousands
	Decimal  string              `yaml:"decimal"` // before tenths
	Day      string              `yaml:"day"`
	On       string              `yaml:"on"` // a day on which something was done
	Months   []string            `yaml:"months"`
	OnMonths []string            `yaml:"on_months"` // in that case; as Months if left out
	Short    string              `yaml:"short"`     // a day in a table
	Clock    string              `yaml:"clock"`
	Nouns    map[string][]string `yaml:"nouns"`
	Messages map[string]string   `yaml:"messages"`
}

//go:embed lang/*.yaml
var files embed.FS

// Fallback is the language that is used where nothing else is asked for.
const Fallback = "en"

var catalogues = load()

// Languages are those that reports are written in.
func Languages() []string { return []string{"en", "et", "fi", "lv", "ru"} }

func load() map[string]*catalogue {
	all := make(map[string]*catalogue)
	for _, language := range Languages() {
		data, err := files.ReadFile("lang/" + language + ".yaml")
		if err != nil {
			continue // a test finds it missing
		}
		c := new(catalogue)
		if err := yaml.UnmarshalWithOptions(data, c, yaml.Strict()); err != nil {
			panic(fmt.Sprintf("the catalogue %s: %v", language, err)) // built in: a test loads it
		}
		for key, text := range c.Messages {
			if strings.HasPrefix(key, "basis.") { // where the law says so stays on one line
				name, place, found := strings.Cut(text, ", ")
				if found {
					c.Messages[key] = name + ", " + strings.ReplaceAll(place, " ", "\u00a0")
				}
			}
		}
		all[language] = c
	}
	return all
}

// say is a message with its places filled: {name} by a text, {n#noun} by a number
// and the form of the noun that follows it. args are names and values in turn.
func (c *catalogue) say(key string, args ...any) string {
	text, ok := c.Messages[key]
	if !ok {
		text = catalogues[Fallback].Messages[key]
		if text == "" {
			return "[" + key + "]"
		}
		text += " [" + Fallback + "]"
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		place, after, _ := strings.Cut(rest, "}")
		text = after
		name, noun, counts := strings.Cut(place, "#")
		value := argument(args, name)
		switch v := value.(type) {
		case string:
			b.WriteString(v)
			if strings.HasSuffix(v, ".") {
				text = strings.TrimPrefix(text, ".") // Acme Inc. ends its sentence itself
			}
		default:
			n := count(v)
			b.WriteString(c.number(n))
			if counts {
				b.WriteString("\u00a0" + c.noun(noun, n))
			}
		}
	}
}

// has says whether there is such a message.
func (c *catalogue) has(key string) bool { return c.Messages[key] != "" }

func argument(args []any, name string) any {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1]
		}
	}
	return "{" + name + "}"
}

func count(v any) uint64 {
	switch n := v.(type) {
	case int:
		return uint64(max(n, 0))
	case uint64:
		return n
	}
	return 0
}

func (c *catalogue) noun(noun string, n uint64) string {
	forms := c.Nouns[noun]
	if len(forms) == 0 {
		return noun
	}
	return forms[min(plural(c.Language, n), len(forms)-1)]
}

// plural is which form of a noun follows a whole number (CLDR plural rules,
// cardinal): English, Estonian, Finnish one, other; Latvian zero, one, other;
// Russian one, few, many.
func plural(language string, n uint64) int {
	ten, hundred := n%10, n%100
	switch language {
	case "lv":
		switch {
		case ten == 0 || hundred >= 11 && hundred <= 19:
			return 0
		case ten == 1:
			return 1
		}
		return 2
	case "ru":
		switch {
		case ten == 1 && hundred != 11:
			return 0
		case ten >= 2 && ten <= 4 && (hundred < 12 || hundred > 14):
			return 1
		}
		return 2
	}
	if n == 1 {
		return 0
	}
	return 1
}

// number writes a whole number with its thousands apart.
func (c *catalogue) number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	if len(s) <= 3 || len(s) == 4 && c.Group != "," {
		return s
	}
	group := strings.ReplaceAll(c.Group, " ", "\u00a0")
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (c *catalogue) date(pattern string, months []string, t time.Time) string {
	s := strings.NewReplacer("{d}", strconv.Itoa(t.Day()), "{month}", months[t.Month()-1], "{year}", strconv.Itoa(t.Year())).Replace(pattern)
	return strings.ReplaceAll(s, " ", "\u00a0") // a date stays on its line
}

// day is a date in words, as it stands by itself.
func (c *catalogue) day(t time.Time) string { return c.date(c.Day, c.Months, t) }

// on is a date in words, on which something was done.
func (c *catalogue) on(t time.Time) string {
	months := c.OnMonths
	if months == nil {
		months = c.Months
	}
	return c.date(c.On, months, t)
}

// short is a date for a table, empty if there is none.
func (c *catalogue) short(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strings.ReplaceAll(t.Format(c.Short), " ", "\u00a0")
}

func (c *catalogue) clock(t time.Time) string { return t.Format(c.Clock) }

func (c *catalogue) minute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return c.short(t) + " " + c.clock(t)
}

// join lists things: a, b and c.
func (c *catalogue) join(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return c.say("and", "a", strings.Join(list[:last], ", "), "b", list[last])
}

// things lists what has names of its own making, which hold commas and "and"s.
func things(list []string) string {
	if strings.ContainsAny(strings.Join(list, ""), ",;") {
		return strings.Join(list, "; ")
	}
	return strings.Join(list, ", ")
}

// lower begins a name with a small letter where it stands within a sentence,
// unless it is an abbreviation.
func lower(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	next, _ := utf8.DecodeRuneInString(s[size:])
	if !unicode.IsUpper(r) || unicode.IsUpper(next) || next == '.' {
		return s
	}
	return string(unicode.ToLower(r)) + s[size:]
}

// upper begins a sentence.
func upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// Known says whether reports are written in that language.
func Known(language string) bool { return slices.Contains(Languages(), language) }

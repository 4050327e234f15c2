package history

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/register"
)

// Found is the verdict on one event, as found in the trail. An event of several
// persons may come several times. Allowed ones may be left out.
type Found struct {
	Source, ID string
	Outcome    register.Outcome
	Rules      []string // that decided
}

// Report compares what was found with what was planted.
type Report struct {
	Planted, Silences int // how many violations and silences there are
	AsPlanted         int // violations found, by the rules expected
	SilencesFound     int
	Missed            []Entry // planted, and not judged as expected
	Otherwise         []Mismatch
	CalledWrongly     []Found // neither planted nor listed, and yet not allowed; near misses among them
}

// Mismatch is what was judged as expected, but by other rules.
type Mismatch struct {
	Entry Entry
	Rules []string
}

// OK says that all that was planted was found, and nothing else.
func (r *Report) OK() bool {
	return len(r.Missed)+len(r.Otherwise)+len(r.CalledWrongly) == 0
}

// Compare holds what was found against the manifest.
func (m *Manifest) Compare(found iter.Seq[Found]) Report {
	type key struct{ source, id string }
	expected := make(map[key]*Entry)
	for _, list := range [][]*Entry{m.Violations, m.Silences, m.NearMisses} {
		for _, e := range list {
			expected[key{e.Source, e.ID}] = e
		}
	}
	r := Report{Planted: len(m.Violations), Silences: len(m.Silences)}
	seen := make(map[key]Found)
	wrong := make(map[key]bool)
	for f := range found {
		k := key{f.Source, f.ID}
		e := expected[k]
		if e == nil || e.Verdict <= register.Allowed {
			if f.Outcome > register.Allowed && !wrong[k] {
				wrong[k] = true
				r.CalledWrongly = append(r.CalledWrongly, f)
			}
			continue
		}
		if f.Outcome >= seen[k].Outcome {
			seen[k] = f
		}
	}
	for _, list := range [][]*Entry{m.Violations, m.Silences} {
		for _, e := range list {
			f := seen[key{e.Source, e.ID}]
			switch {
			case f.Outcome != e.Verdict:
				r.Missed = append(r.Missed, *e)
				if f.Outcome > e.Verdict {
					r.CalledWrongly = append(r.CalledWrongly, f)
				}
			case !containsAll(f.Rules, e.Rules):
				r.Otherwise = append(r.Otherwise, Mismatch{*e, f.Rules})
			case e.Verdict == register.Violation:
				r.AsPlanted++
			default:
				r.SilencesFound++
			}
		}
	}
	return r
}

func containsAll(rules, wanted []string) bool {
	for _, w := range wanted {
		if !slices.Contains(rules, w) {
			return false
		}
	}
	return true
}

// listed is how many entries of each list a report shows.
const listed = 20

// String is the report for people: a line of counts, then what differs.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "planted violations: %d of %d found; silences: %d of %d; %d missed, %d by other rules, %d called wrongly\n",
		r.AsPlanted, r.Planted, r.SilencesFound, r.Silences, len(r.Missed), len(r.Otherwise), len(r.CalledWrongly))
	more := func(i, n int) bool {
		if i == listed {
			fmt.Fprintf(&b, "  … and %d more\n", n-listed)
		}
		return i < listed
	}
	for i, e := range r.Missed {
		if !more(i, len(r.Missed)) {
			break
		}
		fmt.Fprintf(&b, "  missed: %s %s (%s): expected %s by %s\n", e.Source, e.ID, e.Kind, e.Verdict, strings.Join(e.Rules, ", "))
	}
	for i, o := range r.Otherwise {
		if !more(i, len(r.Otherwise)) {
			break
		}
		fmt.Fprintf(&b, "  by other rules: %s %s (%s): expected %s, found %s\n", o.Entry.Source, o.Entry.ID, o.Entry.Kind, strings.Join(o.Entry.Rules, ", "), strings.Join(o.Rules, ", "))
	}
	for i, f := range r.CalledWrongly {
		if !more(i, len(r.CalledWrongly)) {
			break
		}
		fmt.Fprintf(&b, "  called wrongly: %s %s: %s by %s\n", f.Source, f.ID, f.Outcome, strings.Join(f.Rules, ", "))
	}
	return b.String()
}

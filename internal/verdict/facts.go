package verdict

import (
	"fmt"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// factText is what is known of a fact, for people; ok is false where the name
// is not that of a fact.
func factText(f *event.Facts, name string) (text string, ok bool) {
	switch name {
	case "consent":
		return listText(f.Consents, func(c event.Consent) string {
			s := "to " + c.Purpose + ", given " + c.GivenAt.Format(time.RFC3339)
			if c.Form != "" {
				s += ", " + c.Form
			}
			if !c.WithdrawnAt.IsZero() {
				s += ", withdrawn " + c.WithdrawnAt.Format(time.RFC3339)
			}
			return s
		}), true
	case "objection":
		return listText(f.Objections, func(o event.Objection) string {
			s := "to " + o.Purpose + ", made " + o.MadeAt.Format(time.RFC3339)
			if o.Outcome != "" {
				s += ", " + o.Outcome
			}
			return s
		}), true
	case "opt_out":
		return listText(f.OptOuts, func(o event.OptOut) string { return o.Scope + ", made " + o.MadeAt.Format(time.RFC3339) }), true
	case "request":
		return listText(f.Requests, func(r event.Request) string {
			return r.Type + ", made " + r.MadeAt.Format(time.RFC3339) + ", handled: " + valueText(r.Handled, event.Bool)
		}), true
	}
	info, ok := event.FieldNamed(name)
	if !ok {
		return "", false
	}
	v := f.Get(info.Field)
	if v.State == event.Absent && info.Absent.State != event.Absent {
		return valueText(info.Absent, info.Type) + " (nothing is said of it)", true
	}
	return valueText(v, info.Type), true
}

func valueText(v event.Value, t event.FieldType) string {
	switch v.State {
	case event.Absent:
		return "not known"
	case event.Unknown:
		return "said to be unknown"
	case event.Null:
		return "none"
	}
	switch t {
	case event.Bool:
		if v.Bool {
			return "yes"
		}
		return "no"
	case event.Day:
		return v.Day.String()
	default:
		return v.Text
	}
}

func listText[T any](l event.List[T], text func(T) string) string {
	if !l.Known {
		return "not known"
	}
	if len(l.Entries) == 0 {
		return "none"
	}
	parts := make([]string, len(l.Entries))
	for i, e := range l.Entries {
		parts[i] = text(e)
	}
	return fmt.Sprintf("%d: %s", len(parts), strings.Join(parts, "; "))
}

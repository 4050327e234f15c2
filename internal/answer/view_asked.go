package answer

import (
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/profile"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// withholds says whether there are authorities of which this answer must not tell.
func (v *view) withholds() bool { return v != nil && v.person && len(v.profile.Withheld) > 0 }

// untold says whether it must not be told if data went to, or came from, somebody,
// by an id of the register and by whatever it is called. Nothing of the trail bears
// on it, so that it gives nothing away: whoever is withheld is untold, and so is
// every authority, as what it received may be withheld by its ground alone, and
// everybody whom no register knows, as that may be an authority by another name.
func (v *view) untold(id string, called ...string) bool {
	if !v.withholds() {
		return false
	}
	act := v.act(&trail.Context{Recipient: id, DataSource: id})
	act.Names, act.Codes, act.Named = append(act.Names, called...), called, false
	if slices.ContainsFunc(v.profile.Withheld, func(w *profile.Withheld) bool { return w.Covers(act) }) {
		return true
	}
	known := false
	for _, r := range v.own {
		for i := range r.Recipients {
			e := &r.Recipients[i]
			if r.FullID(e.ID) != id && !isOneOf(called, e.Name) {
				continue
			}
			if known = true; e.Kind == authorityKind {
				return true
			}
		}
	}
	return !known && !v.isSource(id)
}

// isSource says whether a register names somebody as a source of data.
func (v *view) isSource(id string) bool {
	return slices.ContainsFunc(v.own, func(r *register.Register) bool {
		for i := range r.Sources {
			if r.FullID(r.Sources[i].ID) == id {
				return true
			}
		}
		return false
	})
}

// isOneOf says whether somebody of these names, by language, is called so.
func isOneOf(called []string, is map[string]string) bool {
	for _, name := range is {
		if slices.ContainsFunc(called, func(c string) bool { return strings.EqualFold(c, name) }) {
			return true
		}
	}
	return false
}

// leavesOut says whether the answer is without disclosures that there may have been
// from a time on: zero is the beginning.
func (v *view) leavesOut(from time.Time) bool {
	return v.withholds() || v.person && v.profile.Recipients != nil && from.Before(v.profile.Recipients.Since(v.now, v.zone))
}

// tellsSystems says whether it may be told when each system was heard last: one that
// tells only of what is withheld would give it away.
func (v *view) tellsSystems() bool { return !v.withholds() }

// Package profile knows what the law of a jurisdiction lets an answer for the
// person itself say: which authorities must not be named, of how many years
// recipients are told, and whether times are told to the day only. It is read
// from files, one a jurisdiction; each restriction names its ground.
//
// It says what is to be left out and leaves nothing out itself: package answer
// does, in one place for all answers.
package profile

import (
	"slices"
	"strings"
	"time"
)

// Profile is a jurisdiction's.
type Profile struct {
	ID          string   `yaml:"id"`      // of the file: lv
	Name        string   `yaml:"name"`    // Latvia
	Country     string   `yaml:"country"` // whose controllers it is for (ISO 3166-1 alpha-2)
	Controllers []string `yaml:"controllers,omitempty"`
	// Times is set where times are told to the day.
	Times *Times `yaml:"times,omitempty"`
	// Recipients is set where recipients are told of for so many years.
	Recipients *Window `yaml:"recipients,omitempty"`
	// Withheld are the authorities of which nothing is told.
	Withheld []*Withheld `yaml:"withhold,omitempty"`

	file string
}

// Restriction is what all restrictions have in common.
type Restriction struct {
	Ground string            `yaml:"ground"` // the provision, or the judgement
	Says   map[string]string `yaml:"says"`   // in words, by language; English is always there
}

// In is what the restriction says in a language, in English where it is not
// written in that.
func (r *Restriction) In(language string) string {
	if s := r.Says[language]; s != "" {
		return s
	}
	return r.Says["en"]
}

// Times says how exactly times are told.
type Times struct {
	Precision   string `yaml:"precision"` // day
	Restriction `yaml:",inline"`
}

// Window is of how many years recipients are told.
type Window struct {
	Years       int `yaml:"years"`
	Restriction `yaml:",inline"`
}

// Since is from when on recipients are told of, asked at a moment: whole days
// of the zone.
func (w *Window) Since(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return time.Date(y-w.Years, m, d, 0, 0, 0, 0, zone)
}

// Withheld is a sort of authority of which nothing is told: not that there is
// one, nor how many events there are.
type Withheld struct {
	ID          string      `yaml:"id"`
	Authorities []Authority `yaml:"authorities,omitempty"`
	// Recipients are ids of registers, with the controller: enefit/police.
	Recipients []string `yaml:"recipients,omitempty"`
	// Purposes, with the controller, all of whose events are withheld.
	Purposes []string `yaml:"purposes,omitempty"`
	// Unnamed says that an authority of the register which an event does not name
	// is withheld, too: it may be any.
	Unnamed bool `yaml:"unnamed,omitempty"`
	// Provisions are how references of such requests begin, whoever is named.
	Provisions []string `yaml:"provisions,omitempty"`
	// Lifted are references whose ground holds no more.
	Lifted      []Lifted `yaml:"lifted,omitempty"`
	Restriction `yaml:",inline"`
}

// Authority is one that is withheld: an organisation with that registration
// code, or whose name holds that name.
type Authority struct {
	Name string `yaml:"name,omitempty"`
	Code string `yaml:"code,omitempty"`
}

// Lifted is a request, by the reference that its events bear, that may be told
// of from a day on.
type Lifted struct {
	Reference string `yaml:"reference"`
	From      string `yaml:"from"` // 2026-05-01
}

// Act is what a profile looks at in an event.
type Act struct {
	Purpose string
	IDs     []string // of the register: recipient, organisations that act
	Names   []string // of organisations, in whatever role
	Codes   []string
	// Authority says that the recipient is a public authority by the register;
	// Named that the event says which.
	Authority, Named bool
}

// Covers says whether all events of this sort are withheld, whatever they refer
// to.
func (w *Withheld) Covers(a *Act) bool {
	if a.Purpose != "" && slices.Contains(w.Purposes, a.Purpose) {
		return true
	}
	if w.Unnamed && a.Authority && !a.Named {
		return true
	}
	for _, id := range a.IDs {
		if id != "" && slices.Contains(w.Recipients, id) {
			return true
		}
	}
	for i := range w.Authorities {
		if w.Authorities[i].is(a) {
			return true
		}
	}
	return false
}

func (x *Authority) is(a *Act) bool {
	if x.Code != "" && slices.Contains(a.Codes, x.Code) {
		return true
	}
	return x.Name != "" && slices.ContainsFunc(a.Names, func(name string) bool { return strings.Contains(fold(name), fold(x.Name)) })
}

// fold makes names alike that differ in case and spaces only.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// Begins are the provisions as references are compared with them: in lower case.
func (w *Withheld) Begins() []string {
	all := make([]string, len(w.Provisions))
	for i, p := range w.Provisions {
		all[i] = strings.ToLower(p)
	}
	return all
}

// LiftedAt are the references that may be told of at a moment, a day beginning
// as the zone's does.
func (w *Withheld) LiftedAt(now time.Time, zone *time.Location) []string {
	all := []string{}
	today := now.In(zone).Format(time.DateOnly)
	for _, l := range w.Lifted {
		if l.From <= today {
			all = append(all, l.Reference)
		}
	}
	return all
}

// Empty says whether the profile restricts nothing.
func (p *Profile) Empty() bool { return p.Times == nil && p.Recipients == nil && len(p.Withheld) == 0 }

// ToTheDay says whether times are told to the day only.
func (p *Profile) ToTheDay() bool { return p.Times != nil }

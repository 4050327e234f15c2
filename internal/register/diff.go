package register

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Groups of changes.
const (
	DiffPurposes   = "purposes"
	DiffData       = "data"
	DiffRecipients = "recipients"
	DiffRules      = "rules"
	DiffRetention  = "retention"
	DiffRights     = "rights"
	DiffNotice     = "notice"
)

// DiffGroups lists the groups of changes in the order in which they are told.
var DiffGroups = []string{DiffPurposes, DiffData, DiffRecipients, DiffRules, DiffRetention, DiffRights, DiffNotice}

// Kinds of changes. What is added in one direction is removed in the other.
const (
	DiffAdded   = "added"
	DiffRemoved = "removed"
	DiffChanged = "changed"
)

// Change is one difference between two registers that means something to the
// people whose data it is about.
type Change struct {
	Group  string `json:"group"`
	Kind   string `json:"kind"`
	Path   string `json:"path"` // what has changed, by ids: "purposes[billing].categories[phone]"
	Says   string `json:"says"` // the same for people, in English
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Diff tells what changes for people from one register of a controller to
// another. Order, notes, clauses and our wording of a rule change nothing. Data
// are compared by what the lists take in, not by how they are written: a part of
// a category that is listed already is no change.
func Diff(a, b *Register) []Change {
	d := &differ{a: a, b: b, changes: []Change{}}
	d.purposes()
	d.data()
	d.sources()
	d.recipients()
	d.rules(DiffRules, "rules", a.Rules, b.Rules)
	d.decisions()
	d.rules(DiffRetention, "retention", a.Retention, b.Retention)
	d.rights()
	d.notice()
	slices.SortStableFunc(d.changes, func(x, y Change) int {
		return cmp.Compare(slices.Index(DiffGroups, x.Group), slices.Index(DiffGroups, y.Group))
	})
	return d.changes
}

type differ struct {
	a, b    *Register
	changes []Change
}

func (d *differ) add(group, path, says string) {
	d.changes = append(d.changes, Change{Group: group, Kind: DiffAdded, Path: path, Says: says})
}

func (d *differ) remove(group, path, says string) {
	d.changes = append(d.changes, Change{Group: group, Kind: DiffRemoved, Path: path, Says: says})
}

// change notes a value that is another now; one that is the same it passes over.
func (d *differ) change(group, path, before, after, says string) {
	if before != after {
		d.changes = append(d.changes, Change{Group: group, Kind: DiffChanged, Path: path, Says: says, Before: before, After: after})
	}
}

// words notes a text that is another now, whatever its line breaks.
func (d *differ) words(group, path, before, after, says string) {
	d.change(group, path, oneLine(before), oneLine(after), says)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// each compares two lists whose entries have ids: those in both, then those
// that only one has. Their order means nothing.
func each[T any](a, b []T, id func(*T) string, both func(a, b *T), added, removed func(*T)) {
	find := func(list []T, key string) *T {
		for i := range list {
			if id(&list[i]) == key {
				return &list[i]
			}
		}
		return nil
	}
	for i := range b {
		if old := find(a, id(&b[i])); old != nil {
			both(old, &b[i])
		} else {
			added(&b[i])
		}
	}
	for i := range a {
		if find(b, id(&a[i])) == nil {
			removed(&a[i])
		}
	}
}

// members notes what a list of plain words gained and lost.
func (d *differ) members(group, path string, a, b []string, gained, lost func(string) string) {
	for _, s := range b {
		if !slices.Contains(a, s) {
			d.add(group, fmt.Sprintf("%s[%s]", path, oneLine(s)), gained(oneLine(s)))
		}
	}
	for _, s := range a {
		if !slices.Contains(b, s) {
			d.remove(group, fmt.Sprintf("%s[%s]", path, oneLine(s)), lost(oneLine(s)))
		}
	}
}

// sorted is a list as one text that does not depend on its order.
func sorted(list []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), ", ")
}

// quoted puts a name between quotation marks.
func quoted(name string) string { return "“" + name + "”" }

// purposeName is what people call a purpose of the register, by its short id.
func (r *Register) purposeName(id string) string {
	for i := range r.Purposes {
		if r.Purposes[i].ID == id {
			return cmp.Or(r.Purposes[i].Name.In("en"), id)
		}
	}
	return id
}

// instead is "X instead of Y", and says so where there was or is nothing.
func instead(after, before string) string {
	switch {
	case before == "":
		return after
	case after == "":
		return "no longer stated; it was " + before
	}
	return after + " instead of " + before
}

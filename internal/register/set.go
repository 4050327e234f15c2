package register

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// CategoriesFile is the name of the category vocabulary in a directory of registers.
const CategoriesFile = "categories.yaml"

// NamesDirectory holds the names of what registers declare in further
// languages, one file a language; they are no part of a register's version.
const NamesDirectory = "names"

// Errors of [Set.For].
var (
	ErrUnknownController = errors.New("no register of this controller")
	ErrNotInForce        = errors.New("no register of this controller was in force at the time")
)

// Set is the registers of all controllers, each in its versions.
type Set struct {
	byController map[string][]*Register // latest first
	retired      []*Register            // in use no more
}

// Load reads all registers of a directory: CategoriesFile, and one file
// <controller>/<name>.yaml a register. One that does not check fails the whole
// load, with a *FindingsError that names each fault.
func Load(fsys fs.FS) (*Set, error) {
	registers, findings, err := Check(fsys)
	if err != nil {
		return nil, err
	}
	if bad := faults(findings); len(bad) > 0 {
		return nil, &FindingsError{bad}
	}
	return NewSet(registers...), nil
}

// Check reads all registers of a directory as Load does, but gives what it
// found rather than failing.
func Check(fsys fs.FS) ([]*Register, []Finding, error) {
	categories, err := fs.ReadFile(fsys, CategoriesFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read the category vocabulary: %w", err)
	}
	files, err := fs.Glob(fsys, "*/*.yaml")
	if err != nil {
		return nil, nil, fmt.Errorf("look for registers: %w", err)
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("there are no registers: expected files <controller>/<date>.yaml beside %s", CategoriesFile)
	}
	vocab, findings := parseVocabulary(categories)
	if findings != nil {
		return nil, findings, nil
	}
	var registers []*Register
	inForce := make(map[string]string)
	for _, file := range files {
		if path.Dir(file) == NamesDirectory {
			continue
		}
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, nil, fmt.Errorf("read register %q: %w", file, err)
		}
		decisions, err := readDecisions(fsys, path.Dir(file))
		if err != nil {
			return nil, nil, err
		}
		r, found := parse(file, data, vocab, decisions)
		findings = append(findings, found...)
		if r == nil {
			continue
		}
		if dir := path.Dir(file); dir != r.Controller.ID {
			findings = append(findings, Finding{
				File: file, Where: "controller.id",
				Problem: fmt.Sprintf("is %q, but the file lies in %q", r.Controller.ID, dir), Mend: "move the file",
			})
		}
		key := r.Controller.ID + " " + r.InForce.From
		if other, twice := inForce[key]; twice {
			findings = append(findings, Finding{
				File: file, Where: "in_force.from",
				Problem: "is the same day as in " + other, Mend: "one register of a controller is in force at a time",
			})
		}
		inForce[key] = file
		registers = append(registers, r)
	}
	return registers, findings, nil
}

// NewSet makes a set of registers.
func NewSet(registers ...*Register) *Set {
	s := &Set{byController: make(map[string][]*Register)}
	for _, r := range registers {
		s.byController[r.Controller.ID] = append(s.byController[r.Controller.ID], r)
	}
	for _, versions := range s.byController {
		slices.SortFunc(versions, func(a, b *Register) int { return b.From.Compare(a.From) })
	}
	return s
}

// For finds the register of a controller that was in force at t.
func (s *Set) For(controller string, t time.Time) (*Register, error) {
	versions, ok := s.byController[controller]
	if !ok {
		return nil, ErrUnknownController
	}
	for _, r := range versions {
		if !t.Before(r.From) {
			return r, nil
		}
	}
	return nil, ErrNotInForce
}

// First is the controller's first register: what came before it had promised
// nothing.
func (s *Set) First(controller string) (*Register, bool) {
	versions := s.byController[controller]
	if len(versions) == 0 {
		return nil, false
	}
	return versions[len(versions)-1], true
}

// Version finds a register by its version, be it one that has been in use
// since the program started and is no more.
func (s *Set) Version(version string) (*Register, bool) {
	for _, r := range s.retired {
		if r.Version == version {
			return r, true
		}
	}
	for _, versions := range s.byController {
		for _, r := range versions {
			if r.Version == version {
				return r, true
			}
		}
	}
	return nil, false
}

// All lists every register, by controller, latest first.
func (s *Set) All() []*Register {
	var all []*Register
	for _, versions := range s.byController {
		all = append(all, versions...)
	}
	slices.SortFunc(all, func(a, b *Register) int {
		return cmp.Or(strings.Compare(a.Controller.ID, b.Controller.ID), b.From.Compare(a.From))
	})
	return all
}

// Controllers lists the controllers' ids, sorted.
func (s *Set) Controllers() []string {
	ids := make([]string, 0, len(s.byController))
	for id := range s.byController {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/andmerada/andmerada/internal/register"
)

// Problem is something that is wrong with a bundle.
type Problem struct {
	File string `json:"file,omitempty"` // left out: the bundle as a whole
	Says string `json:"says"`
}

// String is the problem as a sentence.
func (p Problem) String() string {
	if p.File == "" {
		return p.Says
	}
	return p.File + ": " + p.Says
}

// Result is what the check of a bundle came to.
type Result struct {
	OK       bool      `json:"ok"`
	Problems []Problem `json:"problems"`
	// Notes are what could not be checked, and what whoever reads the bundle should
	// know.
	Notes     []string  `json:"notes"`
	Manifest  *Manifest `json:"manifest,omitempty"`
	Signed    bool      `json:"signed"`    // the manifest's signature is that of the key given
	Recounted []string  `json:"recounted"` // what was counted again from the events
	Judged    int       `json:"judged"`    // verdicts that were given again, and are the same
	NotJudged int       `json:"not_judged"`
}

// Check checks a bundle by itself. With a key the manifest must be signed by it.
func Check(data []byte, key ed25519.PublicKey) *Result {
	c := &checking{Result: &Result{Problems: []Problem{}, Notes: []string{}, Recounted: []string{}}}
	c.all(data, key)
	c.OK = len(c.Problems) == 0
	return c.Result
}

// checking is a bundle being checked.
type checking struct {
	*Result
	files     map[string][]byte
	events    []Event
	verdicts  map[Place][]Verdict
	stands    map[Place]*Verdict
	facts     []Fact
	registers *register.Set
}

func (c *checking) problem(file, format string, args ...any) {
	if len(c.Problems) < maxProblem {
		c.Problems = append(c.Problems, Problem{file, fmt.Sprintf(format, args...)})
	}
}

func (c *checking) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

func (c *checking) all(data []byte, key ed25519.PublicKey) {
	files, changed := unarchive(data)
	c.files = files
	if files == nil {
		c.Problems = append(c.Problems, *changed)
		return
	}
	if !c.manifest(key) {
		return
	}
	c.hashes()
	if changed != nil && len(c.Problems) == 0 {
		c.Problems = append(c.Problems, *changed)
	}
	if len(c.Problems) > 0 { // what is in changed files proves nothing
		return
	}
	c.read()
	c.declared()
	if len(c.Problems) > 0 {
		return
	}
	c.complete()
	c.recount()
	c.judge()
}

// manifest reads the manifest and checks its signature.
func (c *checking) manifest(key ed25519.PublicKey) bool {
	text, ok := c.files[manifestFile]
	if !ok {
		c.problem(manifestFile, "the file is missing")
		return false
	}
	m := new(Manifest)
	if err := strict(text, m); err != nil {
		c.problem(manifestFile, "it cannot be read: %v", err)
		return false
	}
	if m.Format != Format {
		c.problem(manifestFile, "the format is not %s: check the bundle with the version of the program that made it", Format)
		return false
	}
	c.Manifest = m
	signed, ok := c.files[signatureFile]
	switch {
	case key == nil && ok:
		c.note("The manifest is signed; whose signature it is can be told with the public key only.")
	case key != nil && !ok:
		c.problem(signatureFile, "the bundle is not signed")
	case key != nil:
		sig, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(signed), "\n"))
		if c.Signed = err == nil && ed25519.Verify(key, text, sig); !c.Signed {
			c.problem(signatureFile, "the manifest was not signed by this key, or was changed")
		}
	}
	return true
}

// strict reads one JSON value and nothing else.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// hashes holds the files against the manifest: none changed, none more or less.
func (c *checking) hashes() {
	listed := map[string]bool{manifestFile: true, signatureFile: true}
	for _, f := range c.Manifest.Files {
		if listed[f.Name] {
			c.problem(manifestFile, "%s is in its list and must not be, or is there twice", f.Name)
		}
		listed[f.Name] = true
		text, ok := c.files[f.Name]
		sum := sha256.Sum256(text)
		switch {
		case !ok:
			c.problem(f.Name, "the file is missing")
		case int64(len(text)) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256:
			c.problem(f.Name, "the file was changed: its SHA-256 is not the one of the manifest")
		}
	}
	for name := range c.files {
		if !listed[name] {
			c.problem(name, "the file is not in the manifest: it was added")
		}
	}
	for _, name := range []string{readmeFile, answerFile, eventsFile, verdictsFile, factsFile, completenessFile} {
		if !listed[name] {
			c.problem(name, "the manifest does not list it")
		}
	}
	slices.SortFunc(c.Problems, func(a, b Problem) int { return strings.Compare(a.File, b.File) })
}

// read reads the events, the verdicts and the facts.
func (c *checking) read() {
	c.verdicts, c.stands = make(map[Place][]Verdict), make(map[Place]*Verdict)
	seen := make(map[Place]bool)
	eachLine(c, eventsFile, func(n int, e *Event) {
		if seen[e.Place] {
			c.problem(eventsFile, "line %d: the event at %s is there twice", n, e.Path())
		}
		seen[e.Place] = true
		if e.Controller != c.Manifest.Controller.ID {
			c.problem(eventsFile, "line %d: the event is of another controller", n)
		}
		c.events = append(c.events, *e)
	})
	count := 0
	eachLine(c, verdictsFile, func(n int, v *Verdict) {
		count++
		if !seen[v.Place] {
			c.problem(verdictsFile, "line %d: there is no event at %s", n, v.Path())
		}
		if v.Stands && c.stands[v.Place] != nil {
			c.problem(verdictsFile, "line %d: two verdicts on the event at %s stand", n, v.Path())
		}
		c.verdicts[v.Place] = append(c.verdicts[v.Place], *v)
		if v.Stands {
			c.stands[v.Place] = v
		}
	})
	eachLine(c, factsFile, func(_ int, f *Fact) { c.facts = append(c.facts, *f) })
	for i := range c.events {
		e := &c.events[i]
		v := c.stands[e.Place]
		if v == nil {
			c.problem(verdictsFile, "no verdict on the event at %s stands", e.Path())
			continue
		}
		for _, other := range c.verdicts[e.Place] {
			if other.JudgedAt.After(v.JudgedAt) {
				c.problem(verdictsFile, "the verdict on the event at %s that stands is not the last", e.Path())
			}
		}
	}
	m := c.Manifest
	for _, n := range []struct {
		file      string
		said, are int
	}{{eventsFile, m.Events, len(c.events)}, {verdictsFile, m.Verdicts, count}, {factsFile, m.Facts, len(c.facts)}} {
		if n.said != n.are {
			c.problem(n.file, "there are %d lines, and the manifest says %d", n.are, n.said)
		}
	}
}

// eachLine reads the lines of a file, one value each.
func eachLine[T any](c *checking, file string, f func(n int, v *T)) {
	n := 0
	for line := range bytes.Lines(c.files[file]) {
		n++
		v := new(T)
		if len(line) > maxLine {
			c.problem(file, "line %d has more than %d bytes", n, maxLine)
			return
		}
		if err := strict(line, v); err != nil {
			c.problem(file, "line %d cannot be read: %v", n, err)
			return
		}
		f(n, v)
	}
}

// declared loads the registers: each must be of the version that its directory and
// the verdicts name, and that is a hash of its files.
func (c *checking) declared() {
	byDir := make(map[string]fstest.MapFS)
	for name, data := range c.files {
		rest, ok := strings.CutPrefix(name, registersDir+"/")
		if version, file, cut := strings.Cut(rest, "/"); ok && cut {
			if byDir[version] == nil {
				byDir[version] = make(fstest.MapFS)
			}
			byDir[version][file] = &fstest.MapFile{Data: data}
		}
	}
	have := make(map[string]bool)
	var all []*register.Register
	for _, r := range c.Manifest.Registers {
		files := byDir[r.Version]
		delete(byDir, r.Version)
		if files == nil || r.Dir != path.Join(registersDir, r.Version) {
			c.problem(manifestFile, "the register of version %q is not where the manifest says", r.Version)
			continue
		}
		set, err := register.Load(files)
		if err != nil {
			c.problem(r.Dir, "the register cannot be read: %v", err)
			continue
		}
		if loaded := set.All(); len(loaded) != 1 || loaded[0].Version != r.Version {
			c.problem(r.Dir, "the register's files are not those of version %s: their hash is another", r.Version)
			continue
		}
		have[r.Version] = true
		all = append(all, set.All()...)
	}
	for version := range byDir {
		c.problem(path.Join(registersDir, version), "the manifest names no such register")
	}
	for place, v := range c.stands {
		if v.Register != "" && !have[v.Register] && !slices.Contains(c.Manifest.Missing, v.Register) {
			c.problem(verdictsFile, "the event at %s was judged by register version %s, which is not in the bundle", place.Path(), v.Register)
		}
	}
	c.registers = register.NewSet(all...)
}

// complete reads what is said of the trail's completeness.
func (c *checking) complete() {
	var said Completeness
	if err := json.Unmarshal(c.files[completenessFile], &said); err != nil {
		c.problem(completenessFile, "it cannot be read: %v", err)
		return
	}
	through := make(map[string]int64)
	complete := true
	for _, report := range said.Verified {
		complete = complete && report.OK()
		for i := range report.Partitions {
			p := &report.Partitions[i]
			through[fmt.Sprintf("%s/%d", report.Topic, p.Partition)] = p.Committed
			if p.Doubled == 0 && p.Offsets != p.Trail+p.Quarantine+p.Gaps+p.Missing {
				c.problem(completenessFile, "the offsets of partition %d do not add up", p.Partition)
			}
		}
	}
	if complete != said.Complete {
		c.problem(completenessFile, "it does not follow that the trail is complete: %v", said.Complete)
	}
	for i := range c.events {
		e := &c.events[i]
		if end, ok := through[fmt.Sprintf("%s/%d", e.Topic, e.Partition)]; !ok || e.Offset >= end {
			c.problem(completenessFile, "the event at %s is beyond what was verified", e.Path())
		}
	}
	if !said.Complete {
		c.note("The trail was not complete when the answer was given: completeness.json says where.")
	}
}

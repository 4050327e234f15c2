package bundle

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
)

// Asking is who asks for a bundle, and why: what the manifest says of it.
type Asking struct {
	Role    string
	Reason  string
	Version string             // of the program
	Key     ed25519.PrivateKey // signs the manifest; nil: nobody does
}

// Make answers a question and gives the evidence as a zip file.
func Make(ctx context.Context, d answer.Deps, q answer.Question, by Asking) ([]byte, error) {
	ev, err := answer.Behind(ctx, d, q)
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Format: Format, Kind: ev.Kind, AskedAt: d.Now().UTC().Truncate(time.Millisecond), Role: by.Role, Reason: by.Reason, MadeBy: by.Version,
		Registers: []Register{}, Missing: ev.Missing, Files: []File{},
	}
	if m.Missing == nil {
		m.Missing = []string{}
	}
	if m.Question, m.Controller, err = asked(d, q); err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	if files[answerFile], err = indented(ev.Answer); err != nil {
		return nil, err
	}
	if err := lines(m, files, &d, ev); err != nil {
		return nil, err
	}
	for _, r := range ev.Registers {
		dir := path.Join(registersDir, r.Version)
		m.Registers = append(m.Registers, Register{r.Version, r.Notice.Title, utc(r.From), dir})
		for name, data := range r.Files() {
			files[path.Join(dir, name)] = data
		}
	}
	c := Completeness{AsOf: m.AskedAt, Completeness: ev.Completeness, Verified: ev.Verified, Complete: true, Limits: ev.Limits}
	for _, report := range ev.Verified {
		c.Complete = c.Complete && report.OK()
	}
	if files[completenessFile], err = indented(&c); err != nil {
		return nil, err
	}
	files[readmeFile] = readme(m, &c)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		m.Files = append(m.Files, File{name, int64(len(files[name])), hex.EncodeToString(sum[:])})
	}
	if files[manifestFile], err = indented(m); err != nil {
		return nil, err
	}
	if by.Key != nil {
		files[signatureFile] = signature(by.Key, files[manifestFile])
	}
	return archive(files)
}

func signature(key ed25519.PrivateKey, manifest []byte) []byte {
	return append([]byte(base64.StdEncoding.EncodeToString(ed25519.Sign(key, manifest))), '\n')
}

// asked is the question without an identifier: the person stands by its
// pseudonym.
func asked(d answer.Deps, q answer.Question) (answer.Question, answer.Controller, error) {
	id, person := q.About()
	who := answer.Controller{ID: id, Name: id}
	for _, r := range d.Registers.All() {
		if r.Controller.ID == id {
			who.Name = r.Controller.Name
			break
		}
	}
	if person.Scheme == "" {
		return q, who, nil
	}
	p, err := d.Keys.Pseudonym(id, person.Scheme, person.Value)
	if err != nil {
		return q, who, fmt.Errorf("name the person of the question by its pseudonym: %w", err)
	}
	person = answer.Person{Scheme: event.PseudonymScheme, Value: p.String()}
	switch {
	case q.Recipients != nil:
		one := *q.Recipients
		one.Person, q.Recipients = person, &one
	case q.Timeline != nil:
		one := *q.Timeline
		one.Person, q.Timeline = person, &one
	case q.Told != nil:
		one := *q.Told
		one.Person, q.Told = person, &one
	}
	return q, who, nil
}

// lines writes the events, the verdicts and the facts.
func lines(m *Manifest, files map[string][]byte, d *answer.Deps, ev *answer.Evidence) error {
	var events, verdicts, facts bytes.Buffer
	toEvents, toVerdicts, toFacts := json.NewEncoder(&events), json.NewEncoder(&verdicts), json.NewEncoder(&facts)
	for i := range ev.Rows {
		row := &ev.Rows[i]
		last := i+1 == len(ev.Rows)
		if i == 0 || placeOf(&ev.Rows[i-1]) != placeOf(row) {
			e := eventOf(row, d.Mask, ev.Windows[placeOf(row).Place])
			if err := toEvents.Encode(&e); err != nil {
				return fmt.Errorf("write the event at %s: %w", e.Path(), err)
			}
			m.Events++
		}
		v := verdictOf(row)
		v.Stands = last || placeOf(&ev.Rows[i+1]) != v.Place
		if err := toVerdicts.Encode(&v); err != nil {
			return fmt.Errorf("write the verdict on the event at %s: %w", v.Path(), err)
		}
		m.Verdicts++
	}
	for i := range ev.Facts {
		f := factOf(&ev.Facts[i], d.Mask)
		if err := toFacts.Encode(&f); err != nil {
			return fmt.Errorf("write the fact at %s: %w", f.Path(), err)
		}
		m.Facts++
	}
	files[eventsFile], files[verdictsFile], files[factsFile] = events.Bytes(), verdicts.Bytes(), facts.Bytes()
	return nil
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write the bundle: %w", err)
	}
	return b.Bytes(), nil
}

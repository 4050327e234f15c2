package trail

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/andmerada/andmerada/internal/event"
)

// Context is what many events have in common: all of a row but whom it is
// about, when it was, and what is told of that one act alone. A year of a
// utility's events has some thousands of contexts. Each is stored once, in the
// table contexts, and a row of the trail refers to it by [Context.ID].
type Context struct {
	Source                                        string
	Cohort                                        bool
	CohortID                                      string
	CohortSize                                    uint64
	CohortPart, CohortParts                       uint32
	ActorKind                                     event.ActorKind
	ActorRole, ActorOrganisation, ActorOnBehalfOf string
	Purpose                                       string
	Recipient, RecipientOrganisation              string
	RecipientCode, RecipientCountry               string
	Categories, Fields                            []string
	DataSource, Basis, Channel                    string
	Rules, Unknown                                []string
	RegisterVersion                               string
	Evaluator                                     uint16
}

// ContextID tells contexts apart: the hash of what a context says, so that any
// process comes to the same one and nobody can make two contexts alike.
type ContextID [16]byte

// contextForm is the first byte of a context's encoding. The encoding is hashed
// into ids that are on disk: it never changes; another one gets another number.
const contextForm = 1

// appendContext appends the encoding of a row's context: every text and list
// with its length before it, numbers as uvarints, in the order of the fields.
func appendContext(b []byte, r *Row) []byte {
	b = append(b, contextForm)
	b = appendText(b, r.Source)
	b = append(b, boolByte(r.Cohort))
	b = appendText(b, r.CohortID)
	b = binary.AppendUvarint(b, r.CohortSize)
	b = binary.AppendUvarint(b, uint64(r.CohortPart))
	b = binary.AppendUvarint(b, uint64(r.CohortParts))
	b = append(b, byte(r.ActorKind))
	b = appendText(b, r.ActorRole)
	b = appendText(b, r.ActorOrganisation)
	b = appendText(b, r.ActorOnBehalfOf)
	b = appendText(b, r.Purpose)
	b = appendText(b, r.Recipient)
	b = appendText(b, r.RecipientOrganisation)
	b = appendText(b, r.RecipientCode)
	b = appendText(b, r.RecipientCountry)
	b = appendTexts(b, r.Categories)
	b = appendTexts(b, r.Fields)
	b = appendText(b, r.DataSource)
	b = appendText(b, r.Basis)
	b = appendText(b, r.Channel)
	b = appendTexts(b, r.Rules)
	b = appendTexts(b, r.Unknown)
	b = appendText(b, r.RegisterVersion)
	return binary.AppendUvarint(b, uint64(r.Evaluator))
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// contextID is the id of the context with that encoding.
func contextID(encoded string) ContextID {
	sum := sha256.Sum256([]byte(encoded))
	return ContextID(sum[:16])
}

// errContext says that bytes are no context's encoding.
var errContext = errors.New("these bytes are no context")

// parseContext reads what appendContext wrote. The context's texts are parts of
// the encoding: they cost nothing more.
func parseContext(s string) (*Context, error) {
	p := contextParser{rest: s}
	if p.byte() != contextForm {
		return nil, errContext
	}
	c := &Context{
		Source: p.text(), Cohort: p.byte() == 1, CohortID: p.text(), CohortSize: p.uvarint(),
		CohortPart: uint32(p.uvarint()), CohortParts: uint32(p.uvarint()),
		ActorKind: event.ActorKind(p.byte()), ActorRole: p.text(), ActorOrganisation: p.text(), ActorOnBehalfOf: p.text(),
		Purpose: p.text(), Recipient: p.text(), RecipientOrganisation: p.text(), RecipientCode: p.text(), RecipientCountry: p.text(),
		Categories: p.texts(), Fields: p.texts(), DataSource: p.text(), Basis: p.text(), Channel: p.text(),
		Rules: p.texts(), Unknown: p.texts(), RegisterVersion: p.text(), Evaluator: uint16(p.uvarint()),
	}
	if p.failed || p.rest != "" {
		return nil, errContext
	}
	return c, nil
}

type contextParser struct {
	rest   string
	failed bool
}

func (p *contextParser) byte() byte {
	if p.rest == "" {
		p.failed = true
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

func (p *contextParser) uvarint() (v uint64) {
	for shift := 0; shift < 64; shift += 7 {
		c := p.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	p.failed = true
	return 0
}

func (p *contextParser) text() string {
	n := p.uvarint()
	if p.failed || n > uint64(len(p.rest)) {
		p.failed, p.rest = true, ""
		return ""
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *contextParser) texts() []string {
	n := p.uvarint()
	if p.failed || n > uint64(len(p.rest)) {
		p.failed, p.rest = true, ""
		return nil
	}
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = p.text()
	}
	return list
}

// in puts the context into a row.
func (c *Context) in(r *Row) {
	r.Source = c.Source
	r.Cohort, r.CohortID, r.CohortSize, r.CohortPart, r.CohortParts = c.Cohort, c.CohortID, c.CohortSize, c.CohortPart, c.CohortParts
	r.ActorKind, r.ActorRole, r.ActorOrganisation, r.ActorOnBehalfOf = c.ActorKind, c.ActorRole, c.ActorOrganisation, c.ActorOnBehalfOf
	r.Purpose, r.Recipient, r.RecipientOrganisation = c.Purpose, c.Recipient, c.RecipientOrganisation
	r.RecipientCode, r.RecipientCountry = c.RecipientCode, c.RecipientCountry
	r.Categories, r.Fields, r.DataSource, r.Basis, r.Channel = c.Categories, c.Fields, c.DataSource, c.Basis, c.Channel
	r.Rules, r.Unknown, r.RegisterVersion, r.Evaluator = c.Rules, c.Unknown, c.RegisterVersion, c.Evaluator
}

package event

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Members of the data, for suggestions.
var (
	processingMembers = []string{"controller", "person", "cohort", "actor", "purpose", "categories", "fields", "records", "recipient", "data_source", "basis", "reason", "channel", "statements"}
	factMembers       = []string{"controller", "person", "value", "valid_from", "about"}
	cohortMembers     = []string{"controller", "cohort", "members"}

	personMembers     = []string{"scheme", "value"}
	cohortRefMembers  = []string{"id", "size"}
	cohortPartMembers = []string{"id", "size", "part", "parts"}
	actorMembers      = []string{"id", "kind", "role", "organisation", "on_behalf_of"}
	recipientMembers  = []string{"id", "organisation", "code", "country"}
	basisMembers      = []string{"kind", "reference"}
	aboutMembers      = []string{"actor", "recipient"}
	actorKinds        = []string{"human", "service", "partner"}
)

// data reads the data of an event whose type is known and which happened at
// ev.Time.
func (r *reader) data(ev *Event) {
	seen := false
	whole := r.object("an object", func(name []byte) {
		if string(name) == "controller" {
			ev.Controller = r.name("the controller's name in the register", MaxName)
			return
		}
		if string(name) == "person" && ev.Kind != CohortPart {
			r.persons(&ev.Persons, "an object or an array of persons", MaxPersons, mendPersons)
			return
		}
		switch ev.Kind {
		case FactEvent:
			seen = r.factMember(ev, name) || seen
		case CohortPart:
			r.cohortMember(ev, name)
		default:
			r.processingMember(ev, name)
		}
	})
	if !whole {
		return
	}
	r.checkData(ev, seen)
}

// checkData looks at the data as a whole; hasValue says that a fact's value was
// there.
func (r *reader) checkData(ev *Event, hasValue bool) {
	r.need(ev.Controller != "", "controller", "the controller's name in the register")
	switch ev.Kind {
	case FactEvent:
		r.checkFact(ev, hasValue)
	case CohortPart:
		r.checkCohort(ev)
	default:
		r.checkProcessing(ev)
	}
}

// What to do about lists that are too long.
const (
	mendPersons = "use a cohort: list its members in events of the type " + CohortType + " and name it here"
	mendMembers = "send the cohort in parts"
)

func (r *reader) processingMember(ev *Event, name []byte) {
	switch string(name) {
	case "cohort":
		r.cohort(&ev.Cohort, cohortRefMembers)
	case "actor":
		r.actor(&ev.Actor)
	case "purpose":
		ev.Purpose = r.name("a purpose of the register", MaxName)
	case "categories":
		ev.Categories = r.names("a category of the register", MaxName, MaxCategories)
	case "fields":
		ev.Fields = r.names("the name of a field", MaxName, MaxFields)
	case "records":
		ev.Records = r.uint(maxInteger)
	case "recipient":
		r.recipient(&ev.Recipient)
	case "data_source":
		ev.DataSource = r.name("a source of the register", MaxName)
	case "basis":
		r.basis(&ev.Basis)
	case "reason":
		ev.Reason = r.text("why, in words", MaxReason)
	case "channel":
		ev.Channel = r.choice(vocabulary[Channel].Values)
	case "statements":
		if !r.null() {
			r.facts(&ev.Statements, factsOptions{strict: true, timed: true})
		}
	default:
		r.unknown(name, processingMembers)
	}
}

// maxInteger is the largest whole number that every JSON reader keeps exactly
// (RFC 8259 §6).
const maxInteger = 1<<53 - 1

func (r *reader) checkProcessing(ev *Event) {
	ev.Statements.complete(ev.Controller, ev.Time)
	r.need(ev.Purpose != "", "purpose", "a purpose of the register")
	r.need(len(ev.Categories) > 0, "categories", "at least one category of the register")
	r.need(len(ev.Persons) > 0 || ev.Cohort.ID != "", "person", "a person, several, or a cohort")
	if len(ev.Persons) > 0 && ev.Cohort.ID != "" && r.fault == nil {
		r.failAt(r.pointer()+"/cohort", CodeBadValue, "a person and a cohort", "one of the two", "send two events")
	}
}

// factMember says whether it has read the fact's value.
func (r *reader) factMember(ev *Event, name []byte) bool {
	switch string(name) {
	case "value":
		top := topFactsByName[ev.Fact.Name]
		if top == nil { // identity
			r.unknown(name, factMembers)
			return false
		}
		r.factValue(&ev.Fact.Value, top, factsOptions{strict: true})
		return true
	case "valid_from":
		ev.Fact.ValidFrom = r.when(nil)
	case "about":
		if r.null() {
			return false
		}
		r.object("an object", func(name []byte) {
			switch string(name) {
			case "actor":
				ev.Fact.AboutActor = r.name("the actor's id", MaxID)
			case "recipient":
				ev.Fact.AboutOrg = r.name("a recipient of the register", MaxName)
			default:
				r.unknown(name, aboutMembers)
			}
		})
	default:
		r.unknown(name, factMembers)
	}
	return false
}

func (r *reader) checkFact(ev *Event, hasValue bool) {
	if ev.Fact.ValidFrom.IsZero() {
		ev.Fact.ValidFrom = ev.Time
	}
	ev.Fact.Value.complete(ev.Controller, ev.Fact.ValidFrom)
	about := ev.Fact.AboutActor != "" || ev.Fact.AboutOrg != ""
	switch ev.Fact.Name {
	case IdentityFact:
		r.need(len(ev.Persons) >= 2, "person", "at least two identifiers that are one person's")
		return
	case "employee":
		r.need(ev.Fact.AboutActor != "", "about/actor", "the actor's id")
	case "actor_relation":
		r.need(len(ev.Persons) > 0, "person", "who is related to the actor")
		r.need(ev.Fact.AboutActor != "", "about/actor", "the actor's id")
	case "processor", "recipient_info":
		r.need(ev.Fact.AboutOrg != "", "about/recipient", "a recipient of the register")
	default:
		r.need(len(ev.Persons) > 0 || about, "person", "whom it is about")
	}
	r.need(hasValue, "value", "the value of "+ev.Fact.Name)
	if top := topFactsByName[ev.Fact.Name]; hasValue && !ev.Fact.Value.states(top) {
		r.need(false, "value", "something that is true: an empty object, or an unknown list, says nothing")
	}
}

func (r *reader) cohortMember(ev *Event, name []byte) {
	switch string(name) {
	case "cohort":
		r.cohort(&ev.Cohort, cohortPartMembers)
	case "members":
		r.persons(&ev.Cohort.Members, "an array of persons", MaxMembers, mendMembers)
	default:
		r.unknown(name, cohortMembers)
	}
}

func (r *reader) checkCohort(ev *Event) {
	c := &ev.Cohort
	if c.Part == 0 && c.Parts == 0 {
		c.Part, c.Parts = 1, 1
	}
	r.need(c.ID != "", "cohort", wantCohort)
	r.need(len(c.Members) > 0, "members", "at least one person")
	if (c.Part == 0 || c.Part > c.Parts) && r.fault == nil {
		r.failAt(r.pointer()+"/cohort/part", CodeBadValue, "a part that is not among the parts", "1 ≤ part ≤ parts", "")
	}
}

const wantCohort = "the cohort's id"

func (r *reader) cohort(c *Cohort, members []string) {
	if r.null() {
		return
	}
	whole := r.object("an object", func(name []byte) {
		switch s := string(name); {
		case s == "id":
			c.ID = r.name(wantCohort, MaxID)
		case s == "size":
			c.Size = r.uint(maxInteger)
		case s == "part" && len(members) > 2:
			c.Part = uint32(r.uint(1 << 31))
		case s == "parts" && len(members) > 2:
			c.Parts = uint32(r.uint(1 << 31))
		default:
			r.unknown(name, members)
		}
	})
	if whole {
		r.need(c.ID != "", "id", wantCohort)
	}
}

func (r *reader) actor(a *Actor) {
	if r.null() {
		return
	}
	r.object("an object", func(name []byte) {
		switch string(name) {
		case "id":
			a.ID = r.name("the actor's id", MaxID)
		case "kind":
			a.Kind = actorKind(r.choice(actorKinds))
		case "role":
			a.Role = r.name("a role", MaxName)
		case "organisation":
			a.Organisation = r.name("an organisation", MaxID)
		case "on_behalf_of":
			a.OnBehalfOf = r.name("on whose behalf", MaxID)
		default:
			r.unknown(name, actorMembers)
		}
	})
}

// actorKind is the kind of that name, ActorUnstated if there is none.
func actorKind(name string) ActorKind {
	return ActorKind(slices.Index(actorKinds, name) + 1)
}

func (r *reader) recipient(to *Recipient) {
	if r.null() {
		return
	}
	if r.kind() == '"' {
		r.wrongType("an object", `write {"id":"…"} for a recipient of the register`)
		return
	}
	whole := r.object("an object", func(name []byte) {
		switch string(name) {
		case "id":
			to.ID = r.name("a recipient of the register", MaxName)
		case "organisation":
			to.Organisation = r.name("the organisation's legal name", MaxID)
		case "code":
			to.Code = r.name("the organisation's registration code", MaxName)
		case "country":
			to.Country = r.country()
		default:
			r.unknown(name, recipientMembers)
		}
	})
	if whole {
		r.checkRecipient(to)
	}
}

func (r *reader) checkRecipient(to *Recipient) {
	r.need(to.ID != "" || to.Organisation != "", "id", "a recipient of the register, or organisation")
}

const wantCountry = "a country's two capital letters (ISO 3166-1)"

func (r *reader) country() string {
	if r.null() {
		return ""
	}
	return r.countryOf(r.bytes(wantCountry, MaxID))
}

func (r *reader) countryOf(b []byte) string {
	if b == nil {
		return ""
	}
	if len(b) != 2 || b[0] < 'A' || b[0] > 'Z' || b[1] < 'A' || b[1] > 'Z' {
		r.fail(CodeBadValue, shown(b), wantCountry, "")
		return ""
	}
	return r.shared(b)
}

func (r *reader) basis(b *Basis) {
	if r.null() {
		return
	}
	r.object("an object", func(name []byte) {
		switch string(name) {
		case "kind":
			b.Kind = r.name("a legal basis (GDPR Art. 6(1))", MaxName)
		case "reference":
			b.Reference = r.text("the contract, consent or provision", MaxID)
		default:
			r.unknown(name, basisMembers)
		}
	})
}

// persons reads one person or an array of them.
func (r *reader) persons(list *[]Person, want string, limit int, mend string) {
	if r.null() {
		return
	}
	if r.kind() == '{' && limit == MaxPersons {
		one := push(&r.arena.persons, nil, arenaPersons, Person{})
		r.person(&one[0])
		*list = keep(&r.arena.persons, one)
		return
	}
	r.array(want, limit, mend, func() {
		var p Person
		r.person(&p)
		*list = append(*list, p)
	})
}

// person reads one person. No fault shows its value.
func (r *reader) person(p *Person) {
	whole := r.object("an object {scheme, value}", func(name []byte) {
		switch string(name) {
		case "scheme":
			p.Scheme = r.scheme()
		case "value":
			if k := r.kind(); k == '0' {
				r.wrongType("a string", "write the identifier in quotes: a number loses leading zeros")
				return
			}
			p.Value = r.text("the person's identifier", MaxIdentifier)
		default:
			r.unknown(name, personMembers)
		}
	})
	if whole {
		r.checkPerson(p)
	}
}

func (r *reader) checkPerson(p *Person) {
	r.need(p.Scheme != "", "scheme", "how the person is identified: customer-number, personal-code, email…")
	r.need(p.Value != "", "value", "the person's identifier")
	if p.Scheme == PseudonymScheme && p.Value != "" {
		p.Value = strings.ToLower(p.Value)
		if raw, err := hex.DecodeString(p.Value); (err != nil || len(raw) != 16) && r.fault == nil {
			r.failAt(r.pointer()+"/value", CodeBadValue, "something else", "32 hexadecimal digits", "")
		}
	}
}

// scheme reads the name of an identifier scheme. What stands there by mistake
// may be an identifier, so it is not shown.
func (r *reader) scheme() string {
	if r.null() {
		return ""
	}
	if r.kind() != '"' {
		r.wrongType(wantScheme, "")
		return ""
	}
	return r.schemeOf(r.bytes(wantScheme, MaxName))
}

const wantScheme = "an identifier scheme in small letters: customer-number, personal-code, email…"

func (r *reader) schemeOf(b []byte) string {
	for i, c := range b {
		if c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '-') {
			continue
		}
		r.fail(CodeBadValue, fmt.Sprintf("a string of %d bytes", len(b)), wantScheme, "")
		return ""
	}
	return r.shared(b)
}

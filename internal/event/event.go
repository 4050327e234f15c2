package event

import "time"

// Type prefixes of the CloudEvents that Andmerada understands. A processing
// event is TypePrefix + operation + TypeSuffix, a fact event FactPrefix + kind
// + TypeSuffix, and CohortType lists (part of) the members of a cohort.
const (
	TypePrefix = "ee.andmerada."
	FactPrefix = "ee.andmerada.fact."
	CohortType = "ee.andmerada.cohort.v1"
	TypeSuffix = ".v1"
)

// Kind says which of the three sorts of event it is.
type Kind uint8

// The kinds of event.
const (
	Processing Kind = iota + 1 // something was done with data
	FactEvent                  // something is true from a moment on
	CohortPart                 // members of a cohort are listed
)

// Event is one CloudEvent, understood. Strings are as the source wrote them
// after normalisation (trimmed, valid UTF-8, bounded length); empty means not
// stated. Identifiers of persons live only in Persons and Cohort.Members and
// must leave neither ingest nor an answer in clear.
type Event struct {
	Kind   Kind
	ID     string    // CloudEvents id, unique within Source
	Source string    // CloudEvents source: the emitting system
	Type   string    // CloudEvents type
	Time   time.Time // when it happened (CloudEvents time), never zero

	Sequence    uint64 // the source's own counter; 0 = not stated
	TraceParent string // W3C trace context, "" = none

	Controller string   // register name of the controller, e.g. "elektrum"
	Persons    []Person // whom it concerns; none for a cohort, or for a fact about a recipient or an employee
	Cohort     Cohort   // the group it concerns, or whose members it lists

	// The rest is for Kind == Processing.
	Operation  Operation
	Actor      Actor
	Purpose    string   // id in the register, e.g. "elektrum/billing"
	Categories []string // personal data categories, ids of the register's vocabulary
	Fields     []string // names of the fields touched, never values
	Records    uint64   // how many records; 0 = not stated
	Recipient  Recipient
	DataSource string // where collected data came from: id in the register
	Basis      Basis
	Reason     string // why, in the source's words; never about the person
	Channel    string // email, sms, mms, phone, post
	Statements Facts  // what the source states of this one act: necessity, safeguards, the authority's request…

	// For Kind == FactEvent.
	Fact Fact
}

// DataSubject is the recipient of data that goes to the person it is about.
const DataSubject = "data-subject"

// Person is one data subject, by one identifier of one scheme, or by a
// pseudonym that the source has keyed already.
type Person struct {
	Scheme string // e.g. "customer-number", "personal-code", "email", "metering-point"; "pseudonym" for a keyed one
	Value  string
}

// PseudonymScheme marks a person named by a 32-digit hexadecimal pseudonym.
const PseudonymScheme = "pseudonym"

// Cohort is a group of persons that an event concerns at once: its members
// are listed by events of their own, in parts if there are many.
type Cohort struct {
	ID      string
	Size    uint64   // how many members in all; 0 = not stated
	Part    uint32   // which part this is, from 1 (only in a listing)
	Parts   uint32   // of how many
	Members []Person // only in a listing
}

// ActorKind says what acted.
type ActorKind uint8

// The kinds of actor; the numbers are on disk and never change.
const (
	ActorUnstated ActorKind = iota
	ActorHuman
	ActorService
	ActorPartner
)

// Actor is who or what did it.
type Actor struct {
	ID           string // pseudonymous id within the source, e.g. a user name
	Kind         ActorKind
	Role         string
	Organisation string
	OnBehalfOf   string
}

// Recipient is who received the data: an id of the register, or an
// organisation that the register does not name.
type Recipient struct {
	ID           string // "elektrum/creditinfo-eesti", or DataSubject
	Organisation string // legal name
	Code         string // registration code of the legal entity
	Country      string // ISO 3166-1 alpha-2
}

// IsZero says that no recipient is stated.
func (r Recipient) IsZero() bool { return r == Recipient{} }

// Basis is the legal basis that the source refers to (GDPR Art. 6(1)).
type Basis struct {
	Kind      string // consent, contract, pre-contract, legal-obligation, legitimate-interest…
	Reference string // of the contract, the consent, the provision of law
}

// Fact is something true from one moment on: the payload of a fact event.
type Fact struct {
	Name       string    // name in the vocabulary: "consent", "breach", "relationship_end"…; or "identity"
	Value      Facts     // holds just that fact; empty for "identity", whose persons are the same person
	ValidFrom  time.Time // since when it is true; the event's time if not stated
	AboutActor string    // for employee facts: the actor's id
	AboutOrg   string    // for processor and recipient_info facts: the recipient's id
}

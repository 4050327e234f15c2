package event

import (
	"iter"
	"math/bits"
	"slices"
	"time"
)

// Field is one scalar fact of the vocabulary, as a condition names it
// ("breach.exists", "necessity").
type Field uint8

// FieldType is the type of a scalar fact.
type FieldType uint8

// The types of scalar facts.
const (
	Bool FieldType = iota + 1
	Text
	Day
)

// The scalar facts. What each means is in the vocabulary below.
const (
	ConsentProcessingCompleted Field = iota
	BreachExists
	BreachKind
	BreachDate
	BreachEndedOn
	BreachInfoVerified
	ReviewRefused
	EleringAccessGranted
	ProcessorContract
	ProcessorConfidentiality
	ProcessorFollowsRules
	ProcessorEstablishmentCountry
	ProcessorStorageCountry
	ProcessorAuthorisedActivity
	ProcessorActivity
	TransferOnward
	TransferByProcessor
	TransferDestinationCountry
	TransferSafeguards
	RecipientSameGroup
	RecipientAuthorised
	RecipientIndependentController
	RecipientProductMarketed
	RecipientProductOwner
	EmployeeEmployedBy
	EmployeeDutyRequires
	EmployeeTrained
	EmployeePermitted
	LegalObligationExists
	LegalObligationWithinScope
	Necessity
	Proportionality
	JustifiedNeed
	AppropriateExtent
	SameCollectionPurpose
	SourceIsDataSubject
	SourceOfData
	ContractEnd
	ContractInForce
	RelationshipEnd
	FinancialYearEnd
	DocumentDate
	CommunicationEnd
	RecordedOn
	OfferDate
	DebtOrDispute
	BecameClient
	RecordingClass
	PriorInformationGiven
	SubjectRole
	Addressee
	AddresseeConsent
	Channel
	ActorRelation
	PublicFigure
	fieldCount
)

// FieldInfo describes one scalar fact of the vocabulary.
type FieldInfo struct {
	Field    Field
	Name     string    // as conditions write it: "breach.ended_on"
	Type     FieldType // what its values are
	Nullable bool      // null is a value of its own: "still running"
	Values   []string  // for Text: the values allowed; nil = any
	// Absent is what it means that nothing is said: the zero Value where it is
	// simply not known.
	Absent  Value
	Meaning string
}

// Vocabulary lists the scalar facts, in the order of their Field numbers. The
// four lists (consent, objection, opt_out, request) stand beside it.
func Vocabulary() []FieldInfo { return slices.Clone(vocabulary[:]) }

// FieldNamed finds a scalar fact by its name.
func FieldNamed(name string) (FieldInfo, bool) {
	i, ok := fieldsByName[name]
	if !ok {
		return FieldInfo{}, false
	}
	return vocabulary[i], true
}

// Info describes the field.
func (f Field) Info() FieldInfo { return vocabulary[f] }

// String is the field's name.
func (f Field) String() string { return vocabulary[f].Name }

// State says how much is known of a fact.
type State uint8

// The states of a fact. Absent and Unknown differ: a rule may say what absence
// means, while an explicit unknown is always unknown.
const (
	Absent  State = iota // nothing is said of it
	Unknown              // said to be unknown
	Null                 // said to be null: there is none, or not yet
	Known                // has a value
)

// Value is what is known of one scalar fact.
type Value struct {
	State State
	Bool  bool
	Day   Date
	Text  string
}

// BoolValue is a known truth value.
func BoolValue(b bool) Value { return Value{State: Known, Bool: b} }

// TextValue is a known text.
func TextValue(s string) Value { return Value{State: Known, Text: s} }

// DayValue is a known date.
func DayValue(d Date) Value { return Value{State: Known, Day: d} }

// Facts is what is known at one moment of the person, the recipient, the
// contract and the act itself. The zero value knows nothing.
type Facts struct {
	values [fieldCount]Value
	stated uint64 // a bit for each of values that is not absent, so that few are looked at

	// The lists. A list that is not Known is absent: whether there are any
	// entries is not known (but an absent list of requests means that there are
	// none on record).
	Consents   List[Consent]
	Objections List[Objection]
	OptOuts    List[OptOut]
	Requests   List[Request]
}

// List is a list of facts of one kind; Known with no Entries says that there
// are none.
type List[T any] struct {
	Known   bool
	Entries []T
}

// Get is the value of a scalar fact as stated, without what its absence means.
func (f *Facts) Get(field Field) Value { return f.values[field] }

// Ref is Get without the copy; what it points at must not be changed.
func (f *Facts) Ref(field Field) *Value { return &f.values[field] }

// Set states a scalar fact; an absent value takes back what was stated.
func (f *Facts) Set(field Field, v Value) {
	f.values[field] = v
	if v.State == Absent {
		f.stated &^= 1 << field
	} else {
		f.stated |= 1 << field
	}
}

// A bit for each field must fit.
const _ = uint(64 - fieldCount)

// Stated gives the scalar facts of which anything is stated, in the order of
// their numbers.
func (f *Facts) Stated() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for rest := f.stated; rest != 0; rest &= rest - 1 {
			if !yield(Field(bits.TrailingZeros64(rest))) {
				return
			}
		}
	}
}

// Reset forgets everything but the room that its lists have, for use again.
// It is for who has made the lists: they are overwritten.
func (f *Facts) Reset() {
	for rest := f.stated; rest != 0; rest &= rest - 1 {
		f.values[bits.TrailingZeros64(rest)] = Value{}
	}
	f.stated = 0
	f.Consents.reset()
	f.Objections.reset()
	f.OptOuts.reset()
	f.Requests.reset()
}

func (l *List[T]) reset() { l.Known, l.Entries = false, l.Entries[:0] }

// IsZero says that nothing is stated at all.
func (f *Facts) IsZero() bool {
	return f.stated == 0 && !f.Consents.Known && !f.Objections.Known && !f.OptOuts.Known && !f.Requests.Known
}

// Overlay puts what is stated in over on top of f: its scalars replace those
// of f, its lists are added to those of f.
func (f *Facts) Overlay(over *Facts) {
	for rest := over.stated; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		f.values[i] = over.values[i]
	}
	f.stated |= over.stated
	overlay(&f.Consents, over.Consents)
	overlay(&f.Objections, over.Objections)
	overlay(&f.OptOuts, over.OptOuts)
	overlay(&f.Requests, over.Requests)
}

func overlay[T any](list *List[T], over List[T]) {
	if !over.Known {
		return
	}
	list.Known = true
	list.Entries = append(slices.Clip(list.Entries), over.Entries...)
}

// Consent is a consent to one purpose (GDPR Art. 6(1)(a), 7).
type Consent struct {
	Controller     string
	Purpose        string
	GivenAt        time.Time
	GivenBy        string    // client if empty
	Form           string    // written, oral, electronic; not oral if empty
	RegisteredCRM  Value     // whether an oral consent was registered
	WithdrawnAt    time.Time // zero = not withdrawn
	WithdrawalForm string    // written, reproducible-in-writing, oral; a valid form if empty
	WithdrawnBy    string    // client, user, contact-person; client if empty
}

// Objection is an objection to processing (GDPR Art. 21).
type Objection struct {
	Controller string
	Purpose    string
	MadeAt     time.Time
	Outcome    string // pending, upheld, rejected; pending if empty
}

// OptOut is a prohibition of disclosure, marketing, research or electronic offers.
type OptOut struct {
	Controller string
	Scope      string // disclosure-for-direct-marketing, direct-marketing, market-opinion-research, electronic-offers
	MadeBy     string // the person concerned if empty
	MadeAt     time.Time
}

// Request is something the person has asked of the controller.
type Request struct {
	Controller string
	Type       string // instalment, additional-contract, offer, erasure, rectification, restriction, access, decision-review
	MadeAt     time.Time
	Handled    Value // whether it has been dealt with
}

package register

// Format is the value of a register file's first key: its format and version.
const Format = "register/v1"

// CategoriesFormat is the same for the file of the category vocabulary.
const CategoriesFormat = "categories/v1"

// Source is a register as its file says it. Comments of the fields are the
// manual of the file format; the JSON Schema beside it says the same to editors.
type Source struct {
	Format     string     `yaml:"andmerada"`  // Format
	Controller Controller `yaml:"controller"` // who promises
	Notice     Notice     `yaml:"notice"`     // the text that the promise is made in
	InForce    InForce    `yaml:"in_force"`
	// PeriodConvention is how periods are counted; see elapsed in the conditions.
	// "calendar": by difference of dates. "tsys": as Estonian civil law counts
	// (TsÜS §135(1), §136(2), §137(1)): a term starts the day after, and ends with
	// its last day. Hours never count.
	PeriodConvention string `yaml:"period_convention"`
	Lists            Lists  `yaml:"lists"`

	// Clauses are all clauses of the notice, in its order: each is named by an
	// entry below, or says why it bears on none.
	Clauses       []Clause         `yaml:"clauses,omitempty"`
	Definitions   []Definition     `yaml:"definitions,omitempty"`
	Categories    []CategoryName   `yaml:"categories"`
	CategoryLists []CategoryList   `yaml:"category_lists,omitempty"`
	Consents      []ConsentSource  `yaml:"consents,omitempty"`
	Purposes      []PurposeSource  `yaml:"purposes"`
	Recipients    []RecipientEntry `yaml:"recipients"`
	NotRecipients []NotRecipient   `yaml:"not_recipients,omitempty"`
	Sources       []DataSource     `yaml:"sources"`
	Rules         []RuleSource     `yaml:"rules"`
	Retention     []RuleSource     `yaml:"retention"` // retention periods are rules with a period
	Rights        []Right          `yaml:"rights"`
	Ambiguities   []Ambiguity      `yaml:"ambiguities,omitempty"`
}

// Controller is who decides on the processing (GDPR Art. 4(7)).
type Controller struct {
	ID        string `yaml:"id"`      // short name; prefix of all ids: "elektrum"
	Name      string `yaml:"name"`    // legal name
	Country   string `yaml:"country"` // ISO 3166-1 alpha-2
	Zone      string `yaml:"zone"`    // IANA time zone in which its calendar runs
	Contact   string `yaml:"contact,omitempty"`
	Authority string `yaml:"supervisory_authority,omitempty"`
	// Processors are those that the notice names as acting for the controller
	// throughout, such as the company that issues it.
	Processors []string `yaml:"processors,omitempty"`
	Clauses    []string `yaml:"clauses,omitempty"` // where the notice says who it is
	Note       string   `yaml:"note,omitempty"`
}

// Notice names the text that the register was drawn from. The text itself
// stays where it was published; its hash proves which one was read.
type Notice struct {
	Title    string `yaml:"title"`
	Language string `yaml:"language"`
	SHA256   string `yaml:"sha256"`
	Dated    string `yaml:"dated,omitempty"`
	Clauses  string `yaml:"clauses"` // how its clauses are numbered here
	Note     string `yaml:"note,omitempty"`
}

// InForce is the period in which events are judged by this register: from the
// start of the first day in the controller's zone until a later register of the
// same controller is in force. No date: whenever the event was.
type InForce struct {
	From    string   `yaml:"from,omitempty"`
	Clauses []string `yaml:"clauses,omitempty"`
	Note    string   `yaml:"note,omitempty"`
}

// Clause is one clause of the notice, as this register numbers it.
type Clause struct {
	ID     string `yaml:"id"`
	Line   int    `yaml:"line"`   // of the notice's text, from 1, where it begins
	Begins string `yaml:"begins"` // its first words, by which it is found in that line
	Says   string `yaml:"says"`   // what it is about, in our words
	// NoBearing says why nothing in the register rests on the clause.
	NoBearing string `yaml:"no_bearing,omitempty"`
}

// Lists says which lists of the notice are exhaustive: an entry outside a
// closed list contradicts the notice, outside an open one it needs a review.
type Lists struct {
	Purposes   string `yaml:"purposes"`   // closed, open
	Recipients string `yaml:"recipients"` // closed, open
}

// Names is a name in several languages, by ISO 639-1 code.
type Names map[string]string

// In is the name in that language, else in English, else in any.
func (n Names) In(language string) string {
	if s := n[language]; s != "" {
		return s
	}
	if s := n["en"]; s != "" {
		return s
	}
	for _, s := range n {
		return s
	}
	return ""
}

// Definition is a term that the notice defines.
type Definition struct {
	Term    string   `yaml:"term"`
	Name    Names    `yaml:"name,omitempty"`
	Meaning string   `yaml:"meaning"`
	Clauses []string `yaml:"clauses"`
}

// CategoryName is a category of the vocabulary, as the notice calls it.
type CategoryName struct {
	ID      string   `yaml:"id"`
	Name    Names    `yaml:"name"`
	Clauses []string `yaml:"clauses"`
	Note    string   `yaml:"note,omitempty"`
}

// CategoryList is a list of categories that several places of the register
// name: as "@id" in a list of categories, as listed('id') in a condition.
type CategoryList struct {
	ID         string   `yaml:"id"`
	Categories []string `yaml:"categories"`
	Clauses    []string `yaml:"clauses"`
	Note       string   `yaml:"note,omitempty"`
}

// ConsentSource is a consent that covers several purposes at once, or that the
// notice ties to a form; a consent to a single purpose, with nothing more said of
// it, goes by the purpose's own id.
type ConsentSource struct {
	ID       string   `yaml:"id"`
	Name     Names    `yaml:"name"`
	Purposes []string `yaml:"purposes"` // that it covers
	// GivenBy and WithdrawnBy are who can give and withdraw it: client, user,
	// contact-person. Left out: anyone. What others do counts for nothing.
	GivenBy     []string `yaml:"given_by,omitempty"`
	WithdrawnBy []string `yaml:"withdrawn_by,omitempty"`
	// WithdrawalForms are those in which the notice lets it be withdrawn. Whether
	// a withdrawal in another form counts cannot be told.
	WithdrawalForms []string `yaml:"withdrawal_forms,omitempty"`
	Clauses         []string `yaml:"clauses"`
	Note            string   `yaml:"note,omitempty"`
}

// PurposeSource is a purpose of processing (GDPR Art. 5(1)(b)).
type PurposeSource struct {
	ID              string   `yaml:"id"`
	Name            Names    `yaml:"name"`
	LegalBasis      []string `yaml:"legal_basis"`                    // of Bases; empty = the notice does not state it
	BasisStatus     string   `yaml:"legal_basis_status"`             // stated, inferred, not-stated, document-level
	CandidateBases  []string `yaml:"candidate_bases,omitempty"`      // where the notice leaves it open
	Clauses         []string `yaml:"clauses"`                        // the row that declares it
	Categories      []string `yaml:"categories"`                     // in the notice's list
	FromText        []string `yaml:"categories_from_text,omitempty"` // named in its wording outside the list
	Inferred        []string `yaml:"categories_inferred,omitempty"`  // implied by the purpose
	CategoriesScope string   `yaml:"categories_scope"`               // explicit, document-wide, determined-by-request, not-listed, inferred
	OpenEnded       bool     `yaml:"open_ended,omitempty"`           // the list of categories is not exhaustive
	CatchAll        string   `yaml:"catch_all,omitempty"`            // a category that takes in what else fits its own description
	CatchAllTakes   []string `yaml:"catch_all_takes,omitempty"`      // categories that may fit that description: a person must look
	Companion       string   `yaml:"companion,omitempty"`            // a purpose whose list counts here too
	Family          string   `yaml:"family,omitempty"`
	DPV             []string `yaml:"dpv,omitempty"` // purposes of the W3C Data Privacy Vocabulary: "dpv:DirectMarketing"
	Condition       string   `yaml:"condition,omitempty"`
	Note            string   `yaml:"note,omitempty"`
}

// RecipientEntry is someone that data may be given to (GDPR Art. 4(9)).
type RecipientEntry struct {
	ID         string   `yaml:"id"`
	Name       Names    `yaml:"name"`
	Kind       string   `yaml:"kind"`            // processor, authority, group-company…
	Named      bool     `yaml:"named,omitempty"` // a legal entity rather than a class
	Purposes   []string `yaml:"purposes"`        // for which it may receive data; [all] = any
	Receives   string   `yaml:"receives,omitempty"`
	Country    string   `yaml:"country,omitempty"`
	Geography  string   `yaml:"geography,omitempty"` // what the notice says of where it is; empty = nothing
	Conditions []string `yaml:"conditions,omitempty"`
	Clauses    []string `yaml:"clauses"`
	Note       string   `yaml:"note,omitempty"`
}

// NotRecipient is someone easily mistaken for a recipient.
type NotRecipient struct {
	Name    string   `yaml:"name"`
	Why     string   `yaml:"why"`
	Clauses []string `yaml:"clauses"`
}

// DataSource is where data come from (GDPR Art. 14(2)(f)).
type DataSource struct {
	ID         string   `yaml:"id"`
	Name       Names    `yaml:"name"`
	Kind       string   `yaml:"kind"`
	Named      bool     `yaml:"named,omitempty"`
	Categories []string `yaml:"categories,omitempty"`
	Conditions []string `yaml:"conditions,omitempty"`
	Clauses    []string `yaml:"clauses"`
	Note       string   `yaml:"note,omitempty"`
}

// RuleSource is a condition drawn from a clause, or a retention period.
type RuleSource struct {
	ID        string        `yaml:"id"`
	Title     string        `yaml:"title"`
	Kind      string        `yaml:"kind"`
	Clauses   []string      `yaml:"clauses"`
	Says      string        `yaml:"says"`             // what the clause means, in our words
	Period    *Period       `yaml:"period,omitempty"` // retention only
	Applies   Selector      `yaml:"applies,omitempty"`
	Requires  []Requirement `yaml:"requires,omitempty"`
	Met       string        `yaml:"met,omitempty"`        // verdict where every requirement is met; allowed
	Unmet     string        `yaml:"unmet,omitempty"`      // …where one is not; violation
	Unknown   string        `yaml:"unknown,omitempty"`    // …where one cannot be told; review
	NotJudged string        `yaml:"not_judged,omitempty"` // why no event can be judged by it
	Status    string        `yaml:"status"`               // stated, inferred
	Ambiguity []string      `yaml:"ambiguities,omitempty"`
	Note      string        `yaml:"note,omitempty"`
}

// Period is a retention period (GDPR Art. 5(1)(e)).
type Period struct {
	Length     string   `yaml:"length"` // ISO 8601 duration, or words where the notice gives none
	From       string   `yaml:"from"`   // what it starts with
	FromStatus string   `yaml:"from_status,omitempty"`
	Meaning    string   `yaml:"meaning"` // floor, ceiling, floor-and-ceiling, during, extension, window, statutory, storage-limitation
	Exceptions []string `yaml:"exceptions,omitempty"`
}

// Selector says which events a rule is about; its parts are ANDed, and a part
// that is left out selects everything. Operations left out select every
// operation but erase, rectify and restrict, which only a rule that names them
// is about.
type Selector struct {
	Operations []string `yaml:"operations,omitempty"`
	Purposes   []string `yaml:"purposes,omitempty"`
	Recipients []string `yaml:"recipients,omitempty"`
	Categories []string `yaml:"categories,omitempty"` // one of the event's categories is among them, or a part of one
	When       string   `yaml:"when,omitempty"`       // CEL; the rule is about the event where it holds
}

// Requirement is one condition of a rule.
type Requirement struct {
	That         string      `yaml:"that"`                     // CEL
	Says         string      `yaml:"says"`                     // the same for people
	Unmet        string      `yaml:"unmet,omitempty"`          // verdict, instead of the rule's
	Unknown      string      `yaml:"unknown,omitempty"`        // verdict, instead of the rule's
	SkipIfAbsent []string    `yaml:"skip_if_absent,omitempty"` // facts: where nothing is said of one of them, the requirement is not tested
	Except       []Exception `yaml:"except,omitempty"`
}

// Exception is another verdict for a requirement that is not met.
type Exception struct {
	When    string `yaml:"when"` // CEL
	Verdict string `yaml:"verdict"`
	Because string `yaml:"because"`
}

// Right is a right of the person (GDPR Art. 15-22, 77).
type Right struct {
	ID        string   `yaml:"id"`
	Name      Names    `yaml:"name"`
	Clauses   []string `yaml:"clauses"`
	Condition string   `yaml:"condition,omitempty"`
}

// DecisionFormat is the value of a decision file's first key.
const DecisionFormat = "decision/v1"

// DecisionSource settles how a rule's review is to be read, where the notice
// leaves it open: the controller's own dated decision, in a file beside the
// register, <controller>/decisions/<id>.yaml. It never touches what the notice
// allows or forbids: only a review becomes an allowance or a violation.
type DecisionSource struct {
	Format     string   `yaml:"andmerada"` // DecisionFormat
	ID         string   `yaml:"id"`        // stands among a verdict's rules: "ELK-D1"
	Title      string   `yaml:"title"`
	Controller string   `yaml:"controller"`
	DecidedOn  string   `yaml:"decided_on"` // the day it was taken
	DecidedBy  string   `yaml:"decided_by"` // in what capacity: "data protection officer"
	Settles    []string `yaml:"settles"`    // rules whose review it settles; general ones too
	Ambiguity  []string `yaml:"ambiguities,omitempty"`
	Applies    Selector `yaml:"applies,omitempty"` // to which events; as in a rule
	// From and Until bound the days of the events that it is for, both included.
	From    string `yaml:"from,omitempty"`
	Until   string `yaml:"until,omitempty"`
	Verdict string `yaml:"verdict"` // allowed, violation
	Because string `yaml:"because"`
	Note    string `yaml:"note,omitempty"`
}

// Ambiguity is a place where the notice can be read in more than one way, and
// how this register reads it.
type Ambiguity struct {
	ID       string   `yaml:"id"`
	Clauses  []string `yaml:"clauses"`
	Issue    string   `yaml:"issue"`
	Reading  string   `yaml:"reading"`
	Severity string   `yaml:"severity"` // low, medium, high
}

// CategoriesSource is the file of the category vocabulary, which all registers share.
type CategoriesSource struct {
	Format     string           `yaml:"andmerada"` // CategoriesFormat
	Categories []CategorySource `yaml:"categories"`
}

// CategorySource is one category of personal data.
type CategorySource struct {
	ID     string `yaml:"id"`
	Name   Names  `yaml:"name"`
	Group  string `yaml:"group"`            // identity, contact, …; "class" for classes of data that no list can cover
	Parent string `yaml:"parent,omitempty"` // a category that takes this one in
	// SumOfParts: where all its parts are covered, it is covered too.
	SumOfParts bool `yaml:"sum_of_parts,omitempty"`
	// DPV is its term in the W3C Data Privacy Vocabulary, or in its extension for
	// personal data: "dpv:Consent", "pd:Name"; "" where there is none.
	DPV string `yaml:"dpv,omitempty"`
	// Special says which of [Specials] it is; its parts are too.
	Special string `yaml:"special,omitempty"`
	Note    string `yaml:"note,omitempty"`
}

// Specials are the kinds of data that a breach weighs more with: the special
// categories of GDPR Art. 9(1), data on offences (Art. 10), and national
// identification numbers (Art. 87).
var Specials = []string{
	"origin", "politics", "beliefs", "trade-union", "genetic", "biometric", "health", "sex-life", "offences", "national-identifier",
}

// Bases are the legal bases that a purpose may name (GDPR Art. 6(1)).
var Bases = []string{
	"consent", "contract", "pre-contract", "legal-obligation", "vital-interest", "public-task", "legitimate-interest",
}

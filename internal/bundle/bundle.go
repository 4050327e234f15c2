// Package bundle makes and checks the evidence for one answer: a zip file that
// can be handed to a supervisory authority, and that anybody can check, offline
// and without the trail.
//
// A bundle holds the answer, the events that it was counted from, the verdicts on
// them, the facts and the registers that these rest on, and what can be said of
// the trail's completeness. Its files are stored as they are, not compressed: its
// bytes are the same wherever it is made from the same content, and nothing in it
// can unpack to more than it is.
package bundle

import (
	"encoding/json"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/trail"
)

// Format is that of bundles, in their manifest.
const Format = "andmerada-bundle/1"

// Names of the files of a bundle. Beside them are those of registers, each
// version in a directory of its own: registers/<version>/….
const (
	manifestFile     = "manifest.json"
	signatureFile    = "manifest.sig"
	readmeFile       = "README.txt"
	answerFile       = "answer.json"
	eventsFile       = "events.ndjson"
	verdictsFile     = "verdicts.ndjson"
	factsFile        = "facts.ndjson"
	completenessFile = "completeness.json"
	registersDir     = "registers"
)

// Bounds of a bundle.
const (
	MaxSize    = 512 << 20 // bytes of the whole
	maxFiles   = 2000
	maxLine    = 4 << 20 // bytes of a line
	maxName    = 200     // bytes of a file's name
	maxProblem = 50      // problems that are told
)

// Manifest says what a bundle is about, and what is in it.
type Manifest struct {
	Format     string            `json:"format"`
	Kind       string            `json:"kind"`       // of the question: recipients, timeline, told, access, recipient, breach
	Question   answer.Question   `json:"question"`   // as it was put; a person by its pseudonym
	Controller answer.Controller `json:"controller"` // whose trail
	AskedAt    time.Time         `json:"asked_at"`
	Role       string            `json:"role"` // in which it was asked
	Reason     string            `json:"reason,omitempty"`
	MadeBy     string            `json:"made_by"` // version of the program
	Events     int               `json:"events"`
	Verdicts   int               `json:"verdicts"`
	Facts      int               `json:"facts"`
	Registers  []Register        `json:"registers"`
	Missing    []string          `json:"missing_registers"` // versions that events were judged by and that are not loaded any more
	Files      []File            `json:"files"`             // all but this one and its signature, by name
}

// Register is a version of a register that judged events of the bundle.
type Register struct {
	Version string    `json:"version"`
	Notice  string    `json:"notice"`
	From    time.Time `json:"from,omitzero"`
	Dir     string    `json:"dir"`
}

// File is a file of the bundle.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Completeness is what can be said of the trail that the answer comes from.
type Completeness struct {
	AsOf time.Time `json:"as_of"`
	answer.Completeness
	// Verified is what holds of each topic, up to where the trail goes.
	Verified []trail.Report `json:"verified"`
	Complete bool           `json:"complete"` // nothing missing, doubled or incomplete in any of them
	Limits   *answer.Limits `json:"limits"`   // of the period that was asked about
}

// Place is a row of the trail: where the event stands in Kafka, and which of the
// persons it names.
type Place struct {
	answer.Place
	Person uint16 `json:"person_index"`
}

// Event is a line of the events: an event, as far as it is about one person.
type Event struct {
	Place
	Of         uint16          `json:"of"` // how many persons the event names
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Operation  string          `json:"operation"`
	Time       time.Time       `json:"time"`
	Recorded   time.Time       `json:"recorded"`
	Stored     time.Time       `json:"stored,omitzero"`
	Controller string          `json:"controller"`
	Pseudonym  string          `json:"pseudonym,omitempty"` // of the person, or of the cohort
	CohortID   string          `json:"cohort_id,omitempty"`
	CohortSize uint64          `json:"cohort_size,omitempty"`
	Cohort     bool            `json:"cohort,omitempty"`
	Actor      Actor           `json:"actor,omitzero"`
	Purpose    string          `json:"purpose,omitempty"`
	Categories []string        `json:"categories,omitempty"`
	Fields     []string        `json:"fields,omitempty"`
	Records    uint64          `json:"records,omitempty"`
	Recipient  Recipient       `json:"recipient,omitzero"`
	DataSource string          `json:"data_source,omitempty"`
	Basis      string          `json:"basis,omitempty"`
	BasisRef   string          `json:"basis_reference,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Channel    string          `json:"channel,omitempty"`
	Statements json.RawMessage `json:"statements,omitempty"`
	Sequence   uint64          `json:"sequence,omitempty"`
	BodyHash   string          `json:"body_hash"` // first half of the SHA-256 of the event's bytes
	Duplicate  bool            `json:"duplicate,omitempty"`
	Windows    []int           `json:"windows,omitempty"` // of a breach, in which the event is, from 0
}

// Actor is who acted; an employee stands by a mask.
type Actor struct {
	ID           string `json:"id,omitempty"`
	Kind         uint8  `json:"kind,omitempty"` // 1 human, 2 service, 3 partner
	Role         string `json:"role,omitempty"`
	Organisation string `json:"organisation,omitempty"`
	OnBehalfOf   string `json:"on_behalf_of,omitempty"`
}

// Recipient is to whom data went.
type Recipient struct {
	ID           string `json:"id,omitempty"`
	Organisation string `json:"organisation,omitempty"`
	Code         string `json:"code,omitempty"`
	Country      string `json:"country,omitempty"`
}

// Verdict is a line of the verdicts: a judgement of one event's row.
type Verdict struct {
	Place
	Verdict   string    `json:"verdict"`
	Rules     []string  `json:"rules"`
	Unknown   []string  `json:"unknown"`
	Register  string    `json:"register_version,omitempty"`
	Evaluator uint16    `json:"evaluator,omitempty"`
	JudgedAt  time.Time `json:"judged_at,omitzero"`
	Cause     string    `json:"cause,omitempty"` // why it was judged again; left out for the first
	Stands    bool      `json:"stands"`
}

// Fact is a line of the facts: what was true of somebody, as a source told it.
type Fact struct {
	Place
	Of         uint16          `json:"of"`
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Recorded   time.Time       `json:"recorded"`
	Controller string          `json:"controller"`
	Pseudonym  string          `json:"pseudonym,omitempty"`
	Fact       string          `json:"fact"`
	Value      json.RawMessage `json:"value,omitempty"`
	ValidFrom  time.Time       `json:"valid_from"`
	Actor      string          `json:"about_actor,omitempty"`
	Recipient  string          `json:"about_recipient,omitempty"`
	BodyHash   string          `json:"body_hash"`
}

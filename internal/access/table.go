package access

// Question is something that can be asked of the trail.
type Question string

// The questions.
const (
	Recipients Question = "recipients"
	Timeline   Question = "timeline"
	Facts      Question = "facts"
	Told       Question = "told"
	Tellings   Question = "tellings"
	Event      Question = "event"
	Overview   Question = "overview"
	Drift      Question = "drift"
	Duties     Question = "duties"
	Accesses   Question = "access"
	Unusual    Question = "unusual"
	Breach     Question = "breach"
	Recipient  Question = "recipient"
	Activities Question = "activities"
	Bundle     Question = "bundle"
	Lineage    Question = "lineage"
	Register   Question = "register"

	Quarantine       Question = "quarantine"
	QuarantineReplay Question = "quarantine-replay"

	Reveal        Question = "reveal"
	Reveals       Question = "reveals"
	RevealRequest Question = "reveal-request"
	RevealApprove Question = "reveal-approval"
)

// Line is one line of the table of questions.
type Line struct {
	Question Question
	Asks     string // in words
	Person   bool   // it names a person, and so wants a reason
	Silent   bool   // it reads nothing about persons, and is no event
	Roles    []Role // who may ask; the first that fits is the one that is recorded
}

// table is all that may be asked, and by whom. Deny is what is not here.
// docs/access.md shows it; a test holds that the two are the same.
var table = []Line{
	{Recipients, "who received a person's data", true, false, []Role{DPO, Auditor, Agent}},
	{Timeline, "what was done with a person's data", true, false, []Role{DPO, Auditor, Agent}},
	{Facts, "what is known of a person, an employee or a recipient", true, false, []Role{DPO}},
	{Told, "who must be told of an erasure, a rectification or a restriction", true, false, []Role{DPO, Agent}},
	{Tellings, "who is still to be told, of all persons", false, false, []Role{DPO, Auditor}},
	{Event, "one event in full", false, false, []Role{DPO, Responder, Auditor}},
	{Overview, "what stands out", false, false, []Role{DPO, Responder, Auditor}},
	{Drift, "what is done and not declared", false, false, []Role{DPO, Auditor}},
	{Duties, "what is due", false, false, []Role{DPO, Auditor}},
	{Accesses, "who accessed what", false, false, []Role{DPO, Responder, Auditor}},
	{Unusual, "which accesses are out of the ordinary", false, false, []Role{DPO, Auditor}},
	{Breach, "whose data a breach touches", false, false, []Role{Responder, DPO}},
	{Recipient, "what one recipient received", false, false, []Role{DPO, Responder, Auditor}},
	{Activities, "the register of processing activities", false, false, []Role{DPO, Auditor}},
	{Bundle, "the evidence for an answer", false, false, []Role{DPO, Auditor}},
	{Lineage, "where data came from and went on to", false, false, []Role{DPO, Responder, Auditor}},
	{Register, "what a controller has declared", false, true, []Role{DPO, Responder, Auditor, Agent, Source}},
	{Quarantine, "what could not be understood, opened", false, false, []Role{DPO}},
	{QuarantineReplay, "that what could not be understood be sent again", false, false, []Role{DPO}},
	{Reveals, "what reveals were asked for", false, false, []Role{DPO, Responder, Auditor}},
	{RevealRequest, "to be told who acted", false, false, []Role{DPO, Responder, Auditor}},
	{RevealApprove, "that another be told who acted", false, false, []Role{DPO}},
	{Reveal, "who acted, by id", false, false, []Role{DPO, Responder, Auditor}},
}

// Table is the table of questions.
func Table() []Line { return table }

func (q Question) line() (Line, bool) {
	for _, l := range table {
		if l.Question == q {
			return l, true
		}
	}
	return Line{}, false
}

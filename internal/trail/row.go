package trail

import (
	"crypto/sha256"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// What a row is about if not a processing operation: the numbers stand beside
// those of [event.Operation] in the same column and never change.
const (
	OperationFact   event.Operation = 100 // something is true from a moment on
	OperationCohort event.Operation = 101 // (part of) the members of a cohort are listed
)

// Row is one row of the trail: one event and one person. An event that names
// several persons is several rows at one offset. Times are kept to the
// millisecond, in UTC, from 1900 to 2299; the zero time is kept as 1970-01-01
// and read back as zero.
type Row struct {
	EventID   string          // CloudEvents id
	Source    string          // CloudEvents source
	Operation event.Operation // or OperationFact, OperationCohort
	Time      time.Time       // when it happened, as the source says
	Recorded  time.Time       // timestamp of the Kafka record
	Stored    time.Time       // the date the journal fixed for the range; what Append is given here is not used

	Controller  string
	Person      [16]byte // keyed pseudonym: of the person, or of the cohort; zero if the event is about nobody
	PersonIndex uint16   // which of the event's rows this is, from 0
	Of          uint16   // how many rows the event has: one a person, at least 1

	Cohort      bool   // the event concerns, or lists, a cohort
	CohortID    string // as the source names it
	CohortSize  uint64 // members in all, as the source states it
	CohortPart  uint32 // of a listing: which part, from 1
	CohortParts uint32 // of a listing: of how many

	Actor                 string // for a fact about an employee: that employee
	ActorKind             event.ActorKind
	ActorRole             string
	ActorOrganisation     string
	ActorOnBehalfOf       string
	Purpose               string
	Recipient             string // register id, or event.DataSubject; for a fact about a recipient: that recipient
	RecipientOrganisation string
	RecipientCode         string
	RecipientCountry      string // ISO 3166-1 alpha-2
	Categories            []string
	Fields                []string
	Records               uint64 // records touched, 0 = not stated; of a listing: its members
	DataSource            string
	Basis                 string // kind of legal basis (GDPR Art. 6(1))
	BasisReference        string
	Reason                string
	Channel               string
	Statements            string // canonical JSON; "" = none

	Fact          string    // for OperationFact: its name in the vocabulary
	FactValue     string    // canonical JSON
	FactValidFrom time.Time // since when it is true

	Sequence  uint64   // the source's own counter; 0 = not stated
	TraceID   [16]byte // W3C trace context; zero = none
	Span      [8]byte
	BodyHash  [16]byte // of the event's bytes: what a seal commits to
	Duplicate bool     // an event of the same source and id came before

	Verdict         register.Outcome // NotApplicable for facts and listings
	Rules           []string         // ids of the rules that decided
	Unknown         []string         // facts that were missing
	RegisterVersion string
	Evaluator       uint16
	JudgedAt        time.Time // one moment for a whole batch: it then costs nothing to keep (5 bytes a row if each has its own)
	Cause           string    // why judged again; "" = the first judgement

	Topic     string // these three: where in Kafka; Append takes Topic and Partition from the range
	Partition int32
	Offset    int64
}

// QuarantineRow is one Kafka record that could not be read or understood.
type QuarantineRow struct {
	Offset    int64
	Recorded  time.Time // timestamp of the Kafka record
	Reason    string    // code of the fault
	Pointer   string    // JSON pointer to what is wrong; "" = the whole
	Detail    string    // what was found and how to mend it; never a personal identifier
	Source    string    // CloudEvents source, if it could be read
	EventHash [16]byte  // EventHash of the event, zero if it has no readable id
	BodyHash  [16]byte  // of the record's bytes
	Sealed    []byte    // the record's bytes, encrypted by the caller
	Size      uint32    // of the record in bytes, before sealing
}

// Member is one person of a cohort, listed by the event at Offset.
type Member struct {
	Controller string
	CohortID   string
	Person     [16]byte
	Part       uint32
	Offset     int64
}

// Gap is a run of offsets, both ends included, that hold no event: deleted
// before they were read, compacted away, or transaction markers.
type Gap struct {
	First, Last int64
	Reason      string
}

// EventHash tells events apart: two of the same source and id are the same
// event (CloudEvents 1.0, section "id").
func EventHash(source, id string) [16]byte {
	b := make([]byte, 0, 256)
	b = append(b, source...)
	b = append(b, 0)
	b = append(b, id...)
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

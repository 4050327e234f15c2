package event

import "strings"

// Code says in one stable word what is wrong with an event. It stands in the
// quarantine, in metrics and in what `event lint` prints: codes are added,
// never renamed.
type Code string

// The codes.
const (
	CodeNotJSON          Code = "not-json"          // not JSON (RFC 8259): cut short, stray characters, a byte order mark
	CodeNotUTF8          Code = "not-utf8"          // bytes that are not UTF-8, or half of a surrogate pair
	CodeNotCloudEvent    Code = "not-cloudevent"    // neither ce_ headers nor a JSON object with specversion 1.0
	CodeBatchMode        Code = "batch-mode"        // several CloudEvents in one message
	CodeContentType      Code = "content-type"      // data of a kind that is not read here
	CodeMissing          Code = "missing"           // a member that must be there is not
	CodeWrongType        Code = "wrong-type"        // a string where a number is meant, and the like
	CodeUnknownType      Code = "unknown-type"      // the CloudEvents type is none of Andmerada's
	CodeUnknownOperation Code = "unknown-operation" // ee.andmerada.<operation>.v1 with an operation that does not exist
	CodeUnknownFact      Code = "unknown-fact"      // a fact that the vocabulary does not have
	CodeDuplicate        Code = "duplicate"         // the same name twice in one object, or the same header twice
	CodeTooLarge         Code = "too-large"         // the message is larger than MaxValue
	CodeTooDeep          Code = "too-deep"          // nested deeper than MaxDepth
	CodeTooMany          Code = "too-many"          // a list with more entries than its bound
	CodeTooLong          Code = "too-long"          // a string longer than its bound
	CodeControlCharacter Code = "control-character" // NUL or another control character in a string
	CodeBadTime          Code = "bad-time"          // not an RFC 3339 time, or not a date
	CodeBadValue         Code = "bad-value"         // right type, but not a value that is allowed
	CodeNotAvro          Code = "not-avro"          // not Avro of its schema: cut short, bytes too many, lengths that cannot be
	CodeSchemaUnknown    Code = "schema-unknown"    // the schema that a message names is not known
	CodeSchemaMismatch   Code = "schema-mismatch"   // the schema cannot be resolved to ours
)

// The codes of findings that only [Lint] makes: the event is read all the same.
const (
	CodeUnknownMember Code = "unknown-member" // a member that nothing reads, perhaps misspelt
	CodeAdvice        Code = "advice"         // allowed, but something is lost by it
)

// Codes lists every code that a [Fault] can have.
func Codes() []Code {
	return []Code{
		CodeNotJSON, CodeNotUTF8, CodeNotCloudEvent, CodeBatchMode, CodeContentType, CodeMissing, CodeWrongType,
		CodeUnknownType, CodeUnknownOperation, CodeUnknownFact, CodeDuplicate, CodeTooLarge, CodeTooDeep, CodeTooMany,
		CodeTooLong, CodeControlCharacter, CodeBadTime, CodeBadValue, CodeNotAvro, CodeSchemaUnknown, CodeSchemaMismatch,
	}
}

// Bounds of an event. They are checked before memory is spent on it.
const (
	MaxValue      = 1 << 20 // bytes of a message's value
	MaxDepth      = 32      // levels of nesting
	MaxHeaders    = 64      // headers of a message
	MaxID         = 256     // bytes of ids and other short texts
	MaxIdentifier = 256     // bytes of a person's identifier
	MaxName       = 128     // bytes of a purpose, a category, a controller
	MaxReason     = 1024    // bytes of a reason
	MaxCategories = 200     // categories of one event
	MaxFields     = 1000    // field names of one event
	MaxPersons    = 100     // persons of one event; more are a cohort
	MaxMembers    = 10_000  // members in one part of a cohort
	MaxEntries    = 100     // entries in a list of facts
)

// Fault is why an event cannot be taken. It never holds an identifier of a
// person: where one could stand, Got is its type or its length.
type Fault struct {
	Code    Code
	Pointer string // JSON pointer (RFC 6901) into the CloudEvent's structured form, in binary mode too: "/type", "/data/purpose"
	Got     string
	Want    string
	Mend    string // what to write instead, "" if that is plain
	Offset  int    // for faults of the JSON or Avro itself: the byte of the value where reading stopped
}

// Error is "missing /data/purpose: want a purpose of the register; mend".
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(string(f.Code))
	if f.Pointer != "" {
		b.WriteString(" at " + f.Pointer)
	}
	sep := ": "
	if f.Got != "" {
		b.WriteString(sep + "got " + f.Got)
		sep = ", "
	}
	if f.Want != "" {
		b.WriteString(sep + "want " + f.Want)
	}
	if f.Mend != "" {
		b.WriteString("; " + f.Mend)
	}
	return b.String()
}

// Header is a header of a Kafka message.
type Header struct {
	Key   string
	Value []byte
}

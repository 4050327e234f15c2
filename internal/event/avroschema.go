package event

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/hamba/avro/v2"

	"github.com/andmerada/andmerada/schemas"
)

// Bounds of a schema, which comes from outside as data do.
const (
	MaxSchema      = 256 << 10 // bytes of an Avro schema with all that it refers to
	maxSchemaDepth = 64        // levels of nesting of its JSON
	maxPlanSteps   = 50_000    // parts of the plan made of it
)

// Schema is an Avro schema that events were written with, resolved against the
// schemas of this package (Avro 1.12, "Schema Resolution"): for each kind of
// event a plan of how its bytes become one. It is safe for concurrent use.
type Schema struct {
	data     [kinds]plan // by Kind: of the data alone
	envelope plan        // of a whole CloudEvent
}

// kinds is one more than the last Kind.
const kinds = CohortPart + 1

// plan reads a datum, unless the schema cannot be resolved.
type plan struct {
	read  step
	fault *Fault
}

// ParseSchema reads a writer's schema. The references are the schemas that it
// names, each after those that it names itself. The error is a *[Fault]; a
// schema that is none of an event's is no error here, but where data are to be
// read by it.
func ParseSchema(text string, references ...string) (*Schema, error) {
	writer, err := parseAvro(text, references...)
	if err != nil {
		return nil, &Fault{Code: CodeSchemaMismatch, Got: cutText(err.Error()), Want: "an Avro schema", Mend: "register the schema that the data are written with"}
	}
	s := new(Schema)
	for kind := Processing; kind <= CohortPart; kind++ {
		s.data[kind] = compile(writer, readerOf(kind))
	}
	s.envelope = compileEnvelope(writer)
	return s, nil
}

// cutText bounds a text that is not ours.
func cutText(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), MaxID)], "")
}

// parseAvro parses a schema within bounds.
func parseAvro(text string, references ...string) (schema avro.Schema, err error) {
	size := len(text)
	for _, ref := range references {
		size += len(ref)
	}
	if size > MaxSchema {
		return nil, fmt.Errorf("a schema of %d bytes, at most %d are read", size, MaxSchema)
	}
	defer func() {
		if p := recover(); p != nil { // the parser is not ours
			schema, err = nil, errors.New("a schema that the parser fails at")
		}
	}()
	cache := new(avro.SchemaCache)
	for _, s := range append(references[:len(references):len(references)], text) {
		if depth([]byte(s)) > maxSchemaDepth {
			return nil, fmt.Errorf("a schema that is nested deeper than %d levels", maxSchemaDepth)
		}
		if schema, err = avro.ParseWithCache(s, "", cache); err != nil {
			return nil, err
		}
	}
	return schema, nil
}

// readerNames are the files of our own schemas.
var readerNames = [kinds]string{Processing: "processing", FactEvent: "fact", CohortPart: "cohort"}

// readerOf is our own schema of a kind of event, with where each part goes.
func readerOf(kind Kind) *target { return readerTargets()[kind] }

var readerTargets = sync.OnceValue(func() (all [kinds]*target) {
	for kind := Processing; kind <= CohortPart; kind++ {
		schema, err := parseAvro(ownSchema(kind))
		if err != nil {
			panic(fmt.Sprintf("our own schema %s: %v", readerNames[kind], err)) // a test holds it
		}
		all[kind] = newTarget(schema, readerNames[kind], true)
	}
	return all
})

func ownSchema(kind Kind) string { return readSchema(readerNames[kind]) }

func readSchema(name string) string {
	text, err := fs.ReadFile(schemas.FS, "avro/"+name+".avsc")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// readOwn are our own schemas as those of a writer.
var readOwn = sync.OnceValue(func() (all [kinds]*Schema) {
	for kind := Processing; kind <= CohortPart; kind++ {
		s, err := ParseSchema(ownSchema(kind))
		if err != nil {
			panic(fmt.Sprintf("our own schema %s: %v", readerNames[kind], err)) // a test holds it
		}
		all[kind] = s
	}
	return all
})

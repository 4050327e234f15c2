package event

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/andmerada/andmerada/schemas"
)

// schemaOf compiles the published JSON Schemas once, by CloudEvents type.
var schemaOf = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const base = "mem:///"
	err := fs.WalkDir(schemas.FS, "json", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(schemas.FS, name)
		if err != nil {
			return err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("read schema %s: %w", name, err)
		}
		return c.AddResource(base+name, doc)
	})
	if err != nil {
		return nil, err
	}
	all := map[string]*jsonschema.Schema{}
	for name, info := range typesByName {
		file := "processing"
		switch info.kind {
		case FactEvent:
			file = "fact/" + strings.ReplaceAll(info.fact, "_", "-")
		case CohortPart:
			file = "cohort"
		}
		if all[name], err = c.Compile(base + "json/" + file + ".schema.json"); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// schema holds the event against its published JSON Schema. What only the
// schema minds is a warning: the event is taken.
func (l *linter) schema(ceType string, headers []Header, value []byte, binary bool) {
	all, err := schemaOf()
	if err != nil {
		l.add(Finding{Code: CodeAdvice, Severity: SeverityWarning, Problem: "the schemas do not compile: " + err.Error()})
		return
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return // the decoder has said why
	}
	if binary {
		whole := map[string]any{"data": doc}
		for _, h := range headers {
			if isCE(h.Key) {
				whole[strings.ToLower(h.Key[3:])] = string(h.Value)
			}
		}
		doc = whole
	}
	var invalid *jsonschema.ValidationError
	if errors.As(all[ceType].Validate(doc), &invalid) {
		l.violations(invalid)
	}
}

// violations maps the innermost errors of the validator to findings.
func (l *linter) violations(v *jsonschema.ValidationError) {
	_, alternatives := v.ErrorKind.(*kind.AnyOf)
	if len(v.Causes) > 0 && !alternatives {
		for _, cause := range v.Causes {
			l.violations(cause)
		}
		return
	}
	var b strings.Builder
	for _, token := range v.InstanceLocation {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	at := maskPointer(b.String())
	f := Finding{Pointer: at, Code: CodeBadValue, Severity: SeverityWarning, Problem: "not as the JSON Schema has it"}
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			l.schemaFinding(Finding{Pointer: at + "/" + name, Code: CodeMissing, Severity: SeverityWarning, Problem: name + " is missing"})
		}
		return
	case *kind.AnyOf:
		f.Code, f.Problem = CodeMissing, "none of several members of which one must be there"
	case *kind.Type:
		f.Code, f.Problem, f.Want = CodeWrongType, "is a value of the type "+k.Got, strings.Join(k.Want, " or ")
	case *kind.Format:
		f.Code, f.Problem = CodeBadTime, "is not of the format "+k.Want
	case *kind.MaxLength:
		f.Code, f.Problem, f.Want = CodeTooLong, fmt.Sprintf("has %d characters", k.Got), fmt.Sprintf("at most %d", k.Want)
	case *kind.MaxItems:
		f.Code, f.Problem, f.Want = CodeTooMany, fmt.Sprintf("has %d entries", k.Got), fmt.Sprintf("at most %d", k.Want)
	case *kind.MinItems:
		f.Code, f.Problem, f.Want = CodeMissing, fmt.Sprintf("has %d entries", k.Got), fmt.Sprintf("at least %d", k.Want)
	case *kind.Enum:
		f.Want = fmt.Sprintf("one of %v", k.Want)
	case *kind.Const:
		f.Want = fmt.Sprint(k.Want)
	}
	l.schemaFinding(f)
}

func (l *linter) schemaFinding(f Finding) {
	if !l.covered(f.Pointer) {
		l.add(f)
	}
}

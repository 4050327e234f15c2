package register_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
)

const schemaFile = "../../schemas/register.schema.json"

// TestSchemaAcceptsTheRegisters: editors check by the JSON Schema what the
// loader checks by itself, so the two must agree.
func TestSchemaAcceptsTheRegisters(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(registers.FS, "*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no registers: %v", err)
	}
	valid := func(data []byte) error {
		asJSON, err := yaml.YAMLToJSON(data)
		if err != nil {
			return err
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	for _, file := range files {
		if strings.HasPrefix(file, register.NamesDirectory+"/") {
			continue
		}
		data, err := fs.ReadFile(registers.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := valid([]byte(minimal)); err != nil {
		t.Errorf("the minimal register: %v", err)
	}
	if valid([]byte(strings.Replace(minimal, "country:", "county:", 1))) == nil {
		t.Error("an unknown key is valid")
	}
}

// TestSchemaHasTheFieldsOfTheLoader compares key by key.
func TestSchemaHasTheFieldsOfTheLoader(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]object `json:"properties"`
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		v    any
		with object
	}{
		"register":     {register.Source{}, schema.object},
		"controller":   {register.Controller{}, schema.Properties["controller"]},
		"notice":       {register.Notice{}, schema.Properties["notice"]},
		"in_force":     {register.InForce{}, schema.Properties["in_force"]},
		"lists":        {register.Lists{}, schema.Properties["lists"]},
		"clause":       {register.Clause{}, schema.Defs["clause"]},
		"definition":   {register.Definition{}, schema.Defs["definition"]},
		"category":     {register.CategoryName{}, schema.Defs["category"]},
		"categoryList": {register.CategoryList{}, schema.Defs["categoryList"]},
		"consent":      {register.ConsentSource{}, schema.Defs["consent"]},
		"purpose":      {register.PurposeSource{}, schema.Defs["purpose"]},
		"recipient":    {register.RecipientEntry{}, schema.Defs["recipient"]},
		"notRecipient": {register.NotRecipient{}, schema.Defs["notRecipient"]},
		"source":       {register.DataSource{}, schema.Defs["source"]},
		"rule":         {register.RuleSource{}, schema.Defs["rule"]},
		"period":       {register.Period{}, schema.Defs["period"]},
		"selector":     {register.Selector{}, schema.Defs["selector"]},
		"requirement":  {register.Requirement{}, schema.Defs["requirement"]},
		"exception":    {register.Exception{}, schema.Defs["exception"]},
		"right":        {register.Right{}, schema.Defs["right"]},
		"ambiguity":    {register.Ambiguity{}, schema.Defs["ambiguity"]},
	} {
		var keys, inSchema []string
		for f := range reflect.TypeOf(c.v).Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			keys = append(keys, key)
		}
		for key := range c.with.Properties {
			inSchema = append(inSchema, key)
		}
		slices.Sort(keys)
		slices.Sort(inSchema)
		if !slices.Equal(keys, inSchema) {
			t.Errorf("%s: the loader reads %v, the schema has %v", name, keys, inSchema)
		}
	}
}

// Package schemas holds what source systems code against: the JSON Schema
// (2020-12) and the Avro schema of every event, an AsyncAPI description, and
// examples. Each JSON Schema in json/ and json/fact/ describes one whole
// CloudEvent in structured mode; its data alone is at "#/$defs/data".
//
// The facts, and what is per kind of fact, are generated from the vocabulary:
// go test ./schemas -update
package schemas

import "embed"

// FS holds json/*.schema.json, json/fact/*.schema.json, avro/*.avsc, examples
// and asyncapi.yaml. References between the JSON Schemas are relative to where
// they lie.
//
//go:embed json/*.json json/fact/*.json avro/*.avsc examples/*.json examples/invalid/*.json asyncapi.yaml
var FS embed.FS

// Package schemaregistry finds the Avro schemas that events were written with,
// in a registry that has the REST API of Confluent's (Confluent, Apicurio,
// Karapace, Redpanda and others).
//
// A schema is asked for once and kept: what is kept is served whether the
// registry is there or not. Only [Client.Schema] asks; many who want the same id
// at once are one request. What the registry does not have is remembered as
// well, for a while, so that a message that names a schema nobody has costs no
// request each time it comes. A registry that fails is left alone for a while.
//
// Two kinds of error are told apart: an [*event.Fault] is about the schema, and
// the message that names it cannot be read; any other is about the registry,
// and passes.
package schemaregistry

// Package foreign holds the tests of what others send: programs in other
// languages, with the libraries that source systems use there, send the same
// events in each form, and each must become the same rows of the trail. The
// servers are real: Apache Kafka and a schema registry.
//
// The programs are those that docs/events.md shows.
package foreign

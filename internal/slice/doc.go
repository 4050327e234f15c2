// Package slice holds the tests of the slice from end to end: from an event in
// a source system to the answer who received a person's data, with nothing in
// between that is not the real thing.
package slice

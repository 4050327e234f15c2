// Package event holds the one Go type that everything else works on: what a
// source system says has happened to a person's data, or what it says is true
// of a person, a recipient or a contract.
//
// Events arrive as CloudEvents 1.0 in several wire forms; the codecs of this
// package turn each of them into an [Event] and name every fault they find by
// JSON pointer. The package is pure: no I/O, no clock, no globals that change.
package event

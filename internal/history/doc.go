// Package history makes up two years of a plausible past of Elektrum and
// Netpro: what their systems would have emitted, in the order of time. It is
// made from the registers: each event is for a declared purpose, with
// categories and recipients of the register, and the facts that its verdict
// rests on are told before it.
//
// Into that past it plants what contradicts the notices, what they are silent
// about, and what is just still in order. A [Manifest] lists all of it, so that
// what is found can be compared with what was planted.
//
// The same options and registers give the same events, byte for byte. All
// persons are made up: their personal codes begin with a digit that no
// century has, their e-mail addresses are under example.com.
//
// Facts about a person go by its customer number, and so does each event whose
// verdict needs one of them: they have one message key and stay in order in
// Kafka. What is said of employees, processors and recipients is both told as
// a fact and stated in the event, for these have keys of their own.
package history

// Package condition compiles and evaluates the conditions of rules. They are
// written in CEL, the Common Expression Language, over the event, the purpose
// and the recipient as the register declares them, and the facts of the
// vocabulary; every name and type is checked when a condition is compiled.
//
// Evaluation is three-valued: a condition on a fact that is not known is
// unknown, not false, unless the rest decides it either way (CEL's own rules
// for && and ||). There are no loops in a condition, so what one costs is
// bounded by its length.
package condition

// Package register holds declared registers: what one controller has promised
// in its privacy notice, made machine-readable. A register is one YAML file of
// one controller and one effective date; it names the purposes, categories,
// recipients, sources, rules, retention periods and rights of the notice, each
// with its clause. Conditions of rules are written in CEL, the Common
// Expression Language, and type-checked when the register loads; a register
// that does not check does not load.
//
// The package is pure but for [Load], which reads the file system it is given.
package register

// Package registers holds the declared registers that come with Andmerada: one
// file <controller>/<effective date>.yaml each ("undated" where the notice bears
// no date), beside the vocabulary of categories that they share.
package registers

import "embed"

// FS is the directory of registers.
//
//go:embed *
var FS embed.FS

// Package profiles holds the jurisdiction profiles that come with Andmerada:
// what the law of a country lets an answer for the person itself say.
package profiles

import "embed"

// FS is the directory of profiles, one file a jurisdiction.
//
//go:embed *.yaml
var FS embed.FS

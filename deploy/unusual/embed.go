// Package unusual holds the rules on unusual access that come with Andmerada.
// What they mean is told by package internal/unusual, which reads them.
package unusual

import _ "embed"

// Rules is the file.
//
//go:embed rules.yaml
var Rules []byte

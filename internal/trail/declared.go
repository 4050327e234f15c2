package trail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/ClickHouse/ch-go/proto"
)

// Declared is something that a version of a register declares.
type Declared struct {
	Controller, Version string
	Kind                string // rule, purpose, recipient or category
	ID, Name            string // the id as rows of the trail have it
	Clauses             []string
}

// WriteDeclared keeps what registers declare, so that whoever asks ClickHouse
// itself, as a dashboard does, can hold the trail against it. What is there
// already is not written again.
func (db *DB) WriteDeclared(ctx context.Context, all []Declared) error {
	if len(all) == 0 {
		return nil
	}
	controller, version, kind := newLowCard(), newLowCard(), newLowCard()
	var id, name proto.ColStr
	clauses := new(proto.ColStr).LowCardinality().Array()
	sum := sha256.New()
	for i := range all {
		d := &all[i]
		controller.Append(d.Controller)
		version.Append(d.Version)
		kind.Append(d.Kind)
		id.Append(d.ID)
		name.Append(d.Name)
		clauses.Append(d.Clauses)
		fmt.Fprintf(sum, "%q", *d) // a hash takes all that it is given
	}
	if err := db.send(ctx, "declared", "declared:"+hex.EncodeToString(sum.Sum(nil)), []column{
		{"controller", controller},
		{"version", version},
		{"kind", kind},
		{"id", &id},
		{"name", &name},
		{"clauses", clauses},
	}); err != nil {
		return fmt.Errorf("keep what the registers declare: %w", err)
	}
	return nil
}

package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// schemas are the writers' schemas that one partition meets. What the registry
// has said before is at hand; for anything else judging stops and waits, so
// that while the registry is away nothing is lost, refused or reordered.
type schemas struct {
	registry *schemaregistry.Client
	met      map[uint32]*event.Schema // since the batch began
	longest  *Limits                  // bounds the wait between tries
	waiting  func(err error)          // told why it waits, and nil when it is over
	log      *slog.Logger
}

// unknownSchema says that the registry must be asked for a schema.
type unknownSchema uint32

// Error says which.
func (id unknownSchema) Error() string {
	return fmt.Sprintf("the schema with id %d is not known yet", uint32(id))
}

// find is what a decoder asks; it never waits.
func (s *schemas) find(id uint32) (*event.Schema, error) {
	if found := s.met[id]; found != nil {
		return found, nil
	}
	found, known, err := s.registry.Kept(id)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, unknownSchema(id)
	}
	s.met[id] = found
	return found, nil
}

// begin forgets what was met, so that a schema that was looked at again counts
// from the next batch on.
func (s *schemas) begin() { clear(s.met) }

// await asks the registry for the schema that a record could not be read
// without, until it answers or ctx ends. That there is no such schema is an
// answer.
func (s *schemas) await(ctx context.Context, unknown error) error {
	var id unknownSchema
	if !errors.As(unknown, &id) {
		return unknown
	}
	wait := newBackoff(s.longest.Backoff)
	waited := false
	for {
		_, err := s.registry.Schema(ctx, uint32(id))
		var fault *event.Fault
		if err == nil || errors.As(err, &fault) {
			if waited {
				s.log.InfoContext(ctx, "the schema registry answers again", slog.Int("schema", int(id)))
				s.waiting(nil)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.waiting(err)
		if !waited {
			s.log.WarnContext(ctx, "the partition waits for the schema registry", slog.Int("schema", int(id)), slog.Any("error", err))
		}
		waited = true
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

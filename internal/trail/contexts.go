package trail

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/andmerada/andmerada/internal/event"
)

// maxContexts bounds how many contexts a process remembers, some hundreds of
// bytes each. Beyond that it forgets all and learns again those in use.
const maxContexts = 1 << 16

// contexts remembers contexts, which never change: what they say, by id, and
// which are surely in the table.
type contexts struct {
	mu     sync.RWMutex
	known  map[ContextID]*Context
	stored map[ContextID]struct{}
}

func newContexts() *contexts {
	return &contexts{known: make(map[ContextID]*Context), stored: make(map[ContextID]struct{})}
}

// missing are those of a block that may not be in the table yet.
func (c *contexts) missing(of []*knownContext) (missing []*knownContext) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, k := range of {
		if _, ok := c.stored[k.id]; !ok {
			missing = append(missing, k)
		}
	}
	return missing
}

// store notes that contexts are in the table.
func (c *contexts) store(these []*knownContext) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.stored)+len(these) > maxContexts {
		clear(c.stored)
	}
	for _, k := range these {
		c.stored[k.id] = struct{}{}
	}
}

func (c *contexts) learn(id ContextID, what *Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxContexts {
		clear(c.known)
	}
	c.known[id] = what
}

// writeContexts puts the contexts of a block into their table, those that this
// process has not put there yet, before the rows that refer to them. Done
// twice, it is done once: the table keeps one of each id. A crash after it
// leaves contexts that no row refers to, which harms nothing.
func (db *DB) writeContexts(ctx context.Context, c *contextColumn) (failure error) {
	missing := db.contexts.missing(c.ids)
	if len(missing) == 0 {
		return nil
	}
	b := newContextBlock()
	for _, k := range missing {
		what, err := parseContext(k.encoded)
		if err != nil {
			return err
		}
		b.append(k.id, what)
	}
	b.stored.fill(len(missing), time.Now())
	for try := 0; try < db.cfg.Tries; try++ {
		if err := db.pause(ctx, try, failure); err != nil {
			return err
		}
		if failure = db.send(ctx, "contexts", "", b.columns); failure == nil {
			db.contexts.store(missing)
			return nil
		}
	}
	return fmt.Errorf("%w: gave up after %d tries to write contexts: %w", ErrUnclear, db.cfg.Tries, failure)
}

// resolve finds the contexts of the rows of a block that was read. The server may
// have sent the ids of many more.
func (db *DB) resolve(ctx context.Context, c *contextColumn) error {
	found := make([]*Context, len(c.index))
	var missing []ContextID
	asked := make(map[ContextID]bool)
	db.contexts.mu.RLock()
	for _, k := range c.keys {
		if found[k] != nil {
			continue
		}
		id := ContextID(c.index[k])
		if found[k] = db.contexts.known[id]; found[k] == nil && !asked[id] {
			asked[id] = true
			missing = append(missing, id)
		}
	}
	db.contexts.mu.RUnlock()
	if len(missing) > 0 {
		read, err := db.readContexts(ctx, missing)
		if err != nil {
			return err
		}
		for _, k := range c.keys {
			if found[k] == nil {
				found[k] = read[c.index[k]]
			}
		}
	}
	c.resolved = found
	return nil
}

// contextsOf finds contexts by their ids, in their order. Those that are not
// known yet are read, once a process.
func (db *DB) contextsOf(ctx context.Context, ids []ContextID) ([]*Context, error) {
	found := make([]*Context, len(ids))
	var missing []ContextID
	asked := make(map[ContextID]bool)
	db.contexts.mu.RLock()
	for i, id := range ids {
		if found[i] = db.contexts.known[id]; found[i] == nil && !asked[id] {
			asked[id] = true
			missing = append(missing, id)
		}
	}
	db.contexts.mu.RUnlock()
	if len(missing) == 0 {
		return found, nil
	}
	read, err := db.readContexts(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if found[i] == nil {
			found[i] = read[id]
		}
	}
	return found, nil
}

// readContexts reads contexts from their table. One that is not there is a fault
// that `andmerada verify` finds, too.
func (db *DB) readContexts(ctx context.Context, ids []ContextID) (map[ContextID]*Context, error) {
	const atOnce = 1000 // of 43 bytes each: a query is bounded to 256 KiB
	read := make(map[ContextID]*Context, len(ids))
	for these := range slices.Chunk(ids, atOnce) {
		var list strings.Builder
		for i, id := range these {
			if i > 0 {
				list.WriteByte(',')
			}
			list.WriteString("unhex('" + hex.EncodeToString(id[:]) + "')") // digits only
		}
		b := newContextBlock()
		err := db.pool.do(ctx, ch.Query{
			Body:   "SELECT " + namesOf(b.columns) + " FROM contexts WHERE id IN (" + list.String() + ") LIMIT 1 BY id",
			Result: resultsOf(b.columns),
			OnResult: func(_ context.Context, block proto.Block) error {
				for i := range block.Rows {
					id, what := b.at(i)
					read[id] = what
					db.contexts.learn(id, what)
				}
				return nil
			},
		})
		if err != nil {
			return nil, fmt.Errorf("read contexts: %w", err)
		}
	}
	for _, id := range ids {
		if read[id] == nil {
			return nil, fmt.Errorf("%w: context %x is not in table contexts", ErrStateUnknown, id)
		}
	}
	return read, nil
}

// contextColumns are the columns of the table contexts that tell of an event,
// other than of its row alone.
var contextColumns = func() map[string]bool {
	all := make(map[string]bool)
	for _, c := range newContextBlock().columns {
		all[c.name] = true
	}
	delete(all, "id")
	delete(all, "stored")
	return all
}()

// contextBlock is rows of the table contexts.
type contextBlock struct {
	id                                            proto.ColFixedStr16
	source                                        *lowCard
	cohort                                        proto.ColBool
	cohortID                                      proto.ColStr
	cohortSize                                    proto.ColUInt64
	cohortPart, cohortParts                       proto.ColUInt32
	actorKind                                     enum8
	actorRole, actorOrganisation, actorOnBehalfOf *lowCard
	purpose                                       *lowCard
	recipient, recipientOrganisation              *lowCard
	recipientCode, recipientCountry               *lowCard
	categories, fields                            *proto.ColArr[string]
	dataSource, basis, channel                    *lowCard
	rules, unknown                                *proto.ColArr[string]
	registerVersion                               *lowCard
	evaluator                                     proto.ColUInt16
	stored                                        millis

	columns []column
}

func newContextBlock() *contextBlock {
	b := new(contextBlock)
	for _, c := range []**lowCard{
		&b.source, &b.actorRole, &b.actorOrganisation, &b.actorOnBehalfOf, &b.purpose, &b.recipient, &b.recipientOrganisation,
		&b.recipientCode, &b.recipientCountry, &b.dataSource, &b.basis, &b.channel, &b.registerVersion,
	} {
		*c = newLowCard()
	}
	for _, c := range []**proto.ColArr[string]{&b.categories, &b.fields, &b.rules, &b.unknown} {
		*c = new(proto.ColStr).LowCardinality().Array()
	}
	b.columns = []column{
		{"id", &b.id},
		{"source", b.source},
		{"cohort", &b.cohort},
		{"cohort_id", &b.cohortID},
		{"cohort_size", &b.cohortSize},
		{"cohort_part", &b.cohortPart},
		{"cohort_parts", &b.cohortParts},
		{"actor_kind", &b.actorKind},
		{"actor_role", b.actorRole},
		{"actor_organisation", b.actorOrganisation},
		{"actor_on_behalf_of", b.actorOnBehalfOf},
		{"purpose", b.purpose},
		{"recipient", b.recipient},
		{"recipient_organisation", b.recipientOrganisation},
		{"recipient_code", b.recipientCode},
		{"recipient_country", b.recipientCountry},
		{"categories", b.categories},
		{"fields", b.fields},
		{"data_source", b.dataSource},
		{"basis", b.basis},
		{"channel", b.channel},
		{"rules", b.rules},
		{"unknown", b.unknown},
		{"register_version", b.registerVersion},
		{"evaluator", &b.evaluator},
		{"stored", &b.stored},
	}
	return b
}

func (b *contextBlock) append(id ContextID, c *Context) {
	b.id.Append(id)
	b.source.Append(c.Source)
	b.cohort.Append(c.Cohort)
	b.cohortID.Append(c.CohortID)
	b.cohortSize.Append(c.CohortSize)
	b.cohortPart.Append(c.CohortPart)
	b.cohortParts.Append(c.CohortParts)
	b.actorKind.Append(proto.Enum8(c.ActorKind))
	b.actorRole.Append(c.ActorRole)
	b.actorOrganisation.Append(c.ActorOrganisation)
	b.actorOnBehalfOf.Append(c.ActorOnBehalfOf)
	b.purpose.Append(c.Purpose)
	b.recipient.Append(c.Recipient)
	b.recipientOrganisation.Append(c.RecipientOrganisation)
	b.recipientCode.Append(c.RecipientCode)
	b.recipientCountry.Append(c.RecipientCountry)
	b.categories.Append(c.Categories)
	b.fields.Append(c.Fields)
	b.dataSource.Append(c.DataSource)
	b.basis.Append(c.Basis)
	b.channel.Append(c.Channel)
	b.rules.Append(c.Rules)
	b.unknown.Append(c.Unknown)
	b.registerVersion.Append(c.RegisterVersion)
	b.evaluator.Append(c.Evaluator)
}

func (b *contextBlock) at(i int) (ContextID, *Context) {
	return b.id[i], &Context{
		Source:                b.source.Row(i),
		Cohort:                b.cohort[i],
		CohortID:              b.cohortID.Row(i),
		CohortSize:            b.cohortSize[i],
		CohortPart:            b.cohortPart[i],
		CohortParts:           b.cohortParts[i],
		ActorKind:             event.ActorKind(b.actorKind.Row(i)),
		ActorRole:             b.actorRole.Row(i),
		ActorOrganisation:     b.actorOrganisation.Row(i),
		ActorOnBehalfOf:       b.actorOnBehalfOf.Row(i),
		Purpose:               b.purpose.Row(i),
		Recipient:             b.recipient.Row(i),
		RecipientOrganisation: b.recipientOrganisation.Row(i),
		RecipientCode:         b.recipientCode.Row(i),
		RecipientCountry:      b.recipientCountry.Row(i),
		Categories:            listOf(b.categories, i),
		Fields:                listOf(b.fields, i),
		DataSource:            b.dataSource.Row(i),
		Basis:                 b.basis.Row(i),
		Channel:               b.channel.Row(i),
		Rules:                 listOf(b.rules, i),
		Unknown:               listOf(b.unknown, i),
		RegisterVersion:       b.registerVersion.Row(i),
		Evaluator:             b.evaluator[i],
	}
}

// listOf is list i, nil if it is empty.
func listOf(c *proto.ColArr[string], i int) []string {
	if list := c.Row(i); len(list) > 0 {
		return list
	}
	return nil
}

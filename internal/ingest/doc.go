// Package ingest takes events from Kafka into the trail: it reads each
// partition in order, decodes, resolves persons to pseudonyms, recalls the
// facts of the time, judges, and writes what a contiguous range of offsets
// became as one block, once.
//
// # Delivery
//
// Where to go on is the trail's to say (its journal and tables), never Kafka's
// committed offset alone. Each offset ends as rows of the trail, a row of the
// quarantine, or part of a recorded gap. Offsets are committed after the
// trail has acknowledged them, through the generation of the consumer group
// that delivered them, and never backwards.
//
// # Stages
//
// A partition has three stages that work at the same time: fetch (fetch.go),
// judge (judge.go, batch.go) and write (partition.go). Each hands on at most
// one piece, so that memory is bounded and, where ClickHouse is away, fetching
// stops by itself while the group's membership goes on.
//
// Whatever fails, a partition begins anew by asking the trail for its
// position: there is no other way to recover, and none after a crash.
package ingest

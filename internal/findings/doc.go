// Package findings tells other systems what the trail has found: each violation
// and each review, as a CloudEvent to a Kafka topic or a webhook, so that they
// can act.
//
// It follows the trail rather than standing in ingest's way, from a position of
// its own that is kept in ClickHouse. A crash between telling and noting the
// position tells again, under the same id: at least once, and told apart by id.
package findings

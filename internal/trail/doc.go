// Package trail keeps the judged events in ClickHouse, and is the only package
// that knows ClickHouse: its schema and migrations, the writer that loses
// nothing and writes nothing twice, the oracle that proves it, and the queries.
//
// # Tables
//
// The trail has one row for each event and person, in order of arrival
// (topic, partition, offset); the projection by_person holds the same in each
// person's own order, the projection matrix counts by day, the projection
// identities lists which pseudonyms are one person's. Beside it stand the members
// of cohorts, the quarantine for what could not be understood, the
// recorded gaps, and the journal. Measured on 20 million rows against ten
// other layouts, this one answers for a person in tens of milliseconds at
// about 84 bytes a row, and costs some 13 microseconds of CPU a row with all
// merges.
//
// # Writing
//
// [DB.Insert] writes a contiguous range of offsets of one Kafka partition,
// once; [DB.Position] says where to go on; [DB.Verify] states the oracle over
// both: every offset is exactly one of rows in the trail, a row in the
// quarantine, or part of a recorded gap.
package trail

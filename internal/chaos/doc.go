// Package chaos holds the tests that break things while the real program runs
// on real servers: `andmerada ingest` as processes of their own, Apache Kafka,
// ClickHouse, and a proxy in between that does harm. docs/reliability.md lists
// the faults, what is promised for each, and its test.
//
// Tests that take long, or need three brokers, are behind the build tag chaos;
// `make chaos` runs all, with three brokers, `make test` the short ones, with
// one.
package chaos

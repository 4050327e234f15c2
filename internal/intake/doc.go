// Package intake takes events over HTTP from source systems that have no Kafka
// client (CloudEvents 1.0, HTTP protocol binding: binary, structured and batched
// mode) and writes them to Kafka as a source would. It answers when Kafka has
// acknowledged. What ingest would put into quarantine is refused at once, with
// what is wrong and how to mend it (RFC 9457).
//
// A post may be repeated as often as need be: an event that is known by source
// and id is not written again. Tokens and certificates say which source may write
// what. No identifier of a person is in an error, a log line or a metric.
package intake

-- Which records of the quarantine were sent to the event topic again: a row
-- before a record is sent, and one after Kafka has acknowledged it. The copy
-- is known by the hash of its bytes, which name the place that it is of, so
-- that a copy that comes back to the quarantine is not taken for a new record.
CREATE TABLE IF NOT EXISTS quarantine_replay
(
    topic        LowCardinality(String) CODEC(ZSTD(1)),
    partition    UInt32 CODEC(ZSTD(1)),
    offset       UInt64 CODEC(Delta, ZSTD(1)),
    attempt      UInt32 CODEC(ZSTD(1)),
    acknowledged Bool CODEC(ZSTD(1)),
    copy_hash    FixedString(16) CODEC(NONE),
    replayed_at  DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (topic, partition, offset, attempt, acknowledged)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

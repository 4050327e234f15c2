-- Breach traces that were frozen under a name: what was asked, and who was found
-- to be affected, so that the same persons can be notified, counted and compared
-- later, whatever has arrived since.
CREATE TABLE IF NOT EXISTS cases
(
    case_id    String CODEC(ZSTD(1)),
    controller LowCardinality(String) CODEC(ZSTD(1)),
    name       String CODEC(ZSTD(1)),
    request    String CODEC(ZSTD(1)),
    answer     String CODEC(ZSTD(1)),
    persons    UInt64 CODEC(ZSTD(1)),
    aware_at   DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    frozen_at  DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (controller, frozen_at, case_id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- The persons of a case, by their pseudonyms, with what of theirs was affected.
-- They are there before the case is.
CREATE TABLE IF NOT EXISTS case_persons
(
    case_id    String CODEC(ZSTD(1)),
    person     FixedString(16) CODEC(ZSTD(1)),
    first      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    last       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    events     UInt64 CODEC(T64, ZSTD(1)),
    categories Array(LowCardinality(String)) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (case_id, person)
SETTINGS
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

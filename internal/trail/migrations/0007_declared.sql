-- What each version of a register declares, for whoever asks here itself, as
-- dashboards do: the clauses of a rule, and the purposes, recipients and
-- categories that are declared under the ids that the trail's rows have.
CREATE TABLE IF NOT EXISTS declared
(
    controller LowCardinality(String) CODEC(ZSTD(1)),
    version    LowCardinality(String) CODEC(ZSTD(1)),
    kind       LowCardinality(String) CODEC(ZSTD(1)),
    id         String CODEC(ZSTD(1)),
    name       String CODEC(ZSTD(1)),
    clauses    Array(LowCardinality(String)) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (controller, version, kind, id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)';

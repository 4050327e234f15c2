-- How far those have come that follow the trail, to judge again or to tell
-- findings, and who does. What is here
-- saves work and holds nothing else: without it all is looked at again, and
-- nothing is written that is there already.

-- Up to which offset a task has looked at a partition. Positions only grow.
-- Tasks: "facts", and one for each state of a controller's registers.
CREATE TABLE IF NOT EXISTS rejudge_position
(
    task      LowCardinality(String) CODEC(ZSTD(1)),
    topic     LowCardinality(String) CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    next      UInt64 CODEC(Delta, ZSTD(1)),
    saved_at  DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (task, topic, partition, next)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Under which registers a controller's events were looked at, one after the
-- other: the newest generation holds.
CREATE TABLE IF NOT EXISTS rejudge_registers
(
    controller  LowCardinality(String) CODEC(ZSTD(1)),
    generation  UInt32 CODEC(Delta, ZSTD(1)),
    fingerprint String CODEC(ZSTD(1)),
    since       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (controller, generation)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Which process may work at a task, and until when. A row is written under a token that
-- names the row before it, so that of several that want to follow upon the
-- same one only one is taken.
CREATE TABLE IF NOT EXISTS rejudge_lease
(
    task   LowCardinality(String) CODEC(ZSTD(1)),
    turn   UInt64 CODEC(Delta, ZSTD(1)),
    holder UInt64 CODEC(ZSTD(1)),
    until  DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (task, turn)
TTL toDateTime(until) + INTERVAL 30 DAY
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- The trail and what belongs to it. Every statement can be run again without
-- harm: two processes may start together, and one may die half way.
--
-- Each table partition is a quarter of `stored`, the date that the journal
-- fixes for a range of offsets, never the time in the event: event times come
-- from outside and may say 1970 or 2200, and one insert must fall into one
-- partition of the table to be one commit.

-- What many events have in common: by whose system, in which role, for what,
-- for whom, on what ground, and by which rules it was judged. Each is kept once,
-- under the hash of what it says (internal/trail/context.go), so that the
-- same one written by several processes is one. Rows of the trail refer to it.
CREATE TABLE IF NOT EXISTS contexts
(
    id                     FixedString(16) CODEC(NONE),
    source                 LowCardinality(String) CODEC(ZSTD(1)),
    cohort                 Bool CODEC(ZSTD(1)),
    cohort_id              String CODEC(ZSTD(1)),
    cohort_size            UInt64 CODEC(ZSTD(1)),
    cohort_part            UInt32 CODEC(ZSTD(1)),
    cohort_parts           UInt32 CODEC(ZSTD(1)),
    actor_kind             Enum8('unstated' = 0, 'human' = 1, 'service' = 2, 'partner' = 3) CODEC(ZSTD(1)),
    actor_role             LowCardinality(String) CODEC(ZSTD(1)),
    actor_organisation     LowCardinality(String) CODEC(ZSTD(1)),
    actor_on_behalf_of     LowCardinality(String) CODEC(ZSTD(1)),
    purpose                LowCardinality(String) CODEC(ZSTD(1)),
    recipient              LowCardinality(String) CODEC(ZSTD(1)),
    recipient_organisation LowCardinality(String) CODEC(ZSTD(1)),
    recipient_code         LowCardinality(String) CODEC(ZSTD(1)),
    recipient_country      LowCardinality(String) CODEC(ZSTD(1)),
    categories             Array(LowCardinality(String)) CODEC(ZSTD(1)),
    fields                 Array(LowCardinality(String)) CODEC(ZSTD(1)),
    data_source            LowCardinality(String) CODEC(ZSTD(1)),
    basis                  LowCardinality(String) CODEC(ZSTD(1)),
    channel                LowCardinality(String) CODEC(ZSTD(1)),
    rules                  Array(LowCardinality(String)) CODEC(ZSTD(1)),
    unknown                Array(LowCardinality(String)) CODEC(ZSTD(1)),
    register_version       LowCardinality(String) CODEC(ZSTD(1)),
    evaluator              UInt16 CODEC(ZSTD(1)),
    stored                 DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY id
SETTINGS
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- One row = one event x one person, in order of arrival. By person by way of
-- the projection by_person, by time by way of the index on time, counts a day
-- by way of the projection matrix. Both projections commit with the part.
CREATE TABLE IF NOT EXISTS trail
(
    event_id               String CODEC(ZSTD(1)),
    operation              Enum8('access' = 1, 'use' = 2, 'profile' = 3, 'decide' = 4, 'combine' = 5, 'collect' = 6, 'record' = 7, 'send' = 8, 'transfer' = 9, 'disclose' = 10, 'retain' = 11, 'erase' = 12, 'rectify' = 13, 'restrict' = 14, 'fact' = 100, 'cohort' = 101) CODEC(ZSTD(1)),
    time                   DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded               DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    stored                 DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    controller             LowCardinality(String) CODEC(ZSTD(1)),
    person                 FixedString(16) CODEC(ZSTD(1)),
    person_index           UInt16 CODEC(ZSTD(1)),
    of                     UInt16 CODEC(ZSTD(1)),
    actor                  LowCardinality(String) CODEC(ZSTD(1)),
    context                LowCardinality(FixedString(16)) CODEC(ZSTD(1)),
    records                UInt64 CODEC(T64, ZSTD(1)),
    basis_reference        String CODEC(ZSTD(1)),
    reason                 String CODEC(ZSTD(1)),
    statements             String CODEC(ZSTD(1)),
    fact                   LowCardinality(String) CODEC(ZSTD(1)),
    fact_value             String CODEC(ZSTD(1)),
    fact_valid_from        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    sequence               UInt64 CODEC(Delta, ZSTD(1)),
    trace_id               FixedString(16) CODEC(ZSTD(1)),
    span                   FixedString(8) CODEC(ZSTD(1)),
    body_hash              FixedString(16) CODEC(NONE),
    duplicate              Bool CODEC(ZSTD(1)),
    verdict                Enum8('none' = 0, 'allowed' = 1, 'review' = 2, 'violation' = 3) CODEC(ZSTD(1)),
    judged_at              DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    cause                  LowCardinality(String) CODEC(ZSTD(1)),
    topic                  LowCardinality(String) CODEC(ZSTD(1)),
    partition              UInt32 CODEC(ZSTD(1)),
    offset                 UInt64 CODEC(DoubleDelta, ZSTD(1)),

    INDEX by_time time TYPE minmax GRANULARITY 1,

    -- What a person's answer and timeline need, in the person's own order. A
    -- query for a column that is not here reads the whole table. 1024 rows to
    -- the granule, or this projection draws the time-window queries to itself.
    PROJECTION by_person
    (
        SELECT
            time, operation, person, person_index, of, controller, actor, context,
            records, basis_reference, reason, fact, fact_value, fact_valid_from,
            duplicate, verdict, judged_at, cause, topic, partition, offset
        ORDER BY person, time
    ) WITH SETTINGS (index_granularity = 1024),

    -- What was done, day by day: the drift from the register, the recipients'
    -- year, the verdicts a day. Written as toDate(time), or it is not used.
    PROJECTION matrix
    (
        SELECT
            toDate(time) AS day, controller, operation, verdict, context, duplicate, cause,
            min(time), max(time), count()
        GROUP BY
            day, controller, operation, verdict, context, duplicate, cause
    )
)
ENGINE = MergeTree
PARTITION BY toStartOfQuarter(stored)
ORDER BY (topic, partition, offset)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    lightweight_mutation_projection_mode = 'rebuild',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- The trail with its contexts in place, for questions by hand and dashboards.
CREATE VIEW IF NOT EXISTS trail_rows AS
SELECT
    t.event_id AS event_id, c.source AS source, t.operation AS operation,
    t.time AS time, t.recorded AS recorded, t.stored AS stored,
    t.controller AS controller, t.person AS person, t.person_index AS person_index, t.of AS of,
    c.cohort AS cohort, c.cohort_id AS cohort_id, c.cohort_size AS cohort_size, c.cohort_part AS cohort_part, c.cohort_parts AS cohort_parts,
    t.actor AS actor, c.actor_kind AS actor_kind, c.actor_role AS actor_role,
    c.actor_organisation AS actor_organisation, c.actor_on_behalf_of AS actor_on_behalf_of,
    c.purpose AS purpose, c.recipient AS recipient, c.recipient_organisation AS recipient_organisation,
    c.recipient_code AS recipient_code, c.recipient_country AS recipient_country,
    c.categories AS categories, c.fields AS fields, t.records AS records, c.data_source AS data_source,
    c.basis AS basis, t.basis_reference AS basis_reference, t.reason AS reason, c.channel AS channel, t.statements AS statements,
    t.fact AS fact, t.fact_value AS fact_value, t.fact_valid_from AS fact_valid_from,
    t.sequence AS sequence, t.trace_id AS trace_id, t.span AS span, t.body_hash AS body_hash, t.duplicate AS duplicate,
    t.verdict AS verdict, c.rules AS rules, c.unknown AS unknown, c.register_version AS register_version, c.evaluator AS evaluator,
    t.judged_at AS judged_at, t.cause AS cause,
    t.topic AS topic, t.partition AS partition, t.offset AS offset
FROM trail AS t
ANY LEFT JOIN contexts AS c ON t.context = c.id;

-- Who belongs to a cohort: one short row a member, in order of arrival.
CREATE TABLE IF NOT EXISTS cohort_members
(
    controller LowCardinality(String) CODEC(ZSTD(1)),
    cohort_id  LowCardinality(String) CODEC(ZSTD(1)),
    person     FixedString(16) CODEC(ZSTD(1)),
    part       UInt32 CODEC(ZSTD(1)),
    topic      LowCardinality(String) CODEC(ZSTD(1)),
    partition  UInt32 CODEC(ZSTD(1)),
    offset     UInt64 CODEC(DoubleDelta, ZSTD(1)),
    stored     DateTime64(3, 'UTC') CODEC(ZSTD(1)),

    INDEX by_cohort cohort_id TYPE set(100) GRANULARITY 1,

    PROJECTION by_person
    (
        SELECT controller, cohort_id, person, part, topic, partition, offset, stored
        ORDER BY person
    ) WITH SETTINGS (index_granularity = 1024)
)
ENGINE = MergeTree
PARTITION BY toStartOfQuarter(stored)
ORDER BY (topic, partition, offset)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    lightweight_mutation_projection_mode = 'rebuild',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- What could not be read or understood: whole, sealed, and why.
CREATE TABLE IF NOT EXISTS quarantine
(
    topic      LowCardinality(String) CODEC(ZSTD(1)),
    partition  UInt32 CODEC(ZSTD(1)),
    offset     UInt64 CODEC(DoubleDelta, ZSTD(1)),
    recorded   DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    stored     DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    reason     LowCardinality(String) CODEC(ZSTD(1)),
    pointer    String CODEC(ZSTD(1)),
    detail     String CODEC(ZSTD(1)),
    source     LowCardinality(String) CODEC(ZSTD(1)),
    event_hash FixedString(16) CODEC(NONE),
    body_hash  FixedString(16) CODEC(NONE),
    sealed     String CODEC(NONE),
    size       UInt32 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toStartOfQuarter(stored)
ORDER BY (topic, partition, offset)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Offsets that hold no event, or none any more: from first to last, both
-- included.
CREATE TABLE IF NOT EXISTS gaps
(
    topic     LowCardinality(String) CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    first     UInt64 CODEC(Delta, ZSTD(1)),
    last      UInt64 CODEC(Delta, ZSTD(1)),
    reason    LowCardinality(String) CODEC(ZSTD(1)),
    noticed   DateTime64(3, 'UTC') CODEC(ZSTD(1)),

    INDEX by_last last TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toStartOfQuarter(noticed)
ORDER BY (topic, partition, first)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- What is about to be written: a row goes in, and is safely there, before
-- anything else of its range. Nothing here is ever changed or removed.
CREATE TABLE IF NOT EXISTS journal
(
    topic           LowCardinality(String) CODEC(ZSTD(1)),
    partition       UInt32 CODEC(ZSTD(1)),
    first           UInt64 CODEC(Delta, ZSTD(1)),
    last            UInt64 CODEC(Delta, ZSTD(1)),
    attempt         UInt32 CODEC(ZSTD(1)),
    stored          DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trail_rows      UInt64 CODEC(ZSTD(1)),
    quarantine_rows UInt64 CODEC(ZSTD(1)),
    member_rows     UInt64 CODEC(ZSTD(1)),
    gap_rows        UInt64 CODEC(ZSTD(1)),
    body_hash       FixedString(16) CODEC(NONE),
    withdrawn       Bool CODEC(ZSTD(1)),
    writer          UInt64 CODEC(NONE),
    written_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),

    INDEX by_last last TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (topic, partition, first, attempt)
SETTINGS
    non_replicated_deduplication_window = 1000,
    default_compression_codec = 'ZSTD(1)',
    fsync_after_insert = 1,
    fsync_part_directory = 1;

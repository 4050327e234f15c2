-- The other side of the comparison, as fast as it was found to go: the value of
-- each message as one string, and all fields taken out of it at once for a whole
-- block. (With a column for each field in the table of the engine Kafka it needs
-- twice to five times as long.)
CREATE TABLE {database}.topic (raw String)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '{broker}',
    kafka_topic_list = '{topic}',
    kafka_group_name = '{group}',
    kafka_format = 'JSONAsString',
    kafka_num_consumers = {consumers},
    kafka_thread_per_consumer = 1,
    -- As many rows a block as ingest has, and hardly any waiting at the topic's end.
    kafka_max_block_size = {block},
    kafka_poll_max_batch_size = {block},
    kafka_poll_timeout_ms = 20,
    kafka_flush_interval_ms = 2000,
    date_time_input_format = 'best_effort';

CREATE MATERIALIZED VIEW {database}.by_engine TO {database}.trail AS
SELECT
    e.id AS event_id,
    e.source AS source,
    multiIf(startsWith(e.type, 'ee.andmerada.fact.'), 'fact', e.type = 'ee.andmerada.cohort.v1', 'cohort', splitByChar('.', e.type)[3])
        ::Enum8('access' = 1, 'use' = 2, 'profile' = 3, 'decide' = 4, 'combine' = 5, 'collect' = 6, 'record' = 7, 'send' = 8, 'transfer' = 9, 'disclose' = 10, 'retain' = 11, 'erase' = 12, 'rectify' = 13, 'restrict' = 14, 'fact' = 100, 'cohort' = 101) AS operation,
    e.time AS time,
    _timestamp_ms AS recorded,
    now64(3, 'UTC') AS stored,
    e.data.controller AS controller,
    -- No key, but the same size: a person by its identifier.
    toFixedString(substring(SHA256(if(e.data.person = '', e.data.cohort.id, e.data.person)), 1, 16), 16) AS person,
    0 AS person_index,
    1 AS of,
    e.data.cohort.id != '' AS cohort,
    e.data.cohort.id AS cohort_id,
    e.data.cohort.size AS cohort_size,
    e.data.cohort.part AS cohort_part,
    e.data.cohort.parts AS cohort_parts,
    if(e.data.about.actor != '', e.data.about.actor, e.data.actor.id) AS actor,
    if(e.data.actor.kind = '', 'unstated', toString(e.data.actor.kind))::Enum8('unstated' = 0, 'human' = 1, 'service' = 2, 'partner' = 3) AS actor_kind,
    e.data.actor.role AS actor_role,
    e.data.actor.organisation AS actor_organisation,
    e.data.actor.on_behalf_of AS actor_on_behalf_of,
    e.data.purpose AS purpose,
    if(e.data.about.recipient != '', e.data.about.recipient, e.data.recipient.id) AS recipient,
    e.data.recipient.organisation AS recipient_organisation,
    e.data.recipient.code AS recipient_code,
    e.data.recipient.country AS recipient_country,
    e.data.categories AS categories,
    e.data.fields AS fields,
    e.data.records AS records,
    e.data.data_source AS data_source,
    e.data.basis.kind AS basis,
    e.data.basis.reference AS basis_reference,
    e.data.reason AS reason,
    e.data.channel AS channel,
    e.data.statements AS statements,
    if(startsWith(e.type, 'ee.andmerada.fact.'), replaceAll(splitByChar('.', e.type)[4], '-', '_'), '') AS fact,
    e.data.value AS fact_value,
    e.data.valid_from AS fact_valid_from,
    e.sequence AS sequence,
    toFixedString(unhex(substring(e.traceparent, 4, 32)), 16) AS trace_id,
    toFixedString(unhex(substring(e.traceparent, 37, 16)), 8) AS span,
    -- The engine does not give the bytes beside the fields: as many, as random.
    reinterpretAsFixedString(sipHash128(_partition, _offset)) AS body_hash,
    0 AS duplicate,
    'none'::Enum8('none' = 0, 'allowed' = 1, 'review' = 2, 'violation' = 3) AS verdict,
    CAST([], 'Array(LowCardinality(String))') AS rules,
    CAST([], 'Array(LowCardinality(String))') AS unknown,
    '' AS register_version,
    0 AS evaluator,
    stored AS judged_at,
    '' AS cause,
    _topic AS topic,
    toUInt32(_partition) AS partition,
    _offset AS offset
FROM
(
    SELECT _topic, _partition, _offset, _timestamp_ms, JSONExtract(raw, 'Tuple(
        id String,
        source String,
        type String,
        time DateTime64(3, \'UTC\'),
        sequence UInt64,
        traceparent String,
        data Tuple(
            controller String,
            person String,
            cohort Tuple(id String, size UInt64, part UInt32, parts UInt32),
            actor Tuple(id String, kind String, role String, organisation String, on_behalf_of String),
            purpose String,
            categories Array(String),
            fields Array(String),
            records UInt64,
            recipient Tuple(id String, organisation String, code String, country String),
            data_source String,
            basis Tuple(kind String, reference String),
            reason String,
            channel String,
            statements String,
            value String,
            valid_from DateTime64(3, \'UTC\'),
            about Tuple(actor String, recipient String)))') AS e
    FROM {database}.topic
);

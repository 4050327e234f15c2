-- Where the facts lie that name a person as the same as another: by person, as
-- questions about many persons look for them. All other rows of a part are one
-- row here. Written as in internal/trail/query_identities.go, or it is not used.
ALTER TABLE trail ADD PROJECTION IF NOT EXISTS identities
(
    SELECT
        controller,
        if(fact = 'identity' AND NOT duplicate, person, toFixedString('', 16)) AS whom,
        if(fact = 'identity' AND NOT duplicate, topic, '') AS in_topic,
        if(fact = 'identity' AND NOT duplicate, partition, 0) AS in_partition,
        if(fact = 'identity' AND NOT duplicate, offset, 0) AS at_offset,
        min(judged_at)
    GROUP BY
        controller, whom, in_topic, in_partition, at_offset
);
-- For what is there already, part by part, while the trail is in use.
ALTER TABLE trail MATERIALIZE PROJECTION IF EXISTS identities;

    PROJECTION by_person
    (
        SELECT
            time, operation, person, person_index, of, controller, source,
            cohort, cohort_id, cohort_size, cohort_part, cohort_parts,
            actor, actor_kind, actor_role, actor_organisation, actor_on_behalf_of,
            purpose, recipient, recipient_organisation, recipient_code, recipient_country,
            categories, fields, records, data_source, basis, basis_reference, reason, channel,
            fact, fact_value, fact_valid_from, duplicate,
            verdict, rules, unknown, register_version, evaluator, judged_at, cause,
            topic, partition, offset
        ORDER BY person, time
    ) WITH SETTINGS (index_granularity = 1024),

    PROJECTION matrix
    (
        SELECT
            toDate(time) AS day, controller, operation, purpose,
            recipient, recipient_organisation, categories, verdict, duplicate, cause,
            min(time), max(time), count()
        GROUP BY
            day, controller, operation, purpose,
            recipient, recipient_organisation, categories, verdict, duplicate, cause
    ),

    PROJECTION identities
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
    )

-- How a case follows from its upload, as before, in a form whose plan stays small: what the language
-- is was a join, and of a table of one row, which is never analysed, the planner expects thousands.
-- It then read the whole ledger to end one upload.
CREATE OR REPLACE VIEW derived_cases AS
SELECT u.id AS upload_id, u.platform, u.external_id, u.image_sha256, u.ruleset, u.version,
       u.state, u.outcome, u.verdict, coalesce(r.severity, 0::smallint) AS severity,
       (4 - coalesce(r.severity, 0)) * 10000000000000000
           + (extract(epoch FROM u.received_at) * 1000000)::bigint AS rank,
       coalesce(r.rules, '{}') AS rules, a.model, u.received_at, u.finished_at,
       ARRAY(SELECT 'rule:' || worst.rule || ':' || level
               FROM (SELECT found ->> 'rule' AS rule, max((found -> 'severity')::smallint) AS severity
                       FROM jsonb_path_query(r.description, '$.findings[*]') AS found
                      GROUP BY 1) AS worst,
                    generate_series(1, worst.severity) AS level
              UNION ALL
             SELECT DISTINCT 'category:' || k.category
               FROM rule_categories AS k
              WHERE (k.ruleset, k.version) = (u.ruleset, u.version)
                AND k.rule = ANY (r.rules)) AS tags,
       to_tsvector((SELECT language FROM search_settings),
           left(concat_ws(' ', r.description ->> 'summary',
           (SELECT string_agg(text #>> '{}', ' ')
              FROM jsonb_path_query(r.description, '$.findings[*].rationale') AS text)),
           100000)) AS words
  FROM uploads AS u
  LEFT JOIN records AS r ON r.upload_id = u.id
  LEFT JOIN uploads AS o ON o.id = u.reused_from
  LEFT JOIN attempts AS a ON a.upload_id = coalesce(o.id, u.id)
                         AND a.attempt = coalesce(o.attempt, u.attempt)
 WHERE u.state IN ('done', 'failed');

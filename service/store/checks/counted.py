"""What is kept beside the uploads for those who ask: cases, their words and their counts."""

from typing import Final

from service.store.checks import Check

_CASES = """
    SELECT coalesce(u.id, c.upload_id)::text AS subject,
           CASE WHEN u.id IS NULL THEN 'it has a case and has not ended'
                ELSE 'it has ended and has no case' END AS detail
      FROM (SELECT id FROM uploads WHERE state IN ('done', 'failed')) AS u
      FULL JOIN cases AS c ON c.upload_id = u.id
     WHERE u.id IS NULL OR c.upload_id IS NULL
"""
# A reused upload was asked of the model that its leader was.
_CASES_AGREE = """
    SELECT c.upload_id::text AS subject, 'its case is not as its upload and record are' AS detail
      FROM cases AS c
      JOIN uploads AS u ON u.id = c.upload_id
      LEFT JOIN records AS r ON r.upload_id = u.id
      LEFT JOIN uploads AS l ON l.id = u.reused_from
      LEFT JOIN attempts AS a ON (a.upload_id, a.attempt)
                               = (coalesce(l.id, u.id), coalesce(l.attempt, u.attempt))
     WHERE (c.platform, c.external_id, c.image_sha256, c.ruleset, c.version, c.state, c.outcome,
            c.verdict, c.received_at, c.finished_at, c.severity, c.rules, c.model, c.rank)
           IS DISTINCT FROM
           (u.platform, u.external_id, u.image_sha256, u.ruleset, u.version, u.state, u.outcome,
            u.verdict, u.received_at, u.finished_at, coalesce(r.severity, 0::smallint),
            coalesce(r.rules, '{}'), a.model,
            (4 - coalesce(r.severity, 0)) * 10000000000000000
                + (extract(epoch FROM u.received_at) * 1000000)::bigint)
"""
_CASES_DECIDED = """
    SELECT c.upload_id::text AS subject,
           format('its case says %s, and it was decided %s', coalesce(c.decision, 'nothing'),
                  coalesce(d.decision, 'never')) AS detail
      FROM cases AS c
      LEFT JOIN (SELECT DISTINCT ON (upload_id) upload_id, decision, decided_at
                   FROM decisions WHERE applied_at IS NOT NULL
                  ORDER BY upload_id, applied_at DESC, effective_at DESC) AS d USING (upload_id)
     WHERE (c.decision, c.decided_at) IS DISTINCT FROM (d.decision, d.decided_at)
"""
_WORDS = """
    SELECT coalesce(c.upload_id, w.upload_id)::text AS subject,
           CASE WHEN c.upload_id IS NULL THEN 'its words are kept without a case'
                ELSE 'its case has no words' END AS detail
      FROM cases AS c FULL JOIN case_words AS w USING (upload_id)
     WHERE c.upload_id IS NULL OR w.upload_id IS NULL
"""
_COUNTS = """
    SELECT concat_ws(' ', day, platform, ruleset, version, state, outcome, verdict, model)
               AS subject,
           format('the count is off by %s', sum(cases)) AS detail
      FROM (SELECT * FROM case_counts
             UNION ALL
            SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, state,
                   outcome, verdict, model, -count(*)
              FROM cases GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) AS counted
     GROUP BY day, platform, ruleset, version, state, outcome, verdict, model
    HAVING sum(cases) <> 0
"""
_RULE_COUNTS = """
    SELECT concat_ws(' ', day, platform, ruleset, version, rule) AS subject,
           format('the count is off by %s', sum(cases)) AS detail
      FROM (SELECT * FROM rule_counts
             UNION ALL
            SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, rule,
                   -count(*)
              FROM cases, unnest(rules) AS rule GROUP BY 1, 2, 3, 4, 5) AS counted
     GROUP BY day, platform, ruleset, version, rule
    HAVING sum(cases) <> 0
"""

CHECKS: Final = (
    Check("cases", "C", "every upload that has ended, and no other, has a case", _CASES),
    Check("cases_agree", "C", "a case is as its upload and record are", _CASES_AGREE),
    Check("cases_decided", "C", "a case has the last decision that took effect", _CASES_DECIDED),
    Check("words", "C", "every case has its words", _WORDS),
    Check("counts", "C", "the counts of cases equal a recount", _COUNTS),
    Check("rule_counts", "C", "the counts of rules equal a recount", _RULE_COUNTS),
)

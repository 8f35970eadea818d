"""What platforms are told: once, the truth, and at every endpoint that wants it."""

from typing import Final

from service.store.checks import Check
from service.store.platforms import GOLDEN

_TOLD_ONCE = f"""
    SELECT u.id::text AS subject,
           format('it is %s and has %s callbacks of its end', u.state, count(c.id)) AS detail
      FROM uploads AS u
      LEFT JOIN callbacks AS c ON c.upload_id = u.id
                              AND c.type IN ('upload.described', 'upload.failed')
     WHERE u.state IN ('done', 'failed') AND u.platform <> '{GOLDEN}'
     GROUP BY u.id
    HAVING count(c.id) <> 1
"""  # noqa: S608  # constants of ours
_NOT_EARLY = f"""
    SELECT u.id::text AS subject,
           format('%s tells of it, and it is %s of %s', c.type, u.state, u.platform) AS detail
      FROM callbacks AS c JOIN uploads AS u ON u.id = c.upload_id
     WHERE u.state IN ('queued', 'working') OR u.platform = '{GOLDEN}'
"""  # noqa: S608  # constants of ours
# What was told at the end is what the machine said, whatever a person decided later.
_BODY_AGREES = """
    SELECT c.id::text AS subject, format('it tells otherwise of upload %s', u.id) AS detail
      FROM callbacks AS c
      JOIN uploads AS u ON u.id = c.upload_id
      LEFT JOIN records AS r ON r.upload_id = u.id
     CROSS JOIN LATERAL (SELECT convert_from(c.body, 'UTF8')::jsonb AS body OFFSET 0) AS told
     CROSS JOIN LATERAL (SELECT told.body -> 'data' AS data OFFSET 0) AS its
     WHERE c.type IN ('upload.described', 'upload.failed') AND u.state IN ('done', 'failed')
       AND ((told.body ->> 'type', data ->> 'id', data ->> 'platform', data ->> 'external_id',
             data #>> '{ruleset,name}', data #>> '{ruleset,version}', data ->> 'state',
             data ->> 'outcome', data ->> 'verdict', data ->> 'severity', data -> 'rules')
            IS DISTINCT FROM
            (CASE u.state WHEN 'done' THEN 'upload.described' ELSE 'upload.failed' END,
             u.id::text, u.platform, u.external_id, u.ruleset, u.version::text, u.state,
             u.outcome, coalesce(u.machine_verdict, u.verdict),
             coalesce(r.severity, 0)::text, to_jsonb(coalesce(r.rules, '{}')))
            OR told.body ->> 'type' <> c.type
            OR (told.body ->> 'timestamp')::timestamptz IS DISTINCT FROM u.finished_at)
"""
# An escalation is told to nobody.
_DECISION_TOLD = f"""
    SELECT u.id::text AS subject,
           format('%s decisions took effect, and %s were told', d.decisions, coalesce(c.told, 0))
               AS detail
      FROM (SELECT upload_id, count(*) AS decisions FROM decisions
             WHERE applied_at IS NOT NULL AND decision <> 'escalate' GROUP BY upload_id) AS d
      FULL JOIN (SELECT upload_id, count(*) AS told FROM callbacks
                  WHERE type = 'upload.decided' GROUP BY upload_id) AS c USING (upload_id)
      JOIN uploads AS u ON u.id = upload_id
     WHERE u.state IN ('done', 'failed') AND u.platform <> '{GOLDEN}'
       AND coalesce(d.decisions, 0) <> coalesce(c.told, 0)
"""  # noqa: S608  # constants of ours
# An endpoint that is added or changed while a message is committed may see either side of it, so
# those that are younger than a minute are left out.
_QUEUED_FOR_EACH = """
    SELECT c.id::text AS subject,
           format('endpoint %s wants %s, and no delivery is queued', e.id, c.type) AS detail
      FROM callbacks AS c
      JOIN uploads AS u ON u.id = c.upload_id AND u.state IN ('done', 'failed')
      JOIN (SELECT e.id, e.platform, e.events,
                   greatest(e.created_at, max(a.at)) + interval '1 minute' AS settled_at
              FROM endpoints AS e
              LEFT JOIN audit AS a ON a.subject = e.id::text AND a.action = 'endpoint.change'
             GROUP BY e.id) AS e
        ON e.platform = u.platform AND c.type = ANY (e.events) AND c.created_at > e.settled_at
     WHERE NOT EXISTS (SELECT FROM delivery_jobs AS j
                        WHERE j.callback_id = c.id AND j.endpoint = e.id)
"""
_DELIVERED_BY_TRY = """
    SELECT j.callback_id::text AS subject,
           format('it is delivered to %s by try %s, which was not taken', j.endpoint, j.attempt)
               AS detail
      FROM delivery_jobs AS j
      JOIN deliveries AS d ON (d.callback_id, d.endpoint, d.attempt)
                            = (j.callback_id, j.endpoint, j.attempt)
     WHERE j.state = 'delivered' AND d.delivered_at IS NULL
     UNION ALL
    SELECT d.callback_id::text,
           format('try %s at %s is beyond the last, %s', d.attempt, d.endpoint, j.attempt)
      FROM deliveries AS d
      JOIN delivery_jobs AS j ON (j.callback_id, j.endpoint) = (d.callback_id, d.endpoint)
     WHERE d.attempt > j.attempt
"""

CHECKS: Final = (
    Check("told_once", "I4", "every end has exactly one callback", _TOLD_ONCE),
    Check("not_early", "I5", "nothing is told of what has not ended", _NOT_EARLY),
    Check("body_agrees", "I5", "a callback says what its upload says", _BODY_AGREES),
    Check("decision_told", "I4", "every decision that took effect is told once", _DECISION_TOLD),
    Check("queued_for_each", "I5", "every endpoint gets what it wants", _QUEUED_FOR_EACH),
    Check("delivered_by_try", "I5", "what is delivered was taken", _DELIVERED_BY_TRY),
)

"""The attempts, what they cost, and the books that are kept of it."""

from typing import Final

from service.store.checks import Check

# A claim is charged too, and workers that die before their call may claim one more often than that.
_CHARGED = """
    SELECT upload_id::text AS subject, format('%s attempts are charged', count(*)) AS detail
      FROM attempts WHERE charged GROUP BY upload_id HAVING count(*) > 6
"""
_FENCED = """
    SELECT a.upload_id::text AS subject,
           format('it has attempt %s and was claimed %s times', a.attempt, u.attempt) AS detail
      FROM attempts AS a JOIN uploads AS u ON u.id = a.upload_id
     WHERE a.attempt > u.attempt
"""
# Whose worker died is open until the next attempt is entered, or the upload ends without one.
_OPEN = """
    SELECT u.id::text AS subject,
           format('it is %s, and %s of its attempts are open', u.state, count(*)) AS detail
      FROM attempts AS a JOIN uploads AS u ON u.id = a.upload_id
     WHERE a.finished_at IS NULL
     GROUP BY u.id
    HAVING count(*) > 1 OR u.state NOT IN ('queued', 'working')
        OR (u.state = 'queued' AND max(a.attempt) = u.attempt)
"""
_COMPLETED_WHOLE = """
    SELECT upload_id::text AS subject, format('attempt %s is completed in part', attempt) AS detail
      FROM attempts
     WHERE num_nulls(outcome, charged, cost_microusd, finished_at) NOT IN (0, 4)
        OR finished_at < started_at
"""
_REUSED_FREE = """
    SELECT u.id::text AS subject, 'it has the result of another, and attempts' AS detail
      FROM uploads AS u
     WHERE u.reused_from IS NOT NULL
       AND EXISTS (SELECT FROM attempts AS a WHERE a.upload_id = u.id)
"""
_SPENDING = """
    SELECT format('%s %s from %s', scope, period, starts_on) AS subject,
           format('the books and the ledger differ by %s microdollars spent, %s reserved',
                  sum(spent), sum(reserved)) AS detail
      FROM (SELECT scope, period, starts_on, spent_microusd AS spent,
                   reserved_microusd AS reserved
              FROM spending
             UNION ALL
            SELECT one.scope, each.period,
                   date_trunc(each.period, a.started_at AT TIME ZONE 'UTC')::date,
                   -sum(coalesce(a.cost_microusd, 0)),
                   -coalesce(sum(a.reserved_microusd) FILTER (WHERE a.finished_at IS NULL), 0)
              FROM attempts AS a
              JOIN uploads AS u ON u.id = a.upload_id
             CROSS JOIN unnest(ARRAY['global', 'platform:' || u.platform, 'ruleset:' || u.ruleset])
                        AS one (scope)
             CROSS JOIN unnest(ARRAY['month', 'day']) AS each (period)
             GROUP BY 1, 2, 3) AS booked
     GROUP BY scope, period, starts_on
    HAVING sum(spent) <> 0 OR sum(reserved) <> 0
"""
_CEILING = """
    SELECT u.id::text AS subject,
           format('its calls cost %s microdollars, and may cost %s',
                  sum(coalesce(a.cost_microusd, a.reserved_microusd)), u.max_cost_microusd)
               AS detail
      FROM uploads AS u JOIN attempts AS a ON a.upload_id = u.id
     WHERE u.max_cost_microusd IS NOT NULL
     GROUP BY u.id
    HAVING sum(coalesce(a.cost_microusd, a.reserved_microusd)) > u.max_cost_microusd
"""

CHECKS: Final = (
    Check("charged", "I7", "an upload is charged at most 6 attempts", _CHARGED),
    Check("fenced", "D3", "no attempt is beyond its upload's fence", _FENCED),
    Check("open", "D7", "at most one attempt is open, and none of an end", _OPEN),
    Check("completed_whole", "D7", "an attempt is completed whole", _COMPLETED_WHOLE),
    Check("reused_free", "I7", "what is reused has no attempts", _REUSED_FREE),
    Check("spending", "L", "the books are the ledger's sums", _SPENDING),
    Check("ceiling", "L", "no upload costs more than it may", _CEILING),
)

"""
What stands still, or lies about: nothing is lost by it, but somebody should look.

Whoever is only slow is no finding: each bound is many times what a healthy service takes.
"""

from typing import Final

from service.store.checks import Check
from service.store.checks.ended import REFERENCES

_LEASE_LAPSED = """
    SELECT id::text AS subject,
           format('its lease ended %s s ago, and no worker took it',
                  round(extract(epoch FROM now() - due_at))) AS detail
      FROM uploads WHERE state = 'working' AND due_at < now() - interval '2 minutes'
"""
# A platform's own are taken in the order in which they are due.
_PASSED_OVER = """
    SELECT u.id::text AS subject,
           format('due %s s ago, and later ones of %s have ended',
                  round(extract(epoch FROM now() - u.due_at)), u.platform) AS detail
      FROM platforms AS p
     CROSS JOIN LATERAL (SELECT max(received_at) AS received_at FROM cases
                          WHERE platform = p.name) AS newest
      JOIN uploads AS u ON u.platform = p.name AND u.state = 'queued'
                       AND u.due_at < now() - interval '10 minutes'
                       AND u.due_at < newest.received_at - interval '1 minute'
"""
_FOLLOWS_NOBODY = """
    SELECT f.id::text AS subject, 'it waits for a result that is there, or that nobody works on'
               AS detail
      FROM uploads AS f
     WHERE f.waiting_for = 'reuse' AND f.received_at < now() - interval '2 minutes'
       AND NOT EXISTS (SELECT FROM uploads AS l
                        WHERE (l.platform, l.image_sha256, l.ruleset, l.version)
                            = (f.platform, f.image_sha256, f.ruleset, f.version)
                          AND l.leads AND l.state <> 'deleted'
                          AND (l.finished_at IS NULL
                               OR (l.finished_at > now() - interval '2 minutes'
                                   AND (l.state <> 'failed' OR l.outcome = 'refused'))))
"""
_NOT_FETCHED = """
    SELECT upload_id::text AS subject,
           format('its image was to be fetched %s s ago',
                  round(extract(epoch FROM now() - due_at))) AS detail
      FROM fetches WHERE ended_at IS NULL AND due_at < now() - interval '10 minutes'
"""
_NOT_DELIVERED = """
    SELECT j.callback_id::text AS subject,
           format('it was to be delivered to %s %s s ago', j.endpoint,
                  round(extract(epoch FROM now() - j.due_at))) AS detail
      FROM delivery_jobs AS j JOIN endpoints AS e ON e.id = j.endpoint
     WHERE j.state = 'waiting' AND e.disabled_at IS NULL AND e.failing_since IS NULL
       AND j.due_at < now() - interval '10 minutes'
"""
_NOT_APPLIED = """
    SELECT upload_id::text AS subject,
           format('a decision of it was to take effect %s s ago',
                  round(extract(epoch FROM now() - effective_at))) AS detail
      FROM decisions
     WHERE undone_at IS NULL AND applied_at IS NULL
       AND effective_at < now() - interval '2 minutes'
"""
# The ledger and the history of looks keep digests alone; what was deleted goes in a moment.
_ORPHANS = f"""
    SELECT encode(i.sha256, 'hex') AS subject, 'no row names this picture' AS detail
      FROM images AS i
     WHERE i.created_at < now() - interval '10 minutes'
       AND NOT EXISTS (
           SELECT FROM (
               SELECT sha256 FROM ({REFERENCES}) AS named
                UNION ALL SELECT sha256 FROM example_pictures
                UNION ALL SELECT unnest(images) FROM erasures) AS used
            WHERE used.sha256 = i.sha256)
"""  # noqa: S608  # constants of ours
_OVER_BUDGET = """
    SELECT format('%s a %s', b.scope, b.period) AS subject,
           format('%s of %s microdollars are spent or reserved since %s',
                  s.spent_microusd + s.reserved_microusd, b.limit_microusd, s.starts_on) AS detail
      FROM budgets AS b
      JOIN spending AS s ON (s.scope, s.period) = (b.scope, b.period)
                        AND s.starts_on = date_trunc(b.period, now() AT TIME ZONE 'UTC')::date
     WHERE s.spent_microusd + s.reserved_microusd > b.limit_microusd
"""

CHECKS: Final = (
    Check("lease_lapsed", "S", "what a dead worker held is taken over", _LEASE_LAPSED),
    Check("passed_over", "S", "a platform's uploads are taken in order", _PASSED_OVER),
    Check("follows_nobody", "S", "who waits for a result has a leader", _FOLLOWS_NOBODY),
    Check("not_fetched", "S", "what is due is fetched", _NOT_FETCHED),
    Check("not_delivered", "S", "what is due is delivered", _NOT_DELIVERED),
    Check("not_applied", "S", "decisions take effect in time", _NOT_APPLIED),
    Check("orphans", "S", "every picture is somebody's", _ORPHANS),
    Check("over_budget", "S", "no budget is overdrawn, unless it was lowered", _OVER_BUDGET),
)

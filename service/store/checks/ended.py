"""How an upload, its record, its pictures and its verdict stand together."""

from typing import Final

from service.store.checks import Check

_DONE_HAS_RECORD = """
    SELECT u.id::text AS subject, 'it is done and has no record' AS detail
      FROM uploads AS u
     WHERE u.state = 'done' AND NOT EXISTS (SELECT FROM records AS r WHERE r.upload_id = u.id)
     UNION ALL
    SELECT r.upload_id::text, format('it has a record and is %s', coalesce(u.state, 'gone'))
      FROM records AS r LEFT JOIN uploads AS u ON u.id = r.upload_id
     WHERE u.state IS DISTINCT FROM 'done'
"""
_OUTCOMES_AGREE = """
    SELECT u.id::text AS subject,
           format('it is %s and its record says %s', u.outcome, r.outcome) AS detail
      FROM uploads AS u JOIN records AS r ON r.upload_id = u.id
     WHERE u.state = 'done' AND r.outcome IS DISTINCT FROM u.outcome
"""
_HAS_IMAGE = """
    SELECT id::text AS subject, format('it is %s and has no image', state) AS detail
      FROM uploads
     WHERE image_sha256 IS NULL AND state <> 'deleted' AND waiting_for IS DISTINCT FROM 'fetch'
       AND NOT (state = 'failed' AND outcome IN ('not_fetched', 'unreadable'))
"""
# Every column that names a picture.
REFERENCES: Final = """
    SELECT id AS owner, 'uploads.image_sha256' AS place, image_sha256 AS sha256 FROM uploads
     UNION ALL SELECT id, 'uploads.canonical_sha256', canonical_sha256 FROM uploads
     UNION ALL SELECT upload_id, 'records.edited_sha256', edited_sha256 FROM records
     UNION ALL SELECT upload_id, 'records.thumbnail_sha256', thumbnail_sha256 FROM records
     UNION ALL SELECT upload_id, 'records.raw_sha256', raw_sha256 FROM records
     UNION ALL SELECT upload_id, 'kept_edits.edited_sha256', edited_sha256 FROM kept_edits
     UNION ALL SELECT upload_id, 'kept_edits.thumbnail_sha256', thumbnail_sha256 FROM kept_edits
     UNION ALL SELECT upload_id, 'proofs.heat_sha256', heat_sha256 FROM proofs
"""
_IMAGES_STORED = f"""
    SELECT owner::text AS subject,
           format('%s is %s, which is not stored', place, encode(sha256, 'hex')) AS detail
      FROM ({REFERENCES}) AS named
     WHERE sha256 IS NOT NULL
       AND NOT EXISTS (SELECT FROM images AS i WHERE i.sha256 = named.sha256)
"""  # noqa: S608  # constants of this module
_FETCH_OPEN = """
    SELECT coalesce(u.id, f.upload_id)::text AS subject,
           CASE WHEN u.id IS NULL THEN 'it is being fetched and does not wait for it'
                ELSE 'it waits for an image that nobody fetches' END AS detail
      FROM (SELECT id FROM uploads WHERE waiting_for = 'fetch') AS u
      FULL JOIN (SELECT upload_id FROM fetches WHERE ended_at IS NULL) AS f ON f.upload_id = u.id
     WHERE u.id IS NULL OR f.upload_id IS NULL
"""
_DESCRIBED_BY = """
    SELECT r.upload_id::text AS subject,
           format('its record is of attempt %s, which ended as %s; its last attempt is %s',
                  r.attempt, coalesce(a.outcome, 'nothing'), u.attempt) AS detail
      FROM records AS r
      JOIN uploads AS u ON u.id = r.upload_id
      LEFT JOIN attempts AS a ON (a.upload_id, a.attempt) = (r.upload_id, r.attempt)
     WHERE u.reused_from IS NULL
       AND (a.outcome IS DISTINCT FROM 'described' OR r.attempt IS DISTINCT FROM u.attempt)
"""
_SENT_CANONICAL = """
    SELECT a.upload_id::text AS subject,
           format('attempt %s sent %s, and its picture is %s', a.attempt,
                  encode(a.sent_sha256, 'hex'),
                  coalesce(encode(u.canonical_sha256, 'hex'), 'not kept')) AS detail
      FROM attempts AS a JOIN uploads AS u ON u.id = a.upload_id
     WHERE u.state <> 'deleted' AND a.sent_sha256 IS DISTINCT FROM u.canonical_sha256
"""
_PROMPT_SENT = """
    SELECT a.upload_id::text AS subject,
           format('attempt %s sent another prompt than that of %s/%s', a.attempt, u.ruleset,
                  u.version) AS detail
      FROM attempts AS a
      JOIN uploads AS u ON u.id = a.upload_id
      JOIN ruleset_versions AS v ON (v.ruleset, v.version) = (u.ruleset, u.version)
     WHERE a.prompt_sha256 <> v.prompt_sha256
"""
_PROMPT_DIGEST = """
    SELECT format('%s/%s', ruleset, version) AS subject,
           'its prompt does not have the digest that is noted' AS detail
      FROM ruleset_versions
     WHERE sha256(convert_to(prompt, 'UTF8')) <> prompt_sha256
"""
_REUSED_ALIKE = """
    SELECT f.id::text AS subject, format('it is not as %s is, whose result it has', l.id) AS detail
      FROM uploads AS f
      JOIN uploads AS l ON l.id = f.reused_from
      LEFT JOIN records AS fr ON fr.upload_id = f.id
      LEFT JOIN records AS lr ON lr.upload_id = l.id
     WHERE f.state <> 'deleted'
       AND ((f.platform, f.ruleset, f.version) <> (l.platform, l.ruleset, l.version)
            OR (l.state <> 'deleted'
                AND ((f.image_sha256, f.state, f.outcome, f.canonical_sha256)
                     IS DISTINCT FROM (l.image_sha256, l.state, l.outcome, l.canonical_sha256)
                     OR (fr.edited_sha256, fr.description, fr.severity)
                     IS DISTINCT FROM (lr.edited_sha256, lr.description, lr.severity))))
"""
_FAIL_CLOSED = """
    SELECT id::text AS subject,
           format('it is %s (%s) and its verdict is %s without a decision', state,
                  coalesce(outcome, 'unfinished'), verdict) AS detail
      FROM uploads
     WHERE decision IS NULL AND state <> 'deleted'
       AND CASE state WHEN 'done' THEN verdict IN ('allow', 'allow_edited')
                                   AND outcome NOT IN ('clean', 'redacted')
                ELSE verdict <> 'hold' END
"""
_DECIDED_BY = """
    SELECT u.id::text AS subject,
           format('its verdict is %s by decision %s, which says otherwise', u.verdict,
                  u.decision_id) AS detail
      FROM uploads AS u LEFT JOIN decisions AS d ON d.id = u.decision_id
     WHERE u.decision_id IS NOT NULL AND u.state <> 'deleted'
       AND (d.upload_id, d.decision, d.applied_at IS NOT NULL, u.verdict)
           IS DISTINCT FROM (u.id, u.decision, true, u.decision)
"""
_DELETED_KEEPS_NOTHING = """
    SELECT u.id::text AS subject, format('it is deleted and still in %s', kept.place) AS detail
      FROM uploads AS u
      JOIN (SELECT upload_id, 'cases' AS place FROM cases
             UNION ALL SELECT upload_id, 'kept_edits' FROM kept_edits
             UNION ALL SELECT upload_id, 'records' FROM records) AS kept ON kept.upload_id = u.id
     WHERE u.state = 'deleted'
"""
_ONE_PLATFORM = """
    SELECT k.upload_id::text AS subject,
           format('an idempotency key of %s names it, of %s', k.platform, u.platform) AS detail
      FROM idempotency_keys AS k LEFT JOIN uploads AS u ON u.id = k.upload_id
     WHERE u.platform IS DISTINCT FROM k.platform
     UNION ALL
    SELECT h.upload_id::text,
           format('event %s of %s names it, of %s', h.event_id, h.platform, u.platform)
      FROM hook_events AS h LEFT JOIN uploads AS u ON u.id = h.upload_id
     WHERE u.platform IS DISTINCT FROM h.platform
"""
_KEY_ANSWERS = """
    SELECT upload_id::text AS subject, format('key %L of %s answers otherwise', key, platform)
               AS detail
      FROM idempotency_keys
     WHERE body LIKE '{%' AND body::jsonb ->> 'id' IS DISTINCT FROM upload_id::text
"""

CHECKS: Final = (
    Check(
        "done_has_record", "I3", "an upload is done exactly if it has a record", _DONE_HAS_RECORD
    ),
    Check("outcomes_agree", "I3", "a record has its upload's outcome", _OUTCOMES_AGREE),
    Check("has_image", "I1", "an upload has its image, unless that is fetched", _HAS_IMAGE),
    Check("images_stored", "I1", "every picture that a row names is stored", _IMAGES_STORED),
    Check("fetch_open", "I1", "an upload waits for its image while it is fetched", _FETCH_OPEN),
    Check("described_by", "I9", "a record is of its last attempt, as described", _DESCRIBED_BY),
    Check("sent_canonical", "I6", "every attempt sent the canonical picture", _SENT_CANONICAL),
    Check("prompt_sent", "I9", "every attempt sent its version's prompt", _PROMPT_SENT),
    Check("prompt_digest", "I9", "a version's prompt has its digest", _PROMPT_DIGEST),
    Check("reused_alike", "I6", "a reused result is that of the same image", _REUSED_ALIKE),
    Check("fail_closed", "D5", "only clean, redacted or decided is allowed", _FAIL_CLOSED),
    Check("decided_by", "D7", "a decided verdict is that of its decision", _DECIDED_BY),
    Check("deleted_empty", "D7", "what is deleted has nothing left", _DELETED_KEEPS_NOTHING),
    Check("one_platform", "D8", "a key or event names its platform's upload", _ONE_PLATFORM),
    Check("key_answers", "I1", "a repeated key answers with its upload", _KEY_ANSWERS),
)

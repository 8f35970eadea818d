-- Never twice: uploads of the same bytes under the same version of a ruleset, from one platform,
-- share the result of the first one.

ALTER TABLE platforms ADD COLUMN reuse boolean NOT NULL DEFAULT true;
UPDATE platforms SET reuse = false WHERE name = 'golden-examples';

-- Entered as the one whose result others may have; the index says for how long it is.
ALTER TABLE uploads ADD COLUMN leads boolean NOT NULL DEFAULT false;

-- One leads at a time.  Who fails otherwise than by a refusal, or is deleted, leaves the index and
-- so makes room for another, whatever code ends it.
CREATE UNIQUE INDEX uploads_leading ON uploads (platform, image_sha256, ruleset, version)
    WHERE leads AND state <> 'deleted' AND (state <> 'failed' OR outcome = 'refused');
-- Every worker looks through those that wait, the oldest first, each second.
CREATE INDEX uploads_following ON uploads (id) WHERE waiting_for = 'reuse';

-- NOT VALID holds for every row written from now on, and spares a look at all the others (which
-- have neither) while the table is locked.
ALTER TABLE uploads
    -- What waits for another's result is due never, so that no worker claims it, however old.
    ADD CONSTRAINT follower_is_never_due CHECK
        (waiting_for IS DISTINCT FROM 'reuse'
            OR (due_at = 'infinity' AND attempt = 0 AND NOT leads)) NOT VALID,
    ADD CONSTRAINT reused_without_work CHECK
        (reused_from IS NULL
            OR (reused_from <> id AND attempt = 0 AND charges = 0 AND NOT leads
                AND state IN ('done', 'failed', 'deleted')
                AND (state <> 'failed' OR outcome = 'refused'))) NOT VALID;

CREATE FUNCTION check_reused_has_no_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM uploads WHERE id = NEW.upload_id AND reused_from IS NOT NULL) THEN
        RAISE EXCEPTION 'upload % has the result of another', NEW.upload_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reused_has_no_attempt BEFORE INSERT ON attempts
    FOR EACH ROW EXECUTE FUNCTION check_reused_has_no_attempt();

-- The record of a reused upload is a row of its own, so that it outlives the one it was copied
-- from; no attempt of its own made it.
ALTER TABLE records ALTER COLUMN attempt DROP NOT NULL;

CREATE FUNCTION check_record_has_maker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.attempt IS NULL)
        <> EXISTS (SELECT FROM uploads WHERE id = NEW.upload_id AND reused_from IS NOT NULL) THEN
        RAISE EXCEPTION 'the record of upload % must name its attempt unless it was reused',
            NEW.upload_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER record_has_maker AFTER INSERT OR UPDATE OF attempt ON records
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_record_has_maker();

GRANT UPDATE (reuse) ON platforms TO moderation_app;
GRANT UPDATE (reused_from, leads) ON uploads TO moderation_app;

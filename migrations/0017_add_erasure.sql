-- Uploads are deleted: bytes, description and what follows from them go, and a tombstone, the ledger
-- and the history of what people did stay.
--
-- The application gets two functions for it and no right to delete: by rights on tables any fault in
-- it could take a record, a proof or a picture that is needed, and leave the rest; by these it can
-- only delete one upload whole, with its entry in the audit trail, and a picture that nothing names.
--
-- This part may be applied again, where an index below could not be built.

-- They see this schema's tables only, whatever tables of the same names a session makes for itself.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- Which pictures a deleted upload had; a row until each was looked at.  Removing them belongs to
-- transactions of their own: each waits for those who are storing the very same bytes just now.
CREATE TABLE IF NOT EXISTS erasures (
    upload_id uuid PRIMARY KEY REFERENCES uploads,
    images    bytea[] NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);

-- The ledger and the history of looks go on naming by its digest what was sent and shown: it must be
-- stored when that is entered, and then the upload's own row keeps it, or is deleted.
CREATE OR REPLACE FUNCTION check_image_is_stored() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    digest bytea;
BEGIN
    IF TG_TABLE_NAME = 'attempts' THEN
        digest := NEW.sent_sha256;
    ELSE
        digest := NEW.image_sha256;
    END IF;
    IF NOT EXISTS (SELECT FROM images WHERE sha256 = digest) THEN
        RAISE EXCEPTION 'image % is not stored', encode(digest, 'hex')
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER image_is_stored BEFORE INSERT ON attempts
    FOR EACH ROW EXECUTE FUNCTION check_image_is_stored();
CREATE OR REPLACE TRIGGER image_is_stored BEFORE INSERT ON exposures
    FOR EACH ROW EXECUTE FUNCTION check_image_is_stored();
ALTER TABLE attempts DROP CONSTRAINT IF EXISTS attempts_sent_sha256_fkey;
ALTER TABLE exposures DROP CONSTRAINT IF EXISTS exposures_image_sha256_fkey;

CREATE OR REPLACE FUNCTION image_key(digest bytea) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || left(encode(digest, 'hex'), 16))::bit(64)::bigint
$$;
-- Whoever stores a picture finds that it is there already and names it a moment later.  Until his
-- transaction ends nobody removes it, whatever code he runs.
CREATE OR REPLACE FUNCTION hold_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(image_key(NEW.sha256));
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER held BEFORE INSERT ON images
    FOR EACH ROW EXECUTE FUNCTION hold_image();

-- Removes a picture that nothing names.  What may name one is what has a foreign key to it, so that
-- no table that is added later can be forgotten here.
CREATE OR REPLACE FUNCTION forget_image(digest bytea) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    place regclass;
    name  text;
    named boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(image_key(digest));
    -- Those who name it by the right of another row are waited for here.
    PERFORM FROM images WHERE sha256 = digest FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR place, name IN
        SELECT c.conrelid::regclass, a.attname
          FROM pg_constraint AS c
          JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
         WHERE c.contype = 'f' AND c.confrelid = 'images'::regclass
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I = $1)', place, name)
           INTO named USING digest;
        IF named THEN
            RETURN false;
        END IF;
    END LOOP;
    DELETE FROM images WHERE sha256 = digest;
    RETURN true;
END $$;

-- A completed attempt of an upload that is deleted may lose what its answer said, and nothing else.
CREATE OR REPLACE FUNCTION refuse_completed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    bare attempts := NEW;
BEGIN
    bare.answer_text := OLD.answer_text;
    bare.detail := OLD.detail;
    IF NEW.answer_text IS NULL AND NEW.detail IS NULL AND bare IS NOT DISTINCT FROM OLD
        AND EXISTS (SELECT FROM uploads WHERE id = OLD.upload_id AND state = 'deleted') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER completed_once BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION refuse_completed();

-- A proof tells what is in a picture, and goes with it.
CREATE OR REPLACE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM uploads WHERE id = OLD.upload_id AND state = 'deleted') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE ON proofs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER removed_with_upload BEFORE DELETE ON proofs
    FOR EACH ROW EXECUTE FUNCTION refuse_removal();

-- An answer that was emptied stays so: a request that waited for the end may come with it later.
CREATE OR REPLACE TRIGGER emptied_for_good BEFORE UPDATE ON idempotency_keys
    FOR EACH ROW WHEN (OLD.body = '') EXECUTE FUNCTION refuse_change();

-- Deletes an upload (of this platform, where one is given) in any state, and enters who did so.
-- Gives the state in which it was, null where there is no such upload.
--
-- What stays: the upload's row without its pictures and metadata, with the sender's own name for it;
-- attempts without their answers, so that spending is what the ledger says; decisions, comments,
-- reveals, looks and audit entries, which are people's and hold no picture; ids of events, digests
-- by which an event that is told of again is known; and callbacks, those still to be delivered too:
-- they were promised when the upload ended, one body for one id, and tell outcome, verdict and ids
-- of rules, and neither show the picture nor say a word of the description.
CREATE OR REPLACE FUNCTION erase_upload(subject uuid, of_platform text, by text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    was    uploads;
    had    bytea[];
    proven bytea[];
BEGIN
    -- In the order of those who end a fetch: theirs first, then the upload.
    PERFORM FROM fetches WHERE upload_id = subject FOR UPDATE;
    SELECT * INTO was FROM uploads
     WHERE id = subject AND (of_platform IS NULL OR platform = of_platform) FOR UPDATE;
    IF NOT FOUND OR was.state = 'deleted' THEN
        RETURN was.state;
    END IF;
    -- So that of two copies of one result that go at once, the second knows to be the last.
    PERFORM FROM uploads WHERE id = was.reused_from FOR NO KEY UPDATE;

    -- A worker or a person who has it now writes nothing any more: each asks for the state first.
    UPDATE uploads
       SET state = 'deleted', waiting_for = NULL, image_sha256 = NULL, canonical_sha256 = NULL,
           metadata = '{}', finished_at = coalesce(finished_at, now())
     WHERE id = subject;
    -- A call that is under way may be billed.
    UPDATE attempts
       SET outcome = 'lost', charged = true, cost_microusd = reserved_microusd, finished_at = now()
     WHERE upload_id = subject AND finished_at IS NULL;
    had := ARRAY[was.image_sha256, was.canonical_sha256]
        || ARRAY(SELECT unnest(ARRAY[edited_sha256, thumbnail_sha256, raw_sha256])
                   FROM records WHERE upload_id = subject)
        || ARRAY(SELECT unnest(ARRAY[edited_sha256, thumbnail_sha256])
                   FROM kept_edits WHERE upload_id = subject)
        || ARRAY(SELECT sent_sha256 FROM attempts WHERE upload_id = subject);
    DELETE FROM records WHERE upload_id = subject;
    DELETE FROM kept_edits WHERE upload_id = subject;
    DELETE FROM fetches WHERE upload_id = subject;
    DELETE FROM leases WHERE upload_id = subject;
    DELETE FROM set_aside WHERE upload_id = subject;
    UPDATE attempts SET answer_text = NULL, detail = NULL
     WHERE upload_id = subject AND (answer_text IS NOT NULL OR detail IS NOT NULL);
    UPDATE idempotency_keys SET body = '' WHERE upload_id = subject AND body <> '';
    -- One that is taking effect just now finds the upload deleted.
    UPDATE decisions SET undone_at = now()
     WHERE id IN (SELECT id FROM decisions
                   WHERE upload_id = subject AND undone_at IS NULL AND applied_at IS NULL
                     AND effective_at > now()
                     FOR UPDATE SKIP LOCKED);
    -- The proof of a result that was copied is the copies' too.
    WITH gone AS (
        DELETE FROM proofs AS p USING uploads AS o
         WHERE p.upload_id IN (subject, was.reused_from)
           AND o.id = p.upload_id AND o.state = 'deleted'
           AND NOT EXISTS (SELECT FROM uploads AS copy
                            WHERE copy.reused_from = o.id AND copy.state <> 'deleted')
     RETURNING p.heat_sha256)
    SELECT array_agg(heat_sha256) INTO proven FROM gone;
    INSERT INTO erasures (upload_id, images)
    SELECT subject, coalesce(array_agg(DISTINCT one ORDER BY one), '{}')
      FROM unnest(had || proven) AS one WHERE one IS NOT NULL;
    IF was.state IN ('queued', 'working') THEN
        PERFORM pg_notify('uploads_finished', subject::text);
    END IF;
    -- Others wait from here to the end of the transaction.
    INSERT INTO audit (actor, action, subject, detail)
    VALUES (by, 'upload.delete', subject::text,
            jsonb_build_object('platform', was.platform, 'state', was.state));
    RETURN was.state;
END $$;

-- Ids of events, and tries that have ended, from before a time at least a day ago.
CREATE OR REPLACE FUNCTION forget_told(before timestamptz, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH events AS (
        DELETE FROM hook_events
         WHERE ctid = ANY (ARRAY(SELECT ctid FROM hook_events
                                  WHERE created_at < least(before, now() - interval '1 day')
                                  LIMIT most FOR UPDATE SKIP LOCKED))
     RETURNING 1),
    tries AS (
        DELETE FROM deliveries
         WHERE ctid = ANY (ARRAY(SELECT ctid FROM deliveries
                                  WHERE finished_at < least(before, now() - interval '1 day')
                                  LIMIT most FOR UPDATE SKIP LOCKED))
     RETURNING 1)
    SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM tries)
$$;

REVOKE ALL ON FUNCTION forget_image, erase_upload, forget_told FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_image, erase_upload, forget_told TO moderation_app;
GRANT SELECT, DELETE ON erasures TO moderation_app;

-- Whoever asks what names a picture, or which uploads copied one, finds it by an index.  What a
-- build that was cut off left behind is built anew.
-- no-transaction
DO $$
DECLARE
    one regclass;
BEGIN
    FOR one IN SELECT indexrelid::regclass FROM pg_index
                WHERE NOT indisvalid AND indexrelid::regclass::text LIKE '%\_naming\_%' LOOP
        EXECUTE format('DROP INDEX %s', one);
    END LOOP;
END $$;
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS uploads_naming_image ON uploads (image_sha256)
    WHERE image_sha256 IS NOT NULL;
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS uploads_naming_canonical ON uploads (canonical_sha256)
    WHERE canonical_sha256 IS NOT NULL;
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS uploads_naming_leader ON uploads (reused_from)
    WHERE reused_from IS NOT NULL;
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS records_naming_edited ON records (edited_sha256);
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS records_naming_thumbnail ON records (thumbnail_sha256);
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS records_naming_raw ON records (raw_sha256)
    WHERE raw_sha256 IS NOT NULL;
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS kept_edits_naming_edited ON kept_edits (edited_sha256);
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS kept_edits_naming_thumbnail
    ON kept_edits (thumbnail_sha256);
-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS proofs_naming_heat ON proofs (heat_sha256)
    WHERE heat_sha256 IS NOT NULL;

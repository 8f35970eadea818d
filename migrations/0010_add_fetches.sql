-- Images that are fetched: an upload may be told of before its image is here.

-- Nulls mean the service's defaults.  Both hold secrets.
ALTER TABLE platforms ADD COLUMN fetching jsonb, ADD COLUMN hooks jsonb;

ALTER TABLE uploads ALTER COLUMN image_sha256 DROP NOT NULL;
-- NOT VALID holds for every row written from now on, and spares a look at all the others (which
-- have an image and wait for none) while the table is locked.
ALTER TABLE uploads
    DROP CONSTRAINT outcome_when_terminal,
    ADD CONSTRAINT outcome_when_terminal CHECK (
        CASE state
            WHEN 'done' THEN outcome IN ('clean', 'redacted', 'violating', 'not_assessed')
            WHEN 'failed' THEN outcome IN ('refused', 'no_image', 'no_description',
                'invalid_description', 'unfaithful_edit', 'exhausted', 'unreadable', 'not_fetched')
            WHEN 'deleted' THEN true
            ELSE outcome IS NULL
        END IS TRUE) NOT VALID,
    ADD CONSTRAINT image_unless_fetched CHECK (
        image_sha256 IS NOT NULL
        OR waiting_for IS NOT DISTINCT FROM 'fetch'
        OR (state = 'failed' AND outcome IN ('not_fetched', 'unreadable')) IS TRUE
        OR state = 'deleted') NOT VALID,
    -- What waits for its image is due never, so that no worker claims it.
    ADD CONSTRAINT fetched_is_never_due CHECK
        (waiting_for IS DISTINCT FROM 'fetch'
            OR (image_sha256 IS NULL AND due_at = 'infinity' AND attempt = 0 AND NOT leads))
        NOT VALID,
    ADD CONSTRAINT not_fetched_has_no_image CHECK
        (outcome IS DISTINCT FROM 'not_fetched' OR image_sha256 IS NULL) NOT VALID;

CREATE TABLE fetches (
    upload_id uuid PRIMARY KEY REFERENCES uploads,
    platform  text NOT NULL REFERENCES platforms,
    -- Where the image is: {"url"}, or {"bucket", "key", "version"} in a store of the platform's.
    source    jsonb NOT NULL CHECK ((source ? 'url') <> (source ?& ARRAY['bucket', 'key'])),
    attempt   integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),  -- the fence: it only ever grows
    tries     integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    due_at    timestamptz NOT NULL DEFAULT now(),  -- during a try: the end of its lease
    ended_at  timestamptz,
    error     text  -- of the last try, if that failed; null during a try
);
-- Each platform's own queue: that of another is never looked through.
CREATE INDEX fetches_due ON fetches (platform, due_at) WHERE ended_at IS NULL;

-- Events of hooks that became uploads, so that one that is told of again becomes none.
CREATE TABLE hook_events (
    platform   text NOT NULL REFERENCES platforms,
    preset     text NOT NULL,
    event_id   text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 200),
    -- The event is entered first: of two requests with it, only one adds an upload.
    upload_id  uuid NOT NULL REFERENCES uploads DEFERRABLE INITIALLY DEFERRED,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, preset, event_id)
);

CREATE FUNCTION check_fetch_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject uuid;
BEGIN
    IF TG_TABLE_NAME = 'uploads' THEN
        subject := NEW.id;
    ELSE
        subject := NEW.upload_id;
    END IF;
    IF EXISTS (SELECT FROM uploads WHERE id = subject AND waiting_for = 'fetch')
        <> EXISTS (SELECT FROM fetches WHERE upload_id = subject AND ended_at IS NULL) THEN
        RAISE EXCEPTION 'upload % must wait for its image exactly while it is fetched', subject
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
-- What waits is fetched, and what is fetched waits; checked at commit, whoever writes.
CREATE CONSTRAINT TRIGGER waiting_is_fetched AFTER INSERT ON uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.waiting_for = 'fetch')
    EXECUTE FUNCTION check_fetch_is_open();
CREATE CONSTRAINT TRIGGER waiting_stays_fetched AFTER UPDATE OF waiting_for ON uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.waiting_for = 'fetch' OR OLD.waiting_for = 'fetch')
    EXECUTE FUNCTION check_fetch_is_open();
CREATE CONSTRAINT TRIGGER fetched_is_waiting AFTER INSERT OR UPDATE OF ended_at ON fetches
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_fetch_is_open();

CREATE FUNCTION refuse_other_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'upload % has its image already', NEW.id USING ERRCODE = 'restrict_violation';
END $$;
-- The name of the evidence is set once; only deleting the upload may take it away.
CREATE TRIGGER image_set_once BEFORE UPDATE OF image_sha256 ON uploads
    FOR EACH ROW WHEN (OLD.image_sha256 IS NOT NULL AND NEW.state <> 'deleted'
                       AND NEW.image_sha256 IS DISTINCT FROM OLD.image_sha256)
    EXECUTE FUNCTION refuse_other_image();

GRANT UPDATE (fetching, hooks) ON platforms TO moderation_app;
GRANT UPDATE (image_sha256) ON uploads TO moderation_app;
GRANT SELECT, INSERT ON fetches, hook_events TO moderation_app;
GRANT UPDATE (attempt, tries, due_at, ended_at, error) ON fetches TO moderation_app;

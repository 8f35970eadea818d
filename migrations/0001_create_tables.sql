-- The first schema.  Tables belong to the role that migrates; the application's role
-- (moderation_app, made by the runner before the first file) gets only the rights below,
-- so what must never be changed cannot be changed by it.

CREATE TABLE platforms (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tokens (
    id         uuid PRIMARY KEY,
    sha256     bytea NOT NULL UNIQUE CHECK (length(sha256) = 32),
    role       text NOT NULL CHECK (role IN ('platform', 'moderator', 'policy', 'admin')),
    platform   text REFERENCES platforms,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CHECK ((role = 'platform') = (platform IS NOT NULL))
);

CREATE TABLE rulesets (
    name         text PRIMARY KEY,
    live_version integer,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ruleset_versions (
    ruleset       text NOT NULL REFERENCES rulesets,
    version       integer NOT NULL CHECK (version > 0),
    sha256        bytea NOT NULL CHECK (length(sha256) = 32),
    source        text NOT NULL,
    content       jsonb NOT NULL,
    prompt        text NOT NULL,
    prompt_sha256 bytea NOT NULL CHECK (length(prompt_sha256) = 32),
    schema        jsonb NOT NULL,
    author        text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ruleset, version),
    UNIQUE (ruleset, sha256)
);

ALTER TABLE rulesets
    ADD FOREIGN KEY (name, live_version) REFERENCES ruleset_versions (ruleset, version);

CREATE TABLE images (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32),
    mime       text NOT NULL,
    width      integer NOT NULL CHECK (width > 0),
    height     integer NOT NULL CHECK (height > 0),
    frames     integer NOT NULL DEFAULT 1 CHECK (frames > 0),
    data       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- Pictures do not compress; trying costs a twentieth of the insert.
ALTER TABLE images ALTER COLUMN data SET STORAGE EXTERNAL;

-- The table is the queue: state, due_at, attempt and lease are columns of the upload itself.
CREATE TABLE uploads (
    id               uuid PRIMARY KEY,
    platform         text NOT NULL REFERENCES platforms,
    external_id      text,
    metadata         jsonb NOT NULL DEFAULT '{}',
    image_sha256     bytea NOT NULL REFERENCES images,
    canonical_sha256 bytea REFERENCES images,
    ruleset          text NOT NULL,
    version          integer NOT NULL,
    state            text NOT NULL DEFAULT 'queued'
                     CHECK (state IN ('queued', 'working', 'done', 'failed', 'deleted')),
    waiting_for      text,
    outcome          text,
    verdict          text NOT NULL DEFAULT 'hold'
                     CHECK (verdict IN ('allow', 'allow_edited', 'hold', 'block')),
    reused_from      uuid REFERENCES uploads,
    attempt          integer NOT NULL DEFAULT 0,  -- the fence: it only ever grows
    charges          integer NOT NULL DEFAULT 0 CHECK (charges >= 0),
    due_at           timestamptz NOT NULL DEFAULT now(),  -- while working: the end of the lease
    received_at      timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    FOREIGN KEY (ruleset, version) REFERENCES ruleset_versions (ruleset, version),
    CONSTRAINT outcome_when_terminal CHECK (
        CASE state
            WHEN 'done' THEN outcome IN ('clean', 'redacted', 'violating', 'not_assessed')
            WHEN 'failed' THEN outcome IN ('refused', 'no_image', 'no_description',
                'invalid_description', 'unfaithful_edit', 'exhausted', 'unreadable')
            WHEN 'deleted' THEN true
            ELSE outcome IS NULL
        END IS TRUE),
    CONSTRAINT finished_when_terminal CHECK
        ((state IN ('queued', 'working')) = (finished_at IS NULL)),
    -- Fail closed: no machine outcome but these two ever leads to an allow.
    CONSTRAINT allow_only_when_clean_or_redacted CHECK
        (verdict IN ('hold', 'block') OR coalesce(outcome IN ('clean', 'redacted'), false)),
    CONSTRAINT waiting_only_when_queued CHECK (waiting_for IS NULL OR state = 'queued')
);
CREATE INDEX uploads_due ON uploads (due_at, id) WHERE state IN ('queued', 'working');
CREATE INDEX uploads_platform ON uploads (platform, id);

CREATE TABLE attempts (
    upload_id         uuid NOT NULL REFERENCES uploads,
    attempt           integer NOT NULL CHECK (attempt > 0),
    upstream          text NOT NULL,
    model             text NOT NULL,
    prompt_sha256     bytea NOT NULL CHECK (length(prompt_sha256) = 32),
    sent_sha256       bytea NOT NULL REFERENCES images,
    reserved_microusd bigint NOT NULL CHECK (reserved_microusd >= 0),
    started_at        timestamptz NOT NULL DEFAULT now(),
    outcome           text,
    charged           boolean,
    cost_microusd     bigint CHECK (cost_microusd >= 0),
    finished_at       timestamptz,
    http_status       integer,
    answer_sha256     bytea,
    answer_text       text,
    detail            text,
    input_tokens      integer,
    output_tokens     integer,
    PRIMARY KEY (upload_id, attempt),
    CONSTRAINT completed_whole CHECK (num_nulls(outcome, charged, cost_microusd, finished_at) IN (0, 4))
);

CREATE TABLE records (
    upload_id        uuid PRIMARY KEY REFERENCES uploads,
    attempt          integer NOT NULL,
    edited_sha256    bytea NOT NULL REFERENCES images,
    thumbnail_sha256 bytea NOT NULL REFERENCES images,
    description      jsonb NOT NULL CHECK (jsonb_typeof(description) = 'object'),
    outcome          text NOT NULL,
    severity         smallint NOT NULL CHECK (severity BETWEEN 0 AND 4),
    rules            text[] NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (upload_id, attempt) REFERENCES attempts (upload_id, attempt)
);
CREATE INDEX records_rules ON records USING gin (rules);
CREATE INDEX records_severity ON records (severity, upload_id);

-- The outbox: the final bytes of each callback, written with what it tells.
CREATE TABLE callbacks (
    id         uuid PRIMARY KEY,
    upload_id  uuid NOT NULL REFERENCES uploads,
    type       text NOT NULL,
    body       bytea NOT NULL CHECK (length(body) < 20000),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX callbacks_one_terminal ON callbacks (upload_id)
    WHERE type IN ('upload.described', 'upload.failed');

CREATE TABLE idempotency_keys (
    platform       text NOT NULL REFERENCES platforms,
    key            text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_sha256 bytea NOT NULL,
    upload_id      uuid NOT NULL REFERENCES uploads,
    status         integer NOT NULL,
    body           text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, key)
);

CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    detail  jsonb NOT NULL DEFAULT '{}'
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
-- Not even the owner rewrites history by accident.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ruleset_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON ruleset_versions
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON attempts EXECUTE FUNCTION refuse_change();
-- An attempt is completed once, from null to value.
CREATE TRIGGER completed_once BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_done_has_record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject uuid;
BEGIN
    IF TG_TABLE_NAME = 'uploads' THEN
        subject := NEW.id;
    ELSIF TG_OP = 'DELETE' THEN
        subject := OLD.upload_id;
    ELSE
        subject := NEW.upload_id;
    END IF;
    IF EXISTS (SELECT FROM uploads WHERE id = subject AND state = 'done')
        <> EXISTS (SELECT FROM records WHERE upload_id = subject) THEN
        RAISE EXCEPTION 'upload % must be done exactly if it has a record', subject
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
-- An upload is done if and only if its record exists; checked at commit, whoever writes.
CREATE CONSTRAINT TRIGGER done_has_record AFTER INSERT ON uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'done')
    EXECUTE FUNCTION check_done_has_record();
CREATE CONSTRAINT TRIGGER done_keeps_record AFTER UPDATE OF state ON uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'done' OR OLD.state = 'done')
    EXECUTE FUNCTION check_done_has_record();
CREATE CONSTRAINT TRIGGER record_is_done AFTER INSERT OR DELETE ON records
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_done_has_record();

GRANT SELECT, INSERT ON platforms, tokens, rulesets, ruleset_versions, images, uploads, attempts,
    records, callbacks, idempotency_keys, audit TO moderation_app;
GRANT UPDATE (revoked_at) ON tokens TO moderation_app;
GRANT UPDATE (live_version) ON rulesets TO moderation_app;
GRANT UPDATE (canonical_sha256, state, waiting_for, outcome, verdict, attempt, charges, due_at,
    finished_at) ON uploads TO moderation_app;
GRANT UPDATE (outcome, charged, cost_microusd, finished_at, http_status, answer_sha256,
    answer_text, detail, input_tokens, output_tokens) ON attempts TO moderation_app;
GRANT UPDATE (status, body) ON idempotency_keys TO moderation_app;
GRANT DELETE ON idempotency_keys TO moderation_app;

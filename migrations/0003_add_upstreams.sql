-- What all worker processes know of each upstream together: whether it is down, how fast it may be
-- asked, and the edited pictures whose descriptions are still to be repaired.

CREATE TABLE upstreams (
    name        text PRIMARY KEY,
    seen_at     timestamptz NOT NULL DEFAULT now(),
    failures    integer NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- in a row
    down_since  timestamptz,
    down_reason text,
    probe_at    timestamptz,                         -- while down: when the next call may go out
    next_at     timestamptz NOT NULL DEFAULT now(),  -- when the rate has room for the next call
    slowed_to   double precision CHECK (slowed_to >= 1),  -- calls a minute, told by a 429
    slowed_at   timestamptz,
    CONSTRAINT down_whole CHECK (num_nulls(down_since, down_reason, probe_at) IN (0, 3)),
    CONSTRAINT slowed_whole CHECK (num_nulls(slowed_to, slowed_at) IN (0, 2))
);

-- The calls under way, which a limit counts.
CREATE INDEX attempts_under_way ON attempts (upstream) WHERE finished_at IS NULL;

CREATE INDEX uploads_waiting ON uploads (waiting_for) WHERE waiting_for IS NOT NULL;

ALTER TABLE attempts
    ADD COLUMN kind text NOT NULL DEFAULT 'edit' CHECK (kind IN ('edit', 'description')),
    ADD COLUMN cached_tokens integer,
    ADD COLUMN request_id text;

-- An edited picture that was paid for and came without a description that holds.
CREATE TABLE kept_edits (
    upload_id        uuid PRIMARY KEY REFERENCES uploads,
    attempt          integer NOT NULL,
    edited_sha256    bytea NOT NULL REFERENCES images,
    thumbnail_sha256 bytea NOT NULL REFERENCES images,
    faults           text[] NOT NULL,
    accused          boolean NOT NULL,  -- the refused description named a rule
    FOREIGN KEY (upload_id, attempt) REFERENCES attempts (upload_id, attempt)
);

-- Which attempt brought the picture, where another brought its description.
ALTER TABLE records ADD COLUMN edit_attempt integer;
ALTER TABLE records
    ADD FOREIGN KEY (upload_id, edit_attempt) REFERENCES attempts (upload_id, attempt);

GRANT SELECT, INSERT, UPDATE ON upstreams TO moderation_app;
GRANT SELECT, INSERT ON kept_edits TO moderation_app;
GRANT UPDATE (cached_tokens, request_id) ON attempts TO moderation_app;

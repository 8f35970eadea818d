-- Golden examples are run through the very pipeline as uploads of a platform of the system's own;
-- what came of them is read from those uploads.

-- The most that all calls for an upload together may cost; null where only budgets say.
-- (A CHECK would have the whole table read while it is locked.)
ALTER TABLE uploads ADD COLUMN max_cost_microusd bigint;

INSERT INTO platforms (name) VALUES ('golden-examples') ON CONFLICT (name) DO NOTHING;

-- Which stored picture an example of a version means that names it by its path.
CREATE TABLE example_pictures (
    ruleset    text NOT NULL,
    version    integer NOT NULL,
    path       text NOT NULL CHECK (length(path) BETWEEN 1 AND 1000),
    sha256     bytea NOT NULL REFERENCES images,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ruleset, version, path),
    FOREIGN KEY (ruleset, version) REFERENCES ruleset_versions (ruleset, version)
);

CREATE TABLE trials (
    id              uuid PRIMARY KEY,
    ruleset         text NOT NULL,
    version         integer NOT NULL,
    actor           text NOT NULL,
    quoted_microusd bigint NOT NULL CHECK (quoted_microusd >= 0),
    started_at      timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (ruleset, version) REFERENCES ruleset_versions (ruleset, version)
);
CREATE INDEX trials_version ON trials (ruleset, version, id);

-- ``position`` is the example's in the version's content, from 0.
CREATE TABLE trial_examples (
    trial_id  uuid NOT NULL REFERENCES trials,
    position  integer NOT NULL CHECK (position >= 0),
    upload_id uuid NOT NULL UNIQUE REFERENCES uploads,
    PRIMARY KEY (trial_id, position)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON example_pictures
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON example_pictures
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trials
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON trials EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trial_examples
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON trial_examples
    EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON example_pictures, trials, trial_examples TO moderation_app;

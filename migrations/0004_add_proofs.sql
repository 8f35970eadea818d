-- What each edit did to its picture, measured; a row for each attempt that brought a picture with a
-- description that holds.

CREATE TABLE proofs (
    upload_id   uuid NOT NULL,
    attempt     integer NOT NULL,
    verdict     text NOT NULL
                CHECK (verdict IN ('proven', 'changed_outside', 'not_redacted', 'other_picture')),
    confined    boolean NOT NULL,  -- the final picture has the edit's pixels in the regions only
    facts       jsonb NOT NULL CHECK (jsonb_typeof(facts) = 'object'),
    heat_sha256 bytea REFERENCES images,  -- a map of change; null where nothing can be compared
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upload_id, attempt),
    FOREIGN KEY (upload_id, attempt) REFERENCES attempts (upload_id, attempt)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON proofs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON proofs EXECUTE FUNCTION refuse_change();

-- The upstream's own picture, where it is kept beside the final one.
ALTER TABLE records ADD COLUMN raw_sha256 bytea REFERENCES images;

GRANT SELECT, INSERT ON proofs TO moderation_app;

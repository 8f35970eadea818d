-- Which version of a ruleset went live when, by whom and why; and what its author noted.

ALTER TABLE ruleset_versions ADD COLUMN note text CHECK (length(note) BETWEEN 1 AND 1000);

CREATE TABLE releases (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ruleset          text NOT NULL REFERENCES rulesets,
    version          integer NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('publish', 'rollback')),
    actor            text NOT NULL,
    reason           text,
    override         boolean NOT NULL DEFAULT false,  -- although golden examples had failed
    previous_version integer,                         -- null for the first release of a name
    at               timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (ruleset, version) REFERENCES ruleset_versions (ruleset, version),
    FOREIGN KEY (ruleset, previous_version) REFERENCES ruleset_versions (ruleset, version),
    CONSTRAINT released_anew CHECK (version IS DISTINCT FROM previous_version),
    CONSTRAINT override_has_reason CHECK (reason IS NOT NULL OR NOT override)
);
CREATE INDEX releases_ruleset ON releases (ruleset, id);

-- Until now the audit trail alone told what was published, also where that was live already.
INSERT INTO releases (ruleset, version, kind, actor, previous_version, at)
SELECT ruleset, version, 'publish', actor, previous_version, at
  FROM (SELECT id, at, actor, ruleset, version,
               lag(version) OVER (PARTITION BY ruleset ORDER BY id) AS previous_version
          FROM (SELECT id, at, actor, split_part(subject, '/', 1) AS ruleset,
                       split_part(subject, '/', 2)::integer AS version
                  FROM audit WHERE action = 'ruleset.publish') AS published) AS followed
 WHERE version IS DISTINCT FROM previous_version
 ORDER BY id;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON releases
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON releases EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON releases TO moderation_app;

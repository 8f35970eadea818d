-- What is asked of records: one row for each upload that is done or failed, with every column that
-- a filter names, and the counts of them, kept in the transaction that ends or changes the upload,
-- whatever code writes it.

-- In which language words are searched.  The row is the owner's to change; every case is read anew
-- in the transaction that does.
CREATE TABLE search_settings (
    single   boolean PRIMARY KEY DEFAULT true CHECK (single),
    language regconfig NOT NULL DEFAULT 'simple'
);
INSERT INTO search_settings DEFAULT VALUES;

-- Keys that all processes share: made here once, since no process may begin with another.
CREATE TABLE service_secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL CHECK (length(value) >= 32)
);
INSERT INTO service_secrets (name, value)
VALUES ('cursors', decode(replace(gen_random_uuid()::text || gen_random_uuid(), '-', ''), 'hex'));

CREATE TABLE cases (
    upload_id    uuid PRIMARY KEY REFERENCES uploads,
    platform     text NOT NULL,
    external_id  text,
    image_sha256 bytea,            -- null where none could be fetched
    ruleset      text NOT NULL,
    version      integer NOT NULL,
    state        text NOT NULL,
    outcome      text NOT NULL,
    verdict      text NOT NULL,
    severity     smallint NOT NULL,
    rank         bigint NOT NULL,  -- see derived_cases
    rules        text[] NOT NULL,
    model        text,             -- null where no call was made
    received_at  timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL,
    -- What people make of it is theirs to write, and is never derived.
    decision     text CHECK (decision IN ('allow', 'allow_edited', 'block', 'escalate')),
    decided_at   timestamptz,
    revision     integer NOT NULL DEFAULT 1,
    CONSTRAINT decided_whole CHECK (num_nulls(decision, decided_at) IN (0, 2)),
    UNIQUE (upload_id, received_at, rank)
);
-- Most of what waits for a person has no decision, and most that has none waits for nobody; a
-- platform has few rulesets.
CREATE STATISTICS cases_waiting (mcv) ON verdict, decision FROM cases;
CREATE STATISTICS cases_origin (mcv) ON platform, ruleset, version FROM cases;

-- rule:ID:S for each S from 1 to the rule's highest severity, and category:NAME.  They stand with
-- what pages are sorted by, so that a page of a rule, rare or frequent, is read from one place.  By
-- the foreign key the planner knows that comparing all three finds one.
CREATE TABLE case_tags (
    tag         text NOT NULL,
    received_at timestamptz NOT NULL,
    rank        bigint NOT NULL,
    upload_id   uuid NOT NULL,
    PRIMARY KEY (tag, received_at, upload_id),
    FOREIGN KEY (upload_id, received_at, rank)
        REFERENCES cases (upload_id, received_at, rank)
);
CREATE INDEX case_tags_rank ON case_tags (tag, rank, upload_id);
ALTER TABLE case_tags ALTER COLUMN tag SET STATISTICS 1000;

-- Wide, and therefore apart.
CREATE TABLE case_words (
    upload_id   uuid PRIMARY KEY,
    received_at timestamptz NOT NULL,
    rank        bigint NOT NULL,
    words       tsvector NOT NULL,
    FOREIGN KEY (upload_id, received_at, rank)
        REFERENCES cases (upload_id, received_at, rank)
);
-- Frequent words are soon found along these.
CREATE INDEX case_words_received ON case_words (received_at, upload_id);
CREATE INDEX case_words_rank ON case_words (rank, upload_id);
-- A list of what is still to be indexed would be read by every search.
CREATE INDEX case_words_words ON case_words USING gin (words) WITH (fastupdate = off);
ALTER TABLE case_words ALTER COLUMN words SET STATISTICS 1000;

-- What other taxonomies call the rules of a version.
CREATE VIEW rule_categories AS
SELECT DISTINCT v.ruleset, v.version, rule ->> 'id' AS rule, name #>> '{}' AS category
  FROM ruleset_versions AS v,
       jsonb_path_query(v.content, '$.rules[*]') AS rule,
       jsonb_path_query(rule, '$.categories.*[*]') AS name;

-- How a case follows from its upload.  Ranks put the most severe first, then the oldest: ten to the
-- sixteenth microseconds are 317 years.  They are one number that hardly any two share, since of
-- several columns that are compared as a row the planner estimates by the first alone.
-- A reused upload has no attempt of its own, but its leader's.
-- Only so many characters are searched as surely fit into a tsvector.
CREATE VIEW derived_cases AS
SELECT u.id AS upload_id, u.platform, u.external_id, u.image_sha256, u.ruleset, u.version,
       u.state, u.outcome, u.verdict, coalesce(r.severity, 0::smallint) AS severity,
       (4 - coalesce(r.severity, 0)) * 10000000000000000
           + (extract(epoch FROM u.received_at) * 1000000)::bigint AS rank,
       coalesce(r.rules, '{}') AS rules, a.model, u.received_at, u.finished_at,
       ARRAY(SELECT 'rule:' || worst.rule || ':' || level
               FROM (SELECT found ->> 'rule' AS rule, max((found -> 'severity')::smallint) AS severity
                       FROM jsonb_path_query(r.description, '$.findings[*]') AS found
                      GROUP BY 1) AS worst,
                    generate_series(1, worst.severity) AS level
              UNION ALL
             SELECT DISTINCT 'category:' || k.category
               FROM rule_categories AS k
              WHERE (k.ruleset, k.version) = (u.ruleset, u.version)
                AND k.rule = ANY (r.rules)) AS tags,
       to_tsvector(s.language, left(concat_ws(' ', r.description ->> 'summary',
           (SELECT string_agg(text #>> '{}', ' ')
              FROM jsonb_path_query(r.description, '$.findings[*].rationale') AS text)),
           100000)) AS words
  FROM search_settings AS s CROSS JOIN uploads AS u
  LEFT JOIN records AS r ON r.upload_id = u.id
  LEFT JOIN uploads AS o ON o.id = u.reused_from
  LEFT JOIN attempts AS a ON a.upload_id = coalesce(o.id, u.id)
                         AND a.attempt = coalesce(o.attempt, u.attempt)
 WHERE u.state IN ('done', 'failed');

-- Every order in which pages are asked for, with each filter that may leave few of many.
CREATE INDEX cases_received ON cases (received_at, upload_id);
CREATE INDEX cases_severity ON cases (rank, upload_id);
CREATE INDEX cases_platform ON cases (platform, received_at, upload_id);
CREATE INDEX cases_ruleset ON cases (ruleset, received_at, upload_id);
CREATE INDEX cases_version ON cases (ruleset, version, received_at, upload_id);
CREATE INDEX cases_outcome ON cases (outcome, received_at, upload_id);
CREATE INDEX cases_verdict ON cases (verdict, received_at, upload_id);
CREATE INDEX cases_model ON cases (model, received_at, upload_id);
CREATE INDEX cases_decision ON cases (decision, received_at, upload_id)
    WHERE decision IS NOT NULL;
CREATE INDEX cases_external_id ON cases (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX cases_image ON cases (image_sha256);
-- What waits for a person, in the order of the queues.
CREATE INDEX cases_pending ON cases (rank, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_platform ON cases (platform, rank, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_ruleset ON cases (ruleset, rank, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_origin ON cases (platform, ruleset, rank, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_received ON cases (received_at, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_platform_received ON cases (platform, received_at, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_ruleset_received ON cases (ruleset, received_at, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
CREATE INDEX cases_pending_origin_received ON cases (platform, ruleset, received_at, upload_id)
    WHERE decision IS NULL AND verdict IN ('hold', 'block');
-- Counts by the day (UTC) on which uploads were received, as filters speak of it.
CREATE TABLE case_counts (
    day      date NOT NULL,
    platform text NOT NULL,
    ruleset  text NOT NULL,
    version  integer NOT NULL,
    state    text NOT NULL,
    outcome  text NOT NULL,
    verdict  text NOT NULL,
    model    text,
    cases    bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (day, platform, ruleset, version, state, outcome, verdict, model)
);
CREATE TABLE rule_counts (
    day      date NOT NULL,
    platform text NOT NULL,
    ruleset  text NOT NULL,
    version  integer NOT NULL,
    rule     text NOT NULL,
    cases    bigint NOT NULL,
    PRIMARY KEY (day, platform, ruleset, version, rule)
);

-- All transactions that change counts take turns from here to their commit, so that those with
-- several cases never wait for each other in a circle.
CREATE FUNCTION count_cases(changed cases[], sign integer) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('case_counts', 0));
    INSERT INTO case_counts AS kept
           (day, platform, ruleset, version, state, outcome, verdict, model, cases)
    SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, state, outcome,
           verdict, model, sign * count(*)
      FROM unnest(changed)
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT (day, platform, ruleset, version, state, outcome, verdict, model) DO UPDATE
       SET cases = kept.cases + excluded.cases;
$$;
CREATE FUNCTION count_rules(changed cases[], sign integer) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO rule_counts AS kept (day, platform, ruleset, version, rule, cases)
    SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, rule,
           sign * count(*)
      FROM unnest(changed) AS one, unnest(one.rules) AS rule
     GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (day, platform, ruleset, version, rule) DO UPDATE
       SET cases = kept.cases + excluded.cases;
$$;
CREATE FUNCTION count_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM count_cases(array_agg(one::cases), 1), count_rules(array_agg(one::cases), 1)
       FROM added AS one;
    RETURN NULL;
END $$;
CREATE FUNCTION count_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM count_cases(array_agg(one::cases), -1), count_rules(array_agg(one::cases), -1)
       FROM removed AS one;
    RETURN NULL;
END $$;
CREATE FUNCTION count_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM count_cases(ARRAY[OLD], -1), count_cases(ARRAY[NEW], 1);
    RETURN NULL;
END $$;
CREATE TRIGGER count_added AFTER INSERT ON cases
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added();
CREATE TRIGGER count_removed AFTER DELETE ON cases
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_removed();
CREATE TRIGGER count_changed AFTER UPDATE OF state, outcome, verdict ON cases
    FOR EACH ROW WHEN ((OLD.state, OLD.outcome, OLD.verdict)
        IS DISTINCT FROM (NEW.state, NEW.outcome, NEW.verdict))
    EXECUTE FUNCTION count_changed();

-- Makes the cases of uploads that have ended, or brings them up to date.
CREATE FUNCTION keep_cases(uploads uuid[]) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    WITH derived AS MATERIALIZED (
        SELECT * FROM derived_cases WHERE upload_id = ANY (uploads)),
    tagged AS (
        INSERT INTO case_tags (tag, received_at, rank, upload_id)
        SELECT unnest(tags), received_at, rank, upload_id FROM derived
            ON CONFLICT DO NOTHING),
    worded AS (
        INSERT INTO case_words (upload_id, received_at, rank, words)
        SELECT upload_id, received_at, rank, words FROM derived
            ON CONFLICT DO NOTHING)
    INSERT INTO cases AS kept (upload_id, platform, external_id, image_sha256, ruleset, version,
           state, outcome, verdict, severity, rank, rules, model, received_at, finished_at)
    SELECT upload_id, platform, external_id, image_sha256, ruleset, version, state, outcome,
           verdict, severity, rank, rules, model, received_at, finished_at
      FROM derived
        ON CONFLICT (upload_id) DO UPDATE
       SET state = excluded.state, outcome = excluded.outcome, verdict = excluded.verdict
     WHERE (kept.state, kept.outcome, kept.verdict)
        <> (excluded.state, excluded.outcome, excluded.verdict);
$$;
CREATE FUNCTION forget_case(upload uuid) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM case_tags AS t USING cases AS c
     WHERE c.upload_id = upload AND (t.received_at, t.upload_id) = (c.received_at, c.upload_id)
       AND t.tag IN (SELECT 'rule:' || rule || ':' || level
                       FROM unnest(c.rules) AS rule, generate_series(1, 4) AS level
                      UNION ALL
                     SELECT 'category:' || k.category
                       FROM rule_categories AS k
                      WHERE (k.ruleset, k.version) = (c.ruleset, c.version)
                        AND k.rule = ANY (c.rules));
    DELETE FROM case_words WHERE upload_id = upload;
    DELETE FROM cases WHERE upload_id = upload;
$$;
CREATE FUNCTION keep_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM uploads WHERE id = NEW.id AND state IN ('done', 'failed')) THEN
        PERFORM keep_cases(ARRAY[NEW.id]);
    ELSE
        PERFORM forget_case(NEW.id);
    END IF;
    RETURN NULL;
END $$;
-- At commit the record is there too, and counts are locked for no longer than a commit takes.
CREATE CONSTRAINT TRIGGER keep_case_of_new AFTER INSERT ON uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state IN ('done', 'failed'))
    EXECUTE FUNCTION keep_case();
CREATE CONSTRAINT TRIGGER keep_case AFTER UPDATE OF state, outcome, verdict ON uploads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state IN ('done', 'failed') OR NEW.state IN ('done', 'failed'))
    EXECUTE FUNCTION keep_case();

CREATE FUNCTION read_words_anew() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE case_words AS w SET words = d.words
      FROM derived_cases AS d WHERE d.upload_id = w.upload_id;
    RETURN NULL;
END $$;
CREATE TRIGGER read_words_anew AFTER UPDATE OF language ON search_settings
    FOR EACH ROW WHEN (OLD.language <> NEW.language) EXECUTE FUNCTION read_words_anew();

-- What is wrong with an SQL/JSON path, and behind how many of its characters: the longest beginning
-- that could still become a path.  Nulls for a path that is right.
CREATE FUNCTION fault_in_path(path text, OUT message text, OUT place integer) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM path::jsonpath;
EXCEPTION WHEN OTHERS THEN
    message := SQLERRM;
    place := 0;
    FOR size IN REVERSE length(path)..1 LOOP
        BEGIN
            PERFORM left(path, size)::jsonpath;
            place := size;
            RETURN;
        EXCEPTION WHEN OTHERS THEN
            IF SQLERRM LIKE '% at end of jsonpath input' THEN
                place := size;
                RETURN;
            END IF;
        END;
    END LOOP;
END $$;

-- Filters that somebody keeps, for himself or for everybody.
CREATE TABLE saved_views (
    id         uuid PRIMARY KEY,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    filter     jsonb NOT NULL CHECK (jsonb_typeof(filter) = 'object'),
    "order"    text NOT NULL,
    owner      uuid NOT NULL REFERENCES tokens,
    shared     boolean NOT NULL,
    revision   integer NOT NULL DEFAULT 1,  -- what If-Match is compared with
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner, name)
);

-- Cases and counts follow from uploads, whatever code writes those.
REVOKE ALL ON FUNCTION count_cases, count_rules, keep_cases, forget_case FROM PUBLIC;
GRANT SELECT ON search_settings, service_secrets, cases, case_tags, case_words, case_counts,
    rule_counts TO moderation_app;
GRANT UPDATE (decision, decided_at, revision) ON cases TO moderation_app;
GRANT SELECT, INSERT, DELETE ON saved_views TO moderation_app;
GRANT UPDATE (name, filter, "order", shared, revision) ON saved_views TO moderation_app;

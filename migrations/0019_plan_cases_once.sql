-- What makes a case and counts it, as before, in a language whose plans outlive the call: before
-- PostgreSQL 18 an SQL function is planned anew each time, which was a fifth of all that the server
-- did for an upload.  One upload at a time, so that each is found by its key, however few there are
-- when the plan is made.

CREATE OR REPLACE FUNCTION keep_cases(uploads uuid[]) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    one uuid;
BEGIN
    FOREACH one IN ARRAY uploads LOOP
        WITH derived AS MATERIALIZED (
            SELECT * FROM derived_cases WHERE upload_id = one),
        tagged AS (
            INSERT INTO case_tags (tag, received_at, rank, upload_id)
            SELECT unnest(tags), received_at, rank, upload_id FROM derived
                ON CONFLICT DO NOTHING),
        worded AS (
            INSERT INTO case_words (upload_id, received_at, rank, words)
            SELECT upload_id, received_at, rank, words FROM derived
                ON CONFLICT DO NOTHING)
        INSERT INTO cases AS kept (upload_id, platform, external_id, image_sha256, ruleset,
               version, state, outcome, verdict, severity, rank, rules, model, received_at,
               finished_at)
        SELECT upload_id, platform, external_id, image_sha256, ruleset, version, state, outcome,
               verdict, severity, rank, rules, model, received_at, finished_at
          FROM derived
            ON CONFLICT (upload_id) DO UPDATE
           SET state = excluded.state, outcome = excluded.outcome, verdict = excluded.verdict
         WHERE (kept.state, kept.outcome, kept.verdict)
            <> (excluded.state, excluded.outcome, excluded.verdict);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION count_cases(changed cases[], sign integer) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- All transactions that change counts take turns from here to their commit, so that those with
    -- several cases never wait for each other in a circle.
    PERFORM pg_advisory_xact_lock(hashtextextended('case_counts', 0));
    INSERT INTO case_counts AS kept
           (day, platform, ruleset, version, state, outcome, verdict, model, cases)
    SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, state, outcome,
           verdict, model, sign * count(*)
      FROM unnest(changed)
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT (day, platform, ruleset, version, state, outcome, verdict, model) DO UPDATE
       SET cases = kept.cases + excluded.cases;
END $$;

CREATE OR REPLACE FUNCTION count_rules(changed cases[], sign integer) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO rule_counts AS kept (day, platform, ruleset, version, rule, cases)
    SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, rule,
           sign * count(*)
      FROM unnest(changed) AS one, unnest(one.rules) AS rule
     GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (day, platform, ruleset, version, rule) DO UPDATE
       SET cases = kept.cases + excluded.cases;
END $$;

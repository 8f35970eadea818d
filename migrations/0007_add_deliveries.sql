-- Where platforms are called back, and every try of it.

CREATE TABLE endpoints (
    id               uuid PRIMARY KEY,
    platform         text NOT NULL REFERENCES platforms,
    url              text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    events           text[] NOT NULL CHECK (cardinality(events) > 0),
    -- The newest first; the one before it signs too until old_secret_until.
    secrets          text[] NOT NULL CHECK (cardinality(secrets) BETWEEN 1 AND 2),
    old_secret_until timestamptz,
    failing_since    timestamptz,  -- null while the last try was answered with 2xx
    disabled_at      timestamptz,
    disabled_reason  text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rotating_whole CHECK ((cardinality(secrets) = 2) = (old_secret_until IS NOT NULL)),
    CONSTRAINT disabled_whole CHECK (num_nulls(disabled_at, disabled_reason) IN (0, 2))
);
CREATE INDEX endpoints_platform ON endpoints (platform, id);

-- What is to be delivered where.  ``attempt`` is the fence and only grows; ``tries`` counts within
-- a round, and a redelivery begins a new one.
CREATE TABLE delivery_jobs (
    callback_id uuid NOT NULL REFERENCES callbacks,
    endpoint    uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempt     integer NOT NULL DEFAULT 0,
    tries       integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    due_at      timestamptz NOT NULL DEFAULT now(),  -- during a try: the end of its lease
    PRIMARY KEY (callback_id, endpoint)
);
CREATE INDEX delivery_jobs_due ON delivery_jobs (endpoint, due_at) WHERE state = 'waiting';

-- One row a try, entered before it is sent and completed once.  The log outlives the endpoint.
CREATE TABLE deliveries (
    callback_id  uuid NOT NULL REFERENCES callbacks,
    endpoint     uuid NOT NULL,
    attempt      integer NOT NULL CHECK (attempt > 0),
    url          text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    status       integer,
    error        text,
    delivered_at timestamptz,
    PRIMARY KEY (callback_id, endpoint, attempt),
    CONSTRAINT ended_one_way CHECK
        (num_nonnulls(error, delivered_at) = CASE WHEN finished_at IS NULL THEN 0 ELSE 1 END),
    CONSTRAINT delivered_by_2xx CHECK (delivered_at IS NULL OR status BETWEEN 200 AND 299)
);
CREATE TRIGGER completed_once BEFORE UPDATE ON deliveries
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON deliveries EXECUTE FUNCTION refuse_change();

-- Whoever writes a callback queues it in the same transaction, the code before this file too.  An
-- endpoint that is just being removed is waited for, so that its end never costs an upload its own.
CREATE FUNCTION queue_deliveries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO delivery_jobs (callback_id, endpoint)
    SELECT NEW.id, e.id
      FROM endpoints AS e
     WHERE e.platform = (SELECT platform FROM uploads WHERE id = NEW.upload_id)
       AND NEW.type = ANY (e.events)
       FOR KEY SHARE OF e;
    IF FOUND THEN
        PERFORM pg_notify('callbacks_due', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER queue_deliveries AFTER INSERT ON callbacks
    FOR EACH ROW EXECUTE FUNCTION queue_deliveries();

GRANT SELECT, INSERT, DELETE ON endpoints TO moderation_app;
GRANT UPDATE (url, events, secrets, old_secret_until, failing_since, disabled_at, disabled_reason)
    ON endpoints TO moderation_app;
GRANT SELECT, INSERT ON delivery_jobs, deliveries TO moderation_app;
GRANT UPDATE (state, attempt, tries, due_at) ON delivery_jobs TO moderation_app;
GRANT UPDATE (finished_at, status, error, delivered_at) ON deliveries TO moderation_app;

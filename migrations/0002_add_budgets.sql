-- Budgets, and what was spent within each day and month (UTC), kept by the ledger itself: the
-- trigger below moves money in the transaction that enters or completes an attempt, whoever
-- writes it, so that the code before this file keeps the books too.

ALTER TABLE attempts ADD COLUMN price_version text;  -- null: entered by the code before this file
CREATE INDEX attempts_started ON attempts (started_at);

CREATE TABLE budgets (
    scope          text NOT NULL
                   CHECK (scope ~ '^(global|(platform|ruleset):[a-z0-9][a-z0-9-]{0,62})$'),
    period         text NOT NULL CHECK (period IN ('day', 'month')),
    limit_microusd bigint NOT NULL CHECK (limit_microusd >= 0),
    warn_share     double precision NOT NULL DEFAULT 0.8 CHECK (warn_share BETWEEN 0 AND 1),
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, period)
);

-- There is a row for each scope, with a budget or without, so that a budget set in the middle of
-- a month counts from its beginning.  No CHECK stands on the amounts: what was paid for must
-- never be lost to bookkeeping.
CREATE TABLE spending (
    scope             text NOT NULL,
    period            text NOT NULL,
    starts_on         date NOT NULL,
    reserved_microusd bigint NOT NULL,
    spent_microusd    bigint NOT NULL,
    PRIMARY KEY (scope, period, starts_on)
);

-- What was told of a budget in a period; the key lets it be told once for each limit.
CREATE TABLE budget_notices (
    scope          text NOT NULL,
    period         text NOT NULL,
    starts_on      date NOT NULL,
    limit_microusd bigint NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('warned', 'spent')),
    told_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, period, starts_on, limit_microusd, kind)
);

CREATE FUNCTION keep_spending() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    reserved bigint := CASE WHEN NEW.finished_at IS NULL THEN NEW.reserved_microusd ELSE 0 END;
    spent    bigint := coalesce(NEW.cost_microusd, 0);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        reserved := reserved
            - CASE WHEN OLD.finished_at IS NULL THEN OLD.reserved_microusd ELSE 0 END;
        spent := spent - coalesce(OLD.cost_microusd, 0);
    END IF;
    IF reserved = 0 AND spent = 0 THEN
        RETURN NULL;  -- What costs nothing waits for nobody's lock.
    END IF;
    -- All take the rows in this order, so that none waits for another in a circle: the month that
    -- everybody shares comes first.
    INSERT INTO spending AS kept (scope, period, starts_on, reserved_microusd, spent_microusd)
    SELECT one.scope, each.period,
           date_trunc(each.period, NEW.started_at AT TIME ZONE 'UTC')::date, reserved, spent
      FROM uploads AS u,
           unnest(ARRAY['global', 'platform:' || u.platform, 'ruleset:' || u.ruleset])
               AS one (scope),
           unnest(ARRAY['month', 'day']) AS each (period)
     WHERE u.id = NEW.upload_id
     ORDER BY each.period DESC, one.scope COLLATE "C"
        ON CONFLICT (scope, period, starts_on) DO UPDATE
       SET reserved_microusd = kept.reserved_microusd + excluded.reserved_microusd,
           spent_microusd = kept.spent_microusd + excluded.spent_microusd;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_spending AFTER INSERT OR UPDATE ON attempts
    FOR EACH ROW EXECUTE FUNCTION keep_spending();

-- The trigger holds back writers until this file is committed, so nothing is missed or counted
-- twice.
INSERT INTO spending (scope, period, starts_on, reserved_microusd, spent_microusd)
SELECT one.scope, each.period, date_trunc(each.period, a.started_at AT TIME ZONE 'UTC')::date,
       coalesce(sum(a.reserved_microusd) FILTER (WHERE a.finished_at IS NULL), 0),
       coalesce(sum(a.cost_microusd), 0)
  FROM attempts AS a
  JOIN uploads AS u ON u.id = a.upload_id,
       unnest(ARRAY['global', 'platform:' || u.platform, 'ruleset:' || u.ruleset])
           AS one (scope),
       unnest(ARRAY['month', 'day']) AS each (period)
 GROUP BY 1, 2, 3;

-- The books themselves are the trigger's alone.
GRANT SELECT ON spending TO moderation_app;
GRANT SELECT, INSERT, DELETE ON budgets TO moderation_app;
GRANT UPDATE (limit_microusd, warn_share) ON budgets TO moderation_app;
GRANT SELECT, INSERT ON budget_notices TO moderation_app;

-- What a platform may choose and use, what a token may do and until when, and the indexes by which
-- platforms take turns at being worked on.

-- Nulls in the four columns mean: the service's own default, and no limit.
ALTER TABLE platforms
    ADD COLUMN default_ruleset     text REFERENCES rulesets,
    ADD COLUMN max_requests_per_s  double precision
               CHECK (max_requests_per_s BETWEEN 0.001 AND 1000000),
    ADD COLUMN max_uploads_per_day bigint CHECK (max_uploads_per_day >= 0),
    ADD COLUMN max_bytes_per_day   bigint CHECK (max_bytes_per_day >= 0),
    ADD COLUMN revision            integer NOT NULL DEFAULT 1;  -- what If-Match is compared with

-- Null scopes are all that the role may do.
ALTER TABLE tokens
    ADD COLUMN name         text CHECK (length(name) BETWEEN 1 AND 200),
    ADD COLUMN scopes       text[] CHECK (cardinality(scopes) > 0),
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN last_used_at timestamptz;

-- When the rate of a platform has room for its next request.  Unlogged, so that counting a request
-- waits for no disk: after a crash every platform merely begins with a free second.
CREATE UNLOGGED TABLE request_rates (
    platform text PRIMARY KEY,
    next_at  timestamptz NOT NULL
);

-- What a platform was accepted on a day (UTC), kept with a limit or without, so that a limit set at
-- noon counts from midnight.
CREATE TABLE intake_days (
    platform text NOT NULL REFERENCES platforms,
    day      date NOT NULL,
    uploads  bigint NOT NULL,
    bytes    bigint NOT NULL,
    PRIMARY KEY (platform, day)
);

-- Each platform's own queue in order, and what is worked on for it.
CREATE INDEX uploads_platform_due ON uploads (platform, due_at, id)
    WHERE state IN ('queued', 'working');
-- By the index of all queues together the planner would look for one platform's few uploads among
-- everybody's; the code before this file claims without it, only more slowly.
DROP INDEX uploads_due;
CREATE INDEX uploads_in_flight ON uploads (platform, due_at) WHERE state = 'working';

GRANT UPDATE (default_ruleset, max_requests_per_s, max_uploads_per_day, max_bytes_per_day,
    revision) ON platforms TO moderation_app;
GRANT UPDATE (expires_at, last_used_at) ON tokens TO moderation_app;
GRANT SELECT, INSERT, UPDATE ON request_rates, intake_days TO moderation_app;

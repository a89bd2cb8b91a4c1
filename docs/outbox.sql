-- A transactional outbox for PostgreSQL 13 or newer: the table that Concord's connector `outbox` reads, and a function that
-- writes it. Its first five columns are those of Debezium's outbox event router.
--
-- An application changes its rows and calls `outbox_put` in one transaction: either both are there, or neither. It changes
-- the aggregate's own row first (or locks it, `SELECT … FOR UPDATE`): then the events of an aggregate are in the order of
-- their commits.

CREATE TABLE outbox (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    aggregatetype text NOT NULL,
    aggregateid   text NOT NULL,
    type          text NOT NULL,
    payload       jsonb NOT NULL,
    traceparent   text,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    xid           bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
);
CREATE INDEX outbox_unread ON outbox (aggregatetype, xid, seq);

-- Gives the event's id. Under an id of one's own the same event can be put twice, and is told once.
CREATE FUNCTION outbox_put(
    aggregatetype text, aggregateid text, type text, payload jsonb,
    id uuid DEFAULT gen_random_uuid(), traceparent text DEFAULT NULL
) RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, traceparent) VALUES ($5, $1, $2, $3, $4, $6)
    ON CONFLICT (id) DO NOTHING;
    SELECT $5;
$$;

-- Drops what is older than that. Keep events for longer than Concord may be away: what was dropped unread is lost.
CREATE FUNCTION outbox_prune(keep interval) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM outbox WHERE at < clock_timestamp() - keep RETURNING 1) SELECT count(*) FROM gone;
$$;

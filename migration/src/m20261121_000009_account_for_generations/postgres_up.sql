-- The history of generations, in PostgreSQL: a partition for each UTC month. Placeholders are filled
-- in when the migration runs. The tables of rollups are there already.
--
-- A month is dropped as a whole, in no time and without leaving dead rows, and a page of the latest
-- entries looks at one or two partitions. There is no default partition: it would have to be read
-- whenever a partition is made, while everybody waits.
--
-- What writers should know:
-- * A row needs the partition of its month. The migration makes those of the current and the next
--   three; SELECT ensure_generation_partition(…) makes any other.
-- * Every row's identity belongs in generation_ids, in the same transaction.
-- * A role other than the owner needs EXECUTE on the functions below, if it calls them.

ALTER TABLE %schema%.generation_history RENAME TO generation_history_unpartitioned;
-- Their names are used again.
DROP INDEX %schema%.idx_generation_history_artist_id_created_at;
ALTER TABLE %schema%.generation_history_unpartitioned DROP CONSTRAINT pk_generation_history;

CREATE TABLE %schema%.generation_history (
    id uuid NOT NULL,
    -- Without a foreign key: it may be the identity of an artist that was removed.
    artist_id uuid NULL,
    provider_used varchar(50) COLLATE "C" NOT NULL,
    model varchar(100) COLLATE "C" NULL,
    status varchar(20) COLLATE "C" NOT NULL DEFAULT 'completed',
    error text COLLATE "C" NULL,
    generation_time_ms bigint NOT NULL,
    tokens_used bigint NULL,
    input_tokens bigint NULL,
    output_tokens bigint NULL,
    cache_read_tokens bigint NULL,
    cache_write_tokens bigint NULL,
    reasoning_tokens bigint NULL,
    cost bigint NULL,
    user_params jsonb NOT NULL DEFAULT '{}',
    output_files jsonb NOT NULL DEFAULT '[]',
    steps jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    -- The key of a partitioned table has to hold what it is partitioned by. It serves by time.
    CONSTRAINT pk_generation_history PRIMARY KEY (created_at, id),
    CONSTRAINT ck_generation_history_provider_used CHECK (length(provider_used) BETWEEN 1 AND 50),
    CONSTRAINT ck_generation_history_model CHECK (length(model) BETWEEN 1 AND 100),
    CONSTRAINT ck_generation_history_status
        CHECK (status IN ('completed', 'failed', 'cancelled')),
    CONSTRAINT ck_generation_history_generation_time_ms
        CHECK (generation_time_ms BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_tokens_used CHECK (tokens_used BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_input_tokens CHECK (input_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_output_tokens CHECK (output_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_cache_read_tokens
        CHECK (cache_read_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_cache_write_tokens
        CHECK (cache_write_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_reasoning_tokens
        CHECK (reasoning_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_cost CHECK (cost BETWEEN 0 AND 1000000000000000)
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_generation_history_artist_id_created_at
    ON %schema%.generation_history (artist_id, created_at DESC, id DESC);
COMMENT ON TABLE %schema%.generation_history IS
    'Generations, a partition for each UTC month; SELECT ensure_generation_partition(…) makes one.';
COMMENT ON COLUMN %schema%.generation_history.artist_id IS
    'stays when the artist is removed, and then resolves to nothing';
COMMENT ON COLUMN %schema%.generation_history.cost IS 'nano-dollars: 1 USD is 1000000000';

-- A unique index of a partitioned table is one for each partition, so the key of the history cannot
-- keep an identity from being used in two months: a generation that is recorded again, with another
-- time, would be counted twice. The key of this table can.
CREATE TABLE %schema%.generation_ids (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_generation_ids PRIMARY KEY (id)
);
COMMENT ON TABLE %schema%.generation_ids IS
    'The identities of the generations in the history, unique across its partitions, '
    'and the time that tells the partition.';

-- Partitions.
--
-- The functions run as their owner, so that a role that may not change tables can have a partition
-- made and dropped; therefore nobody else may run them unless told so, and they find nothing but
-- what is in their own schema. They reckon in UTC, and write times down in one way, whatever the
-- session is set to.
--
-- Callers take turns with the lock that attaching needs, which keeps neither readers nor writers
-- waiting. Taking a table's lock also has the session hear of what others did to it meanwhile, which
-- an advisory lock does not: to_regclass then looks at the catalog as it is, also in a transaction
-- that sees everything else as of its beginning. Since a turn lasts until the transaction ends,
-- calls belong in short transactions of their own.

-- A table that is made apart and attached, unlike one that is made as a partition, keeps neither
-- readers nor writers of the history waiting. It is empty, so attaching has nothing to check.
CREATE FUNCTION %schema%.ensure_generation_partition(at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER STRICT
SET search_path = %schema%, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $groovebase$
DECLARE
    month CONSTANT timestamptz := date_trunc('month', at);
    suffix CONSTANT text := to_char(month, '"_y"YYYY"m"MM');
    part CONSTANT text := 'generation_history' || suffix;
BEGIN
    -- The name of another year would be ambiguous or would not sort.
    IF at < '0001-01-01 00:00:00+00' OR at >= '10000-01-01 00:00:00+00' THEN
        RAISE EXCEPTION 'generations have no partition for the year of %', at
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF to_regclass(%history% || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY generation_history IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(%history% || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;

    EXECUTE format('CREATE TABLE %I (LIKE generation_history INCLUDING ALL)', part);
    EXECUTE format(
        'ALTER TABLE generation_history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        part, month, month + interval '1 month'
    );
    RETURN true;
END
$groovebase$;
COMMENT ON FUNCTION %schema%.ensure_generation_partition(timestamptz) IS
    'Makes the partition of generation_history for the UTC month of a time, if it is missing; '
    'true if it made it.';

-- Whoever sums up a month before dropping it has to know that nothing is added meanwhile. Readers go on.
CREATE FUNCTION %schema%.lock_generation_partition(at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER STRICT
SET search_path = %schema%, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $groovebase$
DECLARE
    suffix CONSTANT text := to_char(date_trunc('month', at), '"_y"YYYY"m"MM');
BEGIN
    IF at < '0001-01-01 00:00:00+00' OR at >= '10000-01-01 00:00:00+00' THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY generation_history IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(%history% || suffix) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', 'generation_history' || suffix);
    RETURN true;
END
$groovebase$;
COMMENT ON FUNCTION %schema%.lock_generation_partition(timestamptz) IS
    'Keeps everybody from adding to the partition of generation_history for the UTC month of a '
    'time until the transaction ends; true if there is one.';

-- The history is locked against everybody until the transaction ends, and so that this is short, it
-- comes last. It also waits for everybody, and everybody for it: callers set a lock_timeout. Writers
-- to the month in question wait from the beginning, lest the identity of a row that they add stays;
-- such a writer can deadlock with this, and then one of both has to try again.
CREATE FUNCTION %schema%.drop_generation_partition(at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER STRICT
SET search_path = %schema%, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $groovebase$
DECLARE
    suffix CONSTANT text := to_char(date_trunc('month', at), '"_y"YYYY"m"MM');
    part CONSTANT text := 'generation_history' || suffix;
BEGIN
    -- Its name could be that of another year's.
    IF at < '0001-01-01 00:00:00+00' OR at >= '10000-01-01 00:00:00+00' THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY generation_history IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(%history% || suffix) IS NULL THEN
        RETURN false;
    END IF;

    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', part);
    EXECUTE format(
        'DELETE FROM generation_ids AS identity USING %I AS dropped WHERE identity.id = dropped.id',
        part
    );
    EXECUTE format('DROP TABLE %I', part);
    RETURN true;
END
$groovebase$;
COMMENT ON FUNCTION %schema%.drop_generation_partition(timestamptz) IS
    'Drops the partition of generation_history for the UTC month of a time, with the identities '
    'of its generations; true if there was one.';

REVOKE ALL ON FUNCTION %schema%.ensure_generation_partition(timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION %schema%.lock_generation_partition(timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION %schema%.drop_generation_partition(timestamptz) FROM PUBLIC;

-- What there is.

SELECT %schema%.ensure_generation_partition(month)
FROM (
    SELECT DISTINCT date_trunc('month', created_at, 'UTC') AS month
    FROM %schema%.generation_history_unpartitioned
) AS months;
SELECT %schema%.ensure_generation_partition(
    (date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month')
        AT TIME ZONE 'UTC'
)
FROM generate_series(0, 3) AS ahead;

INSERT INTO %schema%.generation_history (
    id, artist_id, provider_used, generation_time_ms, tokens_used, cost, user_params, output_files,
    created_at
)
SELECT
    id, artist_id, provider_used, generation_time_ms, tokens_used, cost, user_params, output_files,
    created_at
FROM %schema%.generation_history_unpartitioned;
INSERT INTO %schema%.generation_ids (id, created_at)
SELECT id, created_at FROM %schema%.generation_history_unpartitioned;

-- Quarters of an hour are counted from a time before all others, because date_bin of some releases
-- is wrong about times before its origin.
INSERT INTO %schema%.generation_rollup_pending (
    starts_at, provider_used, model, status, generations, time_ms, priced, cost_dollars, cost_nanos,
    tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, times
)
SELECT
    date_bin('15 minutes', created_at, '0001-01-01 00:00:00+00'), provider_used, '', 'completed',
    1, generation_time_ms, (cost IS NOT NULL)::integer, coalesce(cost / 1000000000, 0),
    coalesce(cost % 1000000000, 0), coalesce(tokens_used, 0), 0, 0, 0, 0, 0, NULL
FROM %schema%.generation_history_unpartitioned;

INSERT INTO %schema%.generation_artist_pending (
    artist_id, starts_at, provider_used, model, status, generations, time_ms, priced, cost_dollars,
    cost_nanos, tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, times
)
SELECT
    coalesce(artist_id, '00000000-0000-0000-0000-000000000000'),
    date_trunc('month', created_at, 'UTC'), provider_used, '', 'completed',
    1, generation_time_ms, (cost IS NOT NULL)::integer, coalesce(cost / 1000000000, 0),
    coalesce(cost % 1000000000, 0), coalesce(tokens_used, 0), 0, 0, 0, 0, 0, NULL
FROM %schema%.generation_history_unpartitioned;

DROP TABLE %schema%.generation_history_unpartitioned;

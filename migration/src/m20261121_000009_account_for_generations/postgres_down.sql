-- The history in one table again. What it did not have goes: models, outcomes, steps and the kinds
-- of tokens, and all that is not in the history any more.
ALTER TABLE %schema%.generation_history RENAME TO generation_history_partitioned;
DROP INDEX %schema%.idx_generation_history_artist_id_created_at;
ALTER TABLE %schema%.generation_history_partitioned DROP CONSTRAINT pk_generation_history;

CREATE TABLE %schema%.generation_history (
    id uuid NOT NULL,
    artist_id uuid NULL,
    provider_used varchar(50) COLLATE "C" NOT NULL,
    generation_time_ms bigint NOT NULL,
    tokens_used bigint NULL,
    cost bigint NULL,
    user_params jsonb NOT NULL DEFAULT '{}',
    output_files jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_generation_history PRIMARY KEY (id),
    CONSTRAINT fk_generation_history_artist_id
        FOREIGN KEY (artist_id) REFERENCES %schema%.artists (id) ON DELETE SET NULL,
    CONSTRAINT ck_generation_history_provider_used CHECK (length(provider_used) BETWEEN 1 AND 50),
    CONSTRAINT ck_generation_history_generation_time_ms
        CHECK (generation_time_ms BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_tokens_used CHECK (tokens_used BETWEEN 0 AND 4294967295),
    CONSTRAINT ck_generation_history_cost CHECK (cost BETWEEN 0 AND 1000000000000000)
);
COMMENT ON COLUMN %schema%.generation_history.cost IS 'nano-dollars: 1 USD is 1000000000';

-- The foreign key was made first, and keeps artists from being removed between the look and the
-- check.
INSERT INTO %schema%.generation_history (
    id, artist_id, provider_used, generation_time_ms, tokens_used, cost, user_params, output_files,
    created_at
)
SELECT
    entry.id, artist.id, entry.provider_used, entry.generation_time_ms, entry.tokens_used,
    entry.cost, entry.user_params, entry.output_files, entry.created_at
FROM %schema%.generation_history_partitioned AS entry
LEFT JOIN %schema%.artists AS artist ON artist.id = entry.artist_id;

CREATE INDEX idx_generation_history_artist_id_created_at
    ON %schema%.generation_history (artist_id, created_at DESC, id DESC);
CREATE INDEX idx_generation_history_created_at
    ON %schema%.generation_history (created_at DESC, id DESC);
CREATE INDEX idx_generation_history_provider_used_created_at
    ON %schema%.generation_history (provider_used, created_at);

DROP FUNCTION %schema%.lock_generation_partition(timestamptz);
DROP FUNCTION %schema%.drop_generation_partition(timestamptz);
DROP FUNCTION %schema%.ensure_generation_partition(timestamptz);
DROP TABLE %schema%.generation_history_partitioned;
DROP TABLE %schema%.generation_ids;

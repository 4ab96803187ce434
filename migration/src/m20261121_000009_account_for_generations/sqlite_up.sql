-- The history of generations, in SQLite: one table, which is built anew because a foreign key cannot
-- be dropped. The tables of rollups are there already.

CREATE TABLE "generation_history_new" (
    "id" BLOB NOT NULL CONSTRAINT "ck_generation_history_id" CHECK (length(id) = 16),
    -- Without a foreign key: it may be the identity of an artist that was removed.
    "artist_id" BLOB NULL CONSTRAINT "ck_generation_history_artist_id"
        CHECK (length(artist_id) = 16),
    "provider_used" TEXT NOT NULL,
    "model" TEXT NULL,
    "status" TEXT NOT NULL DEFAULT 'completed',
    "error" TEXT NULL,
    "generation_time_ms" INTEGER NOT NULL,
    "tokens_used" INTEGER NULL,
    "input_tokens" INTEGER NULL,
    "output_tokens" INTEGER NULL,
    "cache_read_tokens" INTEGER NULL,
    "cache_write_tokens" INTEGER NULL,
    "reasoning_tokens" INTEGER NULL,
    "cost" INTEGER NULL,
    "user_params" TEXT NOT NULL DEFAULT '{}'
        CONSTRAINT "ck_generation_history_user_params" CHECK (json_valid(user_params)),
    "output_files" TEXT NOT NULL DEFAULT '[]'
        CONSTRAINT "ck_generation_history_output_files" CHECK (json_valid(output_files)),
    "steps" TEXT NOT NULL DEFAULT '[]'
        CONSTRAINT "ck_generation_history_steps" CHECK (json_valid(steps)),
    "created_at" INTEGER NOT NULL,
    CONSTRAINT "pk_generation_history" PRIMARY KEY ("id"),
    CONSTRAINT "ck_generation_history_provider_used"
        CHECK (length(provider_used) BETWEEN 1 AND 50),
    CONSTRAINT "ck_generation_history_model" CHECK (length(model) BETWEEN 1 AND 100),
    CONSTRAINT "ck_generation_history_status"
        CHECK (status IN ('completed', 'failed', 'cancelled')),
    CONSTRAINT "ck_generation_history_generation_time_ms"
        CHECK (generation_time_ms BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_tokens_used" CHECK (tokens_used BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_input_tokens" CHECK (input_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_output_tokens" CHECK (output_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_cache_read_tokens"
        CHECK (cache_read_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_cache_write_tokens"
        CHECK (cache_write_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_reasoning_tokens"
        CHECK (reasoning_tokens BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_cost" CHECK (cost BETWEEN 0 AND 1000000000000000)
) STRICT;

INSERT INTO generation_history_new (
    id, artist_id, provider_used, generation_time_ms, tokens_used, cost, user_params, output_files,
    created_at
)
SELECT
    id, artist_id, provider_used, generation_time_ms, tokens_used, cost, user_params, output_files,
    created_at
FROM generation_history;

DROP TABLE generation_history;
ALTER TABLE generation_history_new RENAME TO generation_history;
CREATE INDEX idx_generation_history_artist_id_created_at
    ON generation_history (artist_id, created_at DESC, id DESC);
CREATE INDEX idx_generation_history_created_at ON generation_history (created_at DESC, id DESC);

-- The remainder of a time before 1970 is negative, so it is brought up to be taken away.
INSERT INTO generation_rollup_pending (
    starts_at, provider_used, model, status, generations, time_ms, priced, cost_dollars, cost_nanos,
    tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, times
)
SELECT
    created_at - (created_at % 900000000 + 900000000) % 900000000, provider_used, '', 'completed',
    1, generation_time_ms, cost IS NOT NULL, coalesce(cost / 1000000000, 0),
    coalesce(cost % 1000000000, 0), coalesce(tokens_used, 0), 0, 0, 0, 0, 0, NULL
FROM generation_history;

-- SQLite counts in months of a calendar only in text.
INSERT INTO generation_artist_pending (
    artist_id, starts_at, provider_used, model, status, generations, time_ms, priced, cost_dollars,
    cost_nanos, tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, times
)
SELECT
    coalesce(artist_id, zeroblob(16)),
    1000000 * unixepoch(
        created_at / 1000000 - (created_at % 1000000 < 0), 'unixepoch', 'start of month'
    ),
    provider_used, '', 'completed',
    1, generation_time_ms, cost IS NOT NULL, coalesce(cost / 1000000000, 0),
    coalesce(cost % 1000000000, 0), coalesce(tokens_used, 0), 0, 0, 0, 0, 0, NULL
FROM generation_history;

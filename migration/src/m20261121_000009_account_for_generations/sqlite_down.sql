-- The history as it was. What it did not have goes: models, outcomes, steps and the kinds of tokens,
-- and all that is not in the history any more.

CREATE TABLE "generation_history_old" (
    "id" BLOB NOT NULL CONSTRAINT "ck_generation_history_id" CHECK (length(id) = 16),
    "artist_id" BLOB NULL,
    "provider_used" TEXT NOT NULL,
    "generation_time_ms" INTEGER NOT NULL,
    "tokens_used" INTEGER NULL,
    "cost" INTEGER NULL,
    "user_params" TEXT NOT NULL DEFAULT '{}'
        CONSTRAINT "ck_generation_history_user_params" CHECK (json_valid(user_params)),
    "output_files" TEXT NOT NULL DEFAULT '[]'
        CONSTRAINT "ck_generation_history_output_files" CHECK (json_valid(output_files)),
    "created_at" INTEGER NOT NULL,
    CONSTRAINT "pk_generation_history" PRIMARY KEY ("id"),
    FOREIGN KEY ("artist_id") REFERENCES "artists" ("id") ON DELETE SET NULL,
    CONSTRAINT "ck_generation_history_provider_used"
        CHECK (length(provider_used) BETWEEN 1 AND 50),
    CONSTRAINT "ck_generation_history_generation_time_ms"
        CHECK (generation_time_ms BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_tokens_used" CHECK (tokens_used BETWEEN 0 AND 4294967295),
    CONSTRAINT "ck_generation_history_cost" CHECK (cost BETWEEN 0 AND 1000000000000000)
) STRICT;

INSERT INTO generation_history_old (
    id, artist_id, provider_used, generation_time_ms, tokens_used, cost, user_params, output_files,
    created_at
)
SELECT
    entry.id, artist.id, entry.provider_used, entry.generation_time_ms, entry.tokens_used,
    entry.cost, entry.user_params, entry.output_files, entry.created_at
FROM generation_history AS entry
LEFT JOIN artists AS artist ON artist.id = entry.artist_id;

DROP TABLE generation_history;
ALTER TABLE generation_history_old RENAME TO generation_history;
CREATE INDEX "idx_generation_history_artist_id_created_at"
    ON "generation_history" ("artist_id", "created_at" DESC, "id" DESC);
CREATE INDEX "idx_generation_history_created_at"
    ON "generation_history" ("created_at" DESC, "id" DESC);
CREATE INDEX "idx_generation_history_provider_used_created_at"
    ON "generation_history" ("provider_used", "created_at");

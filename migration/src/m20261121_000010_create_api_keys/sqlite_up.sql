-- API keys, in SQLite. What the file that tracks the versions of artists says about triggers and
-- REPLACE holds here too.

CREATE TABLE "api_keys" (
    "id" BLOB NOT NULL CONSTRAINT "ck_api_keys_id" CHECK (length(id) = 16),
    "public_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "hash" BLOB NOT NULL,
    "scopes" TEXT NOT NULL,
    "requests_per_second" INTEGER NULL,
    "burst" INTEGER NULL,
    "requests_per_hour" INTEGER NULL,
    "created_at" INTEGER NOT NULL,
    "expires_at" INTEGER NULL,
    -- When another key took its place; from then on it expires soon.
    "rotated_at" INTEGER NULL,
    "revoked_at" INTEGER NULL,
    "last_used_at" INTEGER NULL,
    -- The triggers set it, whatever a statement says.
    "version" INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT "pk_api_keys" PRIMARY KEY ("id"),
    CONSTRAINT "uq_api_keys_public_id" UNIQUE ("public_id"),
    CONSTRAINT "ck_api_keys_public_id"
        CHECK (length(public_id) BETWEEN 8 AND 32 AND public_id NOT GLOB '*[^0-9A-Za-z]*'),
    CONSTRAINT "ck_api_keys_name" CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT "ck_api_keys_hash" CHECK (length(hash) = 32),
    CONSTRAINT "ck_api_keys_scopes" CHECK (scopes IN (
        'read', 'write', 'read,write', 'generate', 'read,generate', 'write,generate',
        'read,write,generate', 'admin', 'read,admin', 'write,admin', 'read,write,admin',
        'generate,admin', 'read,generate,admin', 'write,generate,admin',
        'read,write,generate,admin'
    )),
    CONSTRAINT "ck_api_keys_requests_per_second"
        CHECK (requests_per_second BETWEEN 1 AND 1000000000),
    CONSTRAINT "ck_api_keys_burst" CHECK (burst BETWEEN 1 AND 1000000000),
    CONSTRAINT "ck_api_keys_requests_per_hour" CHECK (requests_per_hour BETWEEN 1 AND 1000000000)
) STRICT;
CREATE INDEX idx_api_keys_version ON api_keys (version);

CREATE TRIGGER trg_api_keys_inserted AFTER INSERT ON api_keys
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE api_keys SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

-- Every column but last_used_at, and but the version, which the triggers themselves set. A migration
-- that adds a column makes this trigger again.
CREATE TRIGGER trg_api_keys_updated
AFTER UPDATE OF
    id, public_id, name, hash, scopes, requests_per_second, burst, requests_per_hour, created_at,
    expires_at, rotated_at, revoked_at
ON api_keys
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE api_keys SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

-- A version set by hand would break the order, so the row takes the next one instead.
CREATE TRIGGER trg_api_keys_version_set AFTER UPDATE OF version ON api_keys
WHEN NEW.version <> (SELECT value FROM store_version)
    OR EXISTS (SELECT 1 FROM api_keys WHERE version = NEW.version AND id <> NEW.id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE api_keys SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

CREATE TRIGGER trg_api_keys_kept BEFORE DELETE ON api_keys
BEGIN
    SELECT RAISE(ABORT, 'API keys are revoked, never removed');
END;

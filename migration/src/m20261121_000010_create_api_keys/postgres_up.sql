-- API keys, in PostgreSQL. %schema% is filled in when the migration runs.
--
-- What writers should know: a statement that names no column but last_used_at takes neither a
-- version nor the lock on versions.

CREATE TABLE %schema%.api_keys (
    id uuid NOT NULL,
    public_id varchar(32) COLLATE "C" NOT NULL,
    name varchar(100) COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    scopes varchar(40) COLLATE "C" NOT NULL,
    requests_per_second bigint NULL,
    burst bigint NULL,
    requests_per_hour bigint NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NULL,
    -- When another key took its place; from then on it expires soon.
    rotated_at timestamptz NULL,
    revoked_at timestamptz NULL,
    last_used_at timestamptz NULL,
    -- The trigger sets it, whatever a statement says.
    version bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_public_id UNIQUE (public_id),
    CONSTRAINT ck_api_keys_public_id CHECK (public_id ~ '^[0-9A-Za-z]{8,32}$'),
    CONSTRAINT ck_api_keys_name CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT ck_api_keys_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT ck_api_keys_scopes CHECK (scopes IN (
        'read', 'write', 'read,write', 'generate', 'read,generate', 'write,generate',
        'read,write,generate', 'admin', 'read,admin', 'write,admin', 'read,write,admin',
        'generate,admin', 'read,generate,admin', 'write,generate,admin',
        'read,write,generate,admin'
    )),
    CONSTRAINT ck_api_keys_requests_per_second
        CHECK (requests_per_second BETWEEN 1 AND 1000000000),
    CONSTRAINT ck_api_keys_burst CHECK (burst BETWEEN 1 AND 1000000000),
    CONSTRAINT ck_api_keys_requests_per_hour CHECK (requests_per_hour BETWEEN 1 AND 1000000000),
    -- No time is later than the year 9999, and infinity is none.
    CONSTRAINT ck_api_keys_expires_at
        CHECK (expires_at >= '0001-01-01 00:00:00+00' AND expires_at < '10000-01-01 00:00:00+00'),
    CONSTRAINT ck_api_keys_rotated_at
        CHECK (rotated_at >= '0001-01-01 00:00:00+00' AND rotated_at < '10000-01-01 00:00:00+00'),
    CONSTRAINT ck_api_keys_revoked_at
        CHECK (revoked_at >= '0001-01-01 00:00:00+00' AND revoked_at < '10000-01-01 00:00:00+00')
);
CREATE INDEX idx_api_keys_version ON %schema%.api_keys (version);
COMMENT ON TABLE %schema%.api_keys IS
    'Keys to the service. Revoke one by setting revoked_at; rows are never removed.';
COMMENT ON COLUMN %schema%.api_keys.hash IS
    'HMAC-SHA-256 of the secret, keyed with the access secret of the service';

CREATE FUNCTION %schema%.assign_api_key_version() RETURNS trigger LANGUAGE plpgsql AS $groovebase$
BEGIN
    NEW.version := %schema%.next_store_version();
    RETURN NEW;
END
$groovebase$;

CREATE FUNCTION %schema%.refuse_to_remove_api_keys() RETURNS trigger LANGUAGE plpgsql
AS $groovebase$
BEGIN
    RAISE EXCEPTION 'API keys are revoked, never removed';
END
$groovebase$;

-- The lock before any row, as for artists.
CREATE TRIGGER trg_api_keys_lock
    BEFORE INSERT OR UPDATE OF
        id, public_id, name, hash, scopes, requests_per_second, burst, requests_per_hour,
        created_at, expires_at, rotated_at, revoked_at, version
    ON %schema%.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.lock_store_version_first();
-- Every column but last_used_at. A migration that adds a column makes both triggers again.
CREATE TRIGGER trg_api_keys_version
    BEFORE INSERT OR UPDATE OF
        id, public_id, name, hash, scopes, requests_per_second, burst, requests_per_hour,
        created_at, expires_at, rotated_at, revoked_at, version
    ON %schema%.api_keys
    FOR EACH ROW EXECUTE FUNCTION %schema%.assign_api_key_version();
CREATE TRIGGER trg_api_keys_kept BEFORE DELETE OR TRUNCATE ON %schema%.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.refuse_to_remove_api_keys();

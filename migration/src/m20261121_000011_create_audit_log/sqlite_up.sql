-- The audit log, in SQLite. REPLACE removes rows without telling any trigger, unless recursive triggers
-- are on; so a row that is there is refused before it comes to that.

CREATE TABLE "audit_log" (
    "id" BLOB NOT NULL CONSTRAINT "ck_audit_log_id" CHECK (length(id) = 16),
    "at" INTEGER NOT NULL,
    "actor" TEXT NOT NULL,
    "actor_key_id" BLOB NULL,
    "actor_key" TEXT NULL,
    "actor_key_name" TEXT NULL,
    "request_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "artist_key" TEXT NULL,
    "api_key" TEXT NULL,
    "generation_id" BLOB NULL,
    "entries" INTEGER NULL,
    "version_before" INTEGER NULL,
    "version_after" INTEGER NULL,
    CONSTRAINT "pk_audit_log" PRIMARY KEY ("id"),
    CONSTRAINT "ck_audit_log_actor" CHECK (
        actor IN ('anonymous', 'command')
        AND actor_key_id IS NULL AND actor_key IS NULL AND actor_key_name IS NULL
        OR actor = 'key'
        AND actor_key_id IS NOT NULL AND actor_key IS NOT NULL AND actor_key_name IS NOT NULL
    ),
    CONSTRAINT "ck_audit_log_request_id" CHECK (length(request_id) <= 128),
    CONSTRAINT "ck_audit_log_action" CHECK (action IN (
        'artist.created', 'artist.status_changed', 'artist.removed', 'profile.saved', 'profile.removed',
        'sources.added', 'generations.recorded', 'profiles.imported', 'key.created',
        'key.rotated', 'key.revoked'
    )),
    CONSTRAINT "ck_audit_log_entries" CHECK (entries >= 0)
) STRICT;
CREATE INDEX idx_audit_log_at ON audit_log (at DESC, id DESC);
CREATE INDEX idx_audit_log_artist_key ON audit_log (artist_key, at DESC, id DESC)
    WHERE artist_key IS NOT NULL;
CREATE INDEX idx_audit_log_actor_key ON audit_log (actor_key, at DESC, id DESC)
    WHERE actor_key IS NOT NULL;
CREATE INDEX idx_audit_log_api_key ON audit_log (api_key, at DESC, id DESC)
    WHERE api_key IS NOT NULL;

CREATE TRIGGER trg_audit_log_replaced BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER trg_audit_log_changed BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER trg_audit_log_removed BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

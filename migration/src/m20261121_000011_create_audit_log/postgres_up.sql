-- The audit log, in PostgreSQL. %schema% is filled in when the migration runs.

CREATE TABLE %schema%.audit_log (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor varchar(20) COLLATE "C" NOT NULL,
    actor_key_id uuid NULL,
    actor_key varchar(32) COLLATE "C" NULL,
    actor_key_name varchar(100) COLLATE "C" NULL,
    request_id varchar(128) COLLATE "C" NOT NULL,
    action varchar(40) COLLATE "C" NOT NULL,
    artist_key text COLLATE "C" NULL,
    api_key varchar(32) COLLATE "C" NULL,
    generation_id uuid NULL,
    entries bigint NULL,
    version_before bigint NULL,
    version_after bigint NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id),
    CONSTRAINT ck_audit_log_actor CHECK (
        actor IN ('anonymous', 'command') AND num_nonnulls(actor_key_id, actor_key, actor_key_name) = 0
        OR actor = 'key' AND num_nulls(actor_key_id, actor_key, actor_key_name) = 0
    ),
    CONSTRAINT ck_audit_log_action CHECK (action IN (
        'artist.created', 'artist.status_changed', 'artist.removed', 'profile.saved', 'profile.removed',
        'sources.added', 'generations.recorded', 'profiles.imported', 'key.created',
        'key.rotated', 'key.revoked'
    )),
    CONSTRAINT ck_audit_log_entries CHECK (entries >= 0)
);
CREATE INDEX idx_audit_log_at ON %schema%.audit_log (at DESC, id DESC);
CREATE INDEX idx_audit_log_artist_key ON %schema%.audit_log (artist_key, at DESC, id DESC)
    WHERE artist_key IS NOT NULL;
CREATE INDEX idx_audit_log_actor_key ON %schema%.audit_log (actor_key, at DESC, id DESC)
    WHERE actor_key IS NOT NULL;
CREATE INDEX idx_audit_log_api_key ON %schema%.audit_log (api_key, at DESC, id DESC)
    WHERE api_key IS NOT NULL;
COMMENT ON TABLE %schema%.audit_log IS
    'Who wrote what, when and for which request. Nothing in it is changed or removed.';

CREATE FUNCTION %schema%.refuse_to_change_audit_log() RETURNS trigger LANGUAGE plpgsql
AS $groovebase$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END
$groovebase$;
CREATE TRIGGER trg_audit_log_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON %schema%.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.refuse_to_change_audit_log();

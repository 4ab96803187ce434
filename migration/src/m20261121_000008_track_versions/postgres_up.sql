-- The version of an artist, in PostgreSQL. Placeholders are filled in when the migration runs.
--
-- A version is taken while the transaction holds an advisory lock that is released after its commit
-- is visible. So a transaction that takes a later version commits later, and a reader that has seen
-- version v will never see a smaller one appear.
--
-- What writers should know:
-- * Row locks and this lock can deadlock: one transaction holds a row and waits for the lock, another
--   holds the lock and waits for the row. PostgreSQL then ends one of them (40P01). A single
--   statement is safe, because the statement triggers below take the lock before any row. A
--   transaction of several statements is safe if its first is `SELECT lock_store_version()`.
-- * A role other than the owner needs USAGE on the sequence store_version and INSERT, UPDATE and
--   SELECT on removed_artists besides its rights on the tables it changes.
-- * NOTIFY in a transaction rules out PREPARE TRANSACTION.

CREATE TABLE %schema%.removed_artists (
    name_key text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT pk_removed_artists PRIMARY KEY (name_key)
);
CREATE INDEX idx_removed_artists_version ON %schema%.removed_artists (version);
COMMENT ON TABLE %schema%.removed_artists IS
    'Keys that an artist once had, and the version as of which it no longer did. '
    'The key may be in use again: then its artist has a later version.';

CREATE SEQUENCE %schema%.store_version AS bigint NO CYCLE CACHE 1;
COMMENT ON SEQUENCE %schema%.store_version IS
    'The last version taken. After restoring an old backup, move it past every version that was '
    'ever handed out: SELECT setval(''store_version'', '
    '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint)';
SELECT setval(
    %sequence%,
    greatest(
        (SELECT max(version) FROM %schema%.artists),
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    )
);

-- In pg_locks: locktype 'advisory', classid %lock_class%, objid the oid of the sequence, objsubid 2.
CREATE FUNCTION %schema%.lock_store_version() RETURNS void LANGUAGE plpgsql AS $groovebase$
BEGIN
    PERFORM pg_advisory_xact_lock(%lock_class%, %sequence%::regclass::oid::integer);
END
$groovebase$;
COMMENT ON FUNCTION %schema%.lock_store_version() IS
    'Waits for the right to take versions and keeps it until the transaction ends. '
    'First statement of a transaction that changes artists in several steps.';

-- The lock first and the number second: in the other order a transaction could take a number, wait,
-- and commit after somebody who took a later one.
CREATE FUNCTION %schema%.next_store_version() RETURNS bigint LANGUAGE plpgsql AS $groovebase$
BEGIN
    PERFORM pg_advisory_xact_lock(%lock_class%, %sequence%::regclass::oid::integer);
    -- Only a wake-up call for readers. A transaction sends it once, however often this runs.
    PERFORM pg_notify('groovebase_changes', '');
    RETURN nextval(%sequence%);
END
$groovebase$;

CREATE FUNCTION %schema%.lock_store_version_first() RETURNS trigger LANGUAGE plpgsql
AS $groovebase$
BEGIN
    PERFORM pg_advisory_xact_lock(%lock_class%, %sequence%::regclass::oid::integer);
    RETURN NULL;
END
$groovebase$;

CREATE TRIGGER trg_artists_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %schema%.artists
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.lock_store_version_first();
CREATE TRIGGER trg_style_profiles_lock
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %schema%.style_profiles
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.lock_store_version_first();
CREATE TRIGGER trg_style_embeddings_lock
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %schema%.style_embeddings
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.lock_store_version_first();

-- Artists.

CREATE FUNCTION %schema%.assign_version() RETURNS trigger LANGUAGE plpgsql AS $groovebase$
BEGIN
    -- A renamed artist is gone under its old key. That comes first, so that a reader who applies
    -- changes in the order of versions never drops a key that is in use.
    IF TG_OP = 'UPDATE' AND NEW.name_key <> OLD.name_key THEN
        INSERT INTO %schema%.removed_artists (name_key, version)
        VALUES (OLD.name_key, %schema%.next_store_version())
        ON CONFLICT (name_key) DO UPDATE SET version = EXCLUDED.version;
    END IF;
    NEW.version := %schema%.next_store_version();
    RETURN NEW;
END
$groovebase$;

CREATE FUNCTION %schema%.record_removed_artist() RETURNS trigger LANGUAGE plpgsql AS $groovebase$
BEGIN
    INSERT INTO %schema%.removed_artists (name_key, version)
    VALUES (OLD.name_key, %schema%.next_store_version())
    ON CONFLICT (name_key) DO UPDATE SET version = EXCLUDED.version;
    RETURN NULL;
END
$groovebase$;

CREATE FUNCTION %schema%.record_removed_artists() RETURNS trigger LANGUAGE plpgsql AS $groovebase$
BEGIN
    INSERT INTO %schema%.removed_artists (name_key, version)
    SELECT name_key, %schema%.next_store_version() FROM %schema%.artists
    ON CONFLICT (name_key) DO UPDATE SET version = EXCLUDED.version;
    RETURN NULL;
END
$groovebase$;

CREATE TRIGGER trg_artists_version BEFORE INSERT OR UPDATE ON %schema%.artists
    FOR EACH ROW EXECUTE FUNCTION %schema%.assign_version();
CREATE TRIGGER trg_artists_removed AFTER DELETE ON %schema%.artists
    FOR EACH ROW EXECUTE FUNCTION %schema%.record_removed_artist();
CREATE TRIGGER trg_artists_truncated BEFORE TRUNCATE ON %schema%.artists
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.record_removed_artists();

-- Profiles and embeddings: their artist takes a version.
--
-- One is enough for an artist and a transaction, since all of it becomes visible at once. A row
-- whose xmin is this transaction took its version here, under the lock that is still held. (A row
-- written under a savepoint carries the savepoint's xmin and takes another version, which is
-- harmless. A row lock changes xmax only. For an artist last written exactly 2^32 transactions ago
-- the comparison is wrong; that is one chance in four billion for a row that old.)
--
-- No sequential scans: the plan is made once for each connection, and one made for a bulk load or
-- for a table that was still small would read all artists for every row saved later.

CREATE FUNCTION %schema%.touch_artists() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $groovebase$
BEGIN
    UPDATE %schema%.artists AS artist
    SET version = 0
    FROM (SELECT DISTINCT artist_id FROM changed) AS touched
    WHERE artist.id = touched.artist_id
      AND artist.xmin <> pg_current_xact_id()::xid;
    RETURN NULL;
END
$groovebase$;

CREATE FUNCTION %schema%.touch_all_artists() RETURNS trigger LANGUAGE plpgsql AS $groovebase$
BEGIN
    EXECUTE format(
        'UPDATE %1$I.artists AS artist
         SET version = 0
         WHERE EXISTS (SELECT FROM %1$I.%2$I AS child WHERE child.artist_id = artist.id)
           AND artist.xmin <> pg_current_xact_id()::xid',
        TG_TABLE_SCHEMA, TG_TABLE_NAME
    );
    RETURN NULL;
END
$groovebase$;

-- A trigger with a transition table serves one event, and one table of it: an update that moves a
-- row to another artist changes both.

CREATE TRIGGER trg_style_profiles_inserted AFTER INSERT ON %schema%.style_profiles
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_profiles_updated_from AFTER UPDATE ON %schema%.style_profiles
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_profiles_updated_to AFTER UPDATE ON %schema%.style_profiles
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_profiles_deleted AFTER DELETE ON %schema%.style_profiles
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_profiles_truncated BEFORE TRUNCATE ON %schema%.style_profiles
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_all_artists();

CREATE TRIGGER trg_style_embeddings_inserted AFTER INSERT ON %schema%.style_embeddings
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_embeddings_updated_from AFTER UPDATE ON %schema%.style_embeddings
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_embeddings_updated_to AFTER UPDATE ON %schema%.style_embeddings
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_embeddings_deleted AFTER DELETE ON %schema%.style_embeddings
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_artists();
CREATE TRIGGER trg_style_embeddings_truncated BEFORE TRUNCATE ON %schema%.style_embeddings
    FOR EACH STATEMENT EXECUTE FUNCTION %schema%.touch_all_artists();

-- Artists that were there before, if any, were changed without anybody counting.
UPDATE %schema%.artists SET version = 0;

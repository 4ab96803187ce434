-- The version of an artist, in SQLite. There is one writer at a time, from its first write to its
-- commit, so a counter in a table is taken in the order of commits.
--
-- Triggers here must be right whether or not recursive triggers are on (they are off by default, and
-- a tool may turn them on), and whatever conflict clause the statement that fires them carries.
--
-- What writers should know:
-- * Versions are set by AFTER triggers, so `INSERT … RETURNING version` returns the one before.
-- * `REPLACE` and `UPDATE OR REPLACE` remove rows in their way without telling any trigger (unless
--   recursive triggers are on). The row that takes their place is seen. What is not: that an
--   artist's old key is gone, if the new row has another, and that an artist lost its profile, if
--   the new row belongs to another. Use `ON CONFLICT DO UPDATE`, or delete first.
-- * The `sqlite3` shell does not enforce foreign keys unless told: `PRAGMA foreign_keys = ON`.

CREATE TABLE removed_artists (
    name_key TEXT NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT pk_removed_artists PRIMARY KEY (name_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_removed_artists_version ON removed_artists (version);

CREATE TABLE store_version (
    id INTEGER NOT NULL,
    value INTEGER NOT NULL,
    CONSTRAINT pk_store_version PRIMARY KEY (id),
    CONSTRAINT ck_store_version_id CHECK (id = 1)
) STRICT;
INSERT INTO store_version (id, value)
VALUES (
    1,
    max(
        coalesce((SELECT max(version) FROM artists), 0),
        CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
    )
);

-- Artists.

CREATE TRIGGER trg_artists_inserted AFTER INSERT ON artists
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

-- Every column but the version, which the triggers themselves set. A migration that adds a column
-- makes this trigger again.
CREATE TRIGGER trg_artists_updated
AFTER UPDATE OF
    id, name, name_key, name_search, research_status, sources_count, confidence_score, created_at,
    last_updated
ON artists
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

-- A version set by hand would break the order, so the row takes the next one instead. The versions
-- set by the other triggers pass: they are the counter's last value and nobody else's.
CREATE TRIGGER trg_artists_version_set AFTER UPDATE OF version ON artists
WHEN NEW.version <> (SELECT value FROM store_version)
    OR EXISTS (SELECT 1 FROM artists WHERE version = NEW.version AND id <> NEW.id)
    OR EXISTS (SELECT 1 FROM removed_artists WHERE version = NEW.version)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

-- A renamed artist is gone under its old key. The row takes another version after that, because the
-- order in which triggers run is not defined: a reader who applies changes in the order of versions
-- must see the old key go before the new one comes.
CREATE TRIGGER trg_artists_renamed AFTER UPDATE OF name_key ON artists
WHEN NEW.name_key <> OLD.name_key
BEGIN
    UPDATE store_version SET value = value + 1;
    INSERT INTO removed_artists (name_key, version)
    VALUES (OLD.name_key, (SELECT value FROM store_version))
    ON CONFLICT (name_key) DO UPDATE SET version = excluded.version;
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.id;
END;

CREATE TRIGGER trg_artists_deleted AFTER DELETE ON artists
BEGIN
    UPDATE store_version SET value = value + 1;
    INSERT INTO removed_artists (name_key, version)
    VALUES (OLD.name_key, (SELECT value FROM store_version))
    ON CONFLICT (name_key) DO UPDATE SET version = excluded.version;
END;

-- Profiles and embeddings: their artist takes a version, if it is still there (when an artist is
-- deleted, its profile follows it).

CREATE TRIGGER trg_style_profiles_inserted AFTER INSERT ON style_profiles
WHEN EXISTS (SELECT 1 FROM artists WHERE id = NEW.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.artist_id;
END;
CREATE TRIGGER trg_style_profiles_updated AFTER UPDATE ON style_profiles
WHEN EXISTS (SELECT 1 FROM artists WHERE id = NEW.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.artist_id;
END;
CREATE TRIGGER trg_style_profiles_moved AFTER UPDATE OF artist_id ON style_profiles
WHEN NEW.artist_id <> OLD.artist_id AND EXISTS (SELECT 1 FROM artists WHERE id = OLD.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = OLD.artist_id;
END;
CREATE TRIGGER trg_style_profiles_deleted AFTER DELETE ON style_profiles
WHEN EXISTS (SELECT 1 FROM artists WHERE id = OLD.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = OLD.artist_id;
END;

CREATE TRIGGER trg_style_embeddings_inserted AFTER INSERT ON style_embeddings
WHEN EXISTS (SELECT 1 FROM artists WHERE id = NEW.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.artist_id;
END;
CREATE TRIGGER trg_style_embeddings_updated AFTER UPDATE ON style_embeddings
WHEN EXISTS (SELECT 1 FROM artists WHERE id = NEW.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = NEW.artist_id;
END;
CREATE TRIGGER trg_style_embeddings_moved AFTER UPDATE OF artist_id ON style_embeddings
WHEN NEW.artist_id <> OLD.artist_id AND EXISTS (SELECT 1 FROM artists WHERE id = OLD.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = OLD.artist_id;
END;
CREATE TRIGGER trg_style_embeddings_deleted AFTER DELETE ON style_embeddings
WHEN EXISTS (SELECT 1 FROM artists WHERE id = OLD.artist_id)
BEGIN
    UPDATE store_version SET value = value + 1;
    UPDATE artists SET version = (SELECT value FROM store_version) WHERE id = OLD.artist_id;
END;

-- Artists that were there before, if any, were changed without anybody counting.
UPDATE artists SET version = -1;

-- artists.version keeps its last values, which a later `up` starts above.
DROP TRIGGER trg_artists_inserted;
DROP TRIGGER trg_artists_updated;
DROP TRIGGER trg_artists_version_set;
DROP TRIGGER trg_artists_renamed;
DROP TRIGGER trg_artists_deleted;
DROP TRIGGER trg_style_profiles_inserted;
DROP TRIGGER trg_style_profiles_updated;
DROP TRIGGER trg_style_profiles_moved;
DROP TRIGGER trg_style_profiles_deleted;
DROP TRIGGER trg_style_embeddings_inserted;
DROP TRIGGER trg_style_embeddings_updated;
DROP TRIGGER trg_style_embeddings_moved;
DROP TRIGGER trg_style_embeddings_deleted;
DROP TABLE store_version;
DROP TABLE removed_artists;

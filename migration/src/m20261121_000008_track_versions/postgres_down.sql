-- The functions take their triggers along. artists.version keeps its last values, which a later
-- `up` starts above.
DROP FUNCTION %schema%.touch_artists() CASCADE;
DROP FUNCTION %schema%.touch_all_artists() CASCADE;
DROP FUNCTION %schema%.assign_version() CASCADE;
DROP FUNCTION %schema%.record_removed_artist() CASCADE;
DROP FUNCTION %schema%.record_removed_artists() CASCADE;
DROP FUNCTION %schema%.lock_store_version_first() CASCADE;
DROP FUNCTION %schema%.next_store_version();
DROP FUNCTION %schema%.lock_store_version();
DROP SEQUENCE %schema%.store_version;
DROP TABLE %schema%.removed_artists;

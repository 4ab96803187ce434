DROP TABLE %schema%.api_keys;
DROP FUNCTION %schema%.assign_api_key_version();
DROP FUNCTION %schema%.refuse_to_remove_api_keys();

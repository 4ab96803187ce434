CREATE OR REPLACE FUNCTION %schema%.drop_generation_partition(at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER STRICT
SET search_path = %schema%, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $groovebase$
DECLARE
    suffix CONSTANT text := to_char(date_trunc('month', at), '"_y"YYYY"m"MM');
    part CONSTANT text := 'generation_history' || suffix;
BEGIN
    -- Its name could be that of another year's.
    IF at < '0001-01-01 00:00:00+00' OR at >= '10000-01-01 00:00:00+00' THEN
        RETURN false;
    END IF;
    %check%
    LOCK TABLE ONLY generation_history IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(%history% || suffix) IS NULL THEN
        RETURN false;
    END IF;

    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', part);
    EXECUTE format(
        'DELETE FROM generation_ids AS identity USING %I AS dropped WHERE identity.id = dropped.id',
        part
    );
    EXECUTE format('DROP TABLE %I', part);
    RETURN true;
END
$groovebase$;
COMMENT ON FUNCTION %schema%.drop_generation_partition(timestamptz) IS
    'Drops the partition of generation_history for the UTC month of a time, with the identities '
    'of its generations; true if there was one.%refusal%';

-- Groovebase's roles. Can be run again, by an administrator of the database: after an update, to
-- change a password, or for a database that somebody else has made tables in already.
--
-- The owner makes and changes tables. The application reads and writes rows, and cannot do more: no
-- table can be made, changed, emptied at a stroke or dropped by it. Whoever only reads can do only
-- that.

-- Making these takes more rights than the owner should have.
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

DO $groovebase$
DECLARE
    owner CONSTANT name := %owner%;
    application CONSTANT name := %application%;
    readonly CONSTANT name := %readonly%;
    place CONSTANT name := current_schema();
    path text;
    former oid;
    role name;
    thing record;
BEGIN
    IF place IS NULL THEN
        RAISE EXCEPTION 'no schema on the search path exists' USING ERRCODE = '3F000';
    END IF;

    -- The roles.

    FOREACH role IN ARRAY ARRAY[owner, application, readonly] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        ELSIF EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = role
                AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
        ) THEN
            RAISE EXCEPTION 'the role % may do more than a role of Groovebase should', role
                USING HINT = 'Choose another name.';
        ELSE
            EXECUTE format('ALTER ROLE %I LOGIN', role);
        END IF;
    END LOOP;
    -- Whoever is a member of another role has, or can take, the rights of both. Roles that give none in
    -- here, such as those that say how somebody connects, do no harm.
    FOR thing IN
        SELECT m.rolname AS member, g.rolname AS other
        FROM pg_roles m JOIN pg_roles g ON g.oid <> m.oid AND pg_has_role(m.oid, g.oid, 'MEMBER')
        WHERE m.rolname IN (owner, application, readonly)
            AND (
                g.rolsuper OR g.rolcreaterole OR g.rolcreatedb OR g.rolreplication OR g.rolbypassrls
                OR (
                    g.rolname LIKE 'pg\_%'
                    AND g.rolname NOT IN ('pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats',
                        'pg_stat_scan_tables', 'pg_checkpoint', 'pg_use_reserved_connections')
                    -- The owner may own the database too.
                    AND NOT (m.rolname = owner AND g.rolname = 'pg_database_owner')
                )
                OR (
                    m.rolname <> owner
                    AND (
                        g.rolname IN (owner, application, readonly)
                        OR g.oid = (SELECT nspowner FROM pg_namespace WHERE nspname = place)
                        OR EXISTS (
                            SELECT FROM pg_class c LEFT JOIN aclexplode(c.relacl) a ON a.grantee = g.oid
                            WHERE c.relnamespace = to_regnamespace(quote_ident(place))
                                AND (c.relowner = g.oid OR a.grantee IS NOT NULL)
                        )
                    )
                )
            )
        -- Whoever is a member of the superuser is one of every other role as well.
        ORDER BY m.rolname, g.rolname LIKE 'pg\_%', g.rolname
    LOOP
        RAISE EXCEPTION 'the role % is a member of %, and would have the rights of both',
            thing.member, thing.other
            USING HINT = format('REVOKE %I FROM %I, or from the role that is between them.',
                thing.other, thing.member);
    END LOOP;
    -- An administrator who is no superuser may change what belongs to the owner only as a member.
    IF NOT pg_has_role(owner, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', owner);
    END IF;

    -- The database and the schema.

    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I', current_database(), owner,
        application, readonly);
    -- A bulk load gathers its rows in temporary tables.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I, %I', current_database(), owner,
        application);
    IF to_regnamespace('public') IS NOT NULL THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', place);
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I, %I', place, application, readonly);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', place, owner);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', place, application, readonly);
    -- Nothing is looked up anywhere else, such as in a schema that has the role's name.
    SELECT string_agg(quote_ident(schema), ', ' ORDER BY schema <> place, schema) INTO path
    FROM (
        SELECT place AS schema
        UNION
        SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
        WHERE extname IN ('vector', 'pg_trgm')
    ) AS schemas;
    FOREACH role IN ARRAY ARRAY[owner, application, readonly] LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %s', role,
            current_database(), path);
    END LOOP;
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET default_transaction_read_only = on', readonly,
        current_database());

    -- What there is already becomes the owner's: whatever in the schema belongs to whoever made the
    -- artists, unless an extension brought it.

    SELECT relowner INTO former FROM pg_class WHERE oid = to_regclass(format('%I.artists', place));
    IF former <> (SELECT oid FROM pg_roles WHERE rolname = owner) THEN
        FOR thing IN
            SELECT c.oid::regclass AS name
            FROM pg_class c
            WHERE c.relnamespace = to_regnamespace(quote_ident(place))
                AND c.relowner = former AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
                AND NOT EXISTS (
                    SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        -- That of an extension, or a column's sequence, which goes with its table.
                        AND (d.deptype = 'e' OR (c.relkind = 'S' AND d.deptype IN ('a', 'i')))
                )
        LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO %I', thing.name, owner);
        END LOOP;
        FOR thing IN
            SELECT p.oid::regprocedure AS name
            FROM pg_proc p
            WHERE p.pronamespace = to_regnamespace(quote_ident(place))
                AND p.proowner = former
                AND NOT EXISTS (
                    SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                )
        LOOP
            EXECUTE format('ALTER ROUTINE %s OWNER TO %I', thing.name, owner);
        END LOOP;
    END IF;

    -- What may be done with it.

    FOR thing IN
        SELECT c.oid::regclass AS name, c.relkind AS kind, coalesce(x.rights, '%rights%') AS rights,
            coalesce(x.is_private, false) AS is_private
        FROM pg_class c
        LEFT JOIN (VALUES %exceptions%) AS x (name, rights, is_private) ON x.name = c.relname
        WHERE c.relnamespace = to_regnamespace(quote_ident(place))
            AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
            AND c.relowner = (SELECT oid FROM pg_roles WHERE rolname = owner)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, %I, %I', thing.name, application, readonly);
        IF NOT thing.is_private THEN
            EXECUTE format('GRANT SELECT ON %s TO %I', thing.name, readonly);
        END IF;
        EXECUTE format('GRANT %s ON %s TO %I',
            CASE WHEN thing.kind = 'S' THEN 'USAGE, SELECT' ELSE thing.rights END,
            thing.name, application);
    END LOOP;
    FOR thing IN
        SELECT p.oid::regprocedure AS name, p.prosecdef AS is_run_as_owner
        FROM pg_proc p
        WHERE p.pronamespace = to_regnamespace(quote_ident(place))
            AND p.proowner = (SELECT oid FROM pg_roles WHERE rolname = owner)
    LOOP
        IF thing.is_run_as_owner THEN
            EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC, %I', thing.name, readonly);
        END IF;
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', thing.name, application);
    END LOOP;

    -- The same for what the owner makes later, such as the partition of a month.

    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %rights% ON TABLES TO %I',
        owner, place, application);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
        owner, place, readonly);
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I',
        owner, place, application);
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON SEQUENCES TO %I',
        owner, place, readonly);
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT EXECUTE ON ROUTINES TO %I',
        owner, place, application);
END
$groovebase$;


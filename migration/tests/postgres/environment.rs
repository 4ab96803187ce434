//! Extensions, roles, schemas, and what PostgreSQL makes of the tables.

use groovebase_migration::{Consent, MigrationError, Schema};
use sea_orm_migration::sea_orm::ConnectionTrait;

use crate::fixture::{connect, with_database};

#[tokio::test]
async fn says_which_statement_a_superuser_has_to_run() {
    with_database(|database| async move {
        let grant = format!("CREATE SCHEMA AUTHORIZATION {0}", database.role);
        database.admin.run(&grant).await;
        let schema = Schema::connect(database.role_url("").as_str()).await.unwrap();

        for extension in ["vector", "pg_trgm"] {
            let error = schema.up(None).await.unwrap_err();
            assert!(
                matches!(&error, MigrationError::ExtensionNotAllowed { extension: it } if *it == extension),
                "{error:?}"
            );
            let statement = format!("CREATE EXTENSION {extension};");
            assert!(error.to_string().contains(&statement), "{error}");
            let tables = "SELECT count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'";
            assert_eq!(database.admin.one::<i64>(tables).await, 0);

            database.admin.run(&statement).await;
        }

        assert_eq!(schema.up(None).await.unwrap().len(), 11);
    })
    .await;
}

#[tokio::test]
async fn refuses_a_database_that_cannot_keep_every_name() {
    with_database(|database| async move {
        let name = format!("{}_ascii", database.role);
        let create =
            format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
        database.admin.run(&create).await;
        let mut url = database.url.clone();
        url.set_path(&name);

        let schema = Schema::connect(url.as_str()).await.unwrap();
        let error = schema.up(None).await.unwrap_err();
        schema.close().await.unwrap();
        database.admin.run(&format!("DROP DATABASE {name}")).await;

        assert!(
            matches!(&error, MigrationError::NotUtf8 { encoding } if encoding == "SQL_ASCII"),
            "{error:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn says_that_an_extension_is_out_of_reach() {
    with_database(|database| async move {
        database.admin.run("CREATE SCHEMA elsewhere").await;
        let schema = database.admin.schema().await;

        for extension in ["pg_trgm", "vector"] {
            let create = format!("CREATE EXTENSION {extension} WITH SCHEMA elsewhere");
            database.admin.run(&create).await;

            let error = schema.up(None).await.unwrap_err();

            assert!(
                matches!(&error, MigrationError::ExtensionOutOfReach { extension: it } if *it == extension),
                "{error:?}"
            );
            let back = format!("ALTER EXTENSION {extension} SET SCHEMA public");
            database.admin.run(&back).await;
        }

        assert_eq!(schema.up(None).await.unwrap().len(), 11);
    })
    .await;
}

#[tokio::test]
async fn makes_extensions_where_other_schemas_reach_them() {
    with_database(|database| async move {
        database.admin.run("CREATE SCHEMA one; CREATE SCHEMA two").await;
        for path in ["one,public", "two,public"] {
            let mut url = database.url.clone();
            url.query_pairs_mut().append_pair("options", &format!("-csearch_path={path}"));
            let schema = Schema::connect(url.as_str()).await.unwrap();
            assert_eq!(schema.up(None).await.unwrap().len(), 11);
        }

        // Each has its own, and takes versions without waiting for the other.
        let lock = |schema: &str| format!("SELECT {schema}.lock_store_version()::text");
        let (one, two) = (connect(&database.url).await, connect(&database.url).await);
        one.execute_unprepared(&format!("BEGIN; {}", lock("one"))).await.unwrap();
        let sql = format!("SET lock_timeout = '1s'; {}", lock("two"));
        two.execute_unprepared(&sql).await.unwrap();
        let sql = format!("SET lock_timeout = '1s'; {}", lock("one"));
        two.execute_unprepared(&sql).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn says_that_no_schema_exists() {
    with_database(|database| async move {
        let url = database.role_url("-csearch_path=nowhere");
        let schema = Schema::connect(url.as_str()).await.unwrap();

        assert_eq!(schema.pending().await.unwrap().len(), 11);
        let error = schema.up(None).await.unwrap_err();

        assert!(matches!(error, MigrationError::NoSchema), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn tells_a_lack_of_privileges_from_a_failure() {
    with_database(|database| async move {
        let schema = Schema::connect(database.role_url("").as_str()).await.unwrap();
        let error = schema.up(None).await.unwrap_err();
        assert!(matches!(error, MigrationError::NotPermitted(_)), "{error:?}");

        let admin = database.admin.clone().migrated().await;
        for error in [
            schema.status().await.unwrap_err(),
            schema.up(None).await.unwrap_err(),
            schema.fresh(Consent::DropEverything).await.unwrap_err(),
        ] {
            assert!(matches!(error, MigrationError::NotPermitted(_)), "{error:?}");
        }

        // Reading the record is enough for reading it, also where nothing can be written.
        admin.run(&format!("GRANT SELECT ON seaql_migrations TO {}", database.role)).await;
        let url = database.role_url("-cdefault_transaction_read_only=on");
        let schema = Schema::connect(url.as_str()).await.unwrap();
        assert_eq!(schema.pending().await.unwrap(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_role_with_the_documented_rights_can_write() {
    with_database(|database| async move {
        let admin = database.admin.clone().migrated().await;
        let grant = format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {0};
             GRANT USAGE ON SEQUENCE store_version TO {0};
             GRANT EXECUTE ON FUNCTION ensure_generation_partition, lock_generation_partition,
                 drop_generation_partition TO {0};",
            database.role
        );
        admin.run(&grant).await;
        let store = database.role("").await;

        store.insert("artists", 1).await;
        store.insert("style_profiles", 1).await;
        store.run("UPDATE style_profiles SET swing_percent = 1").await;
        store.run("UPDATE artists SET name_key = 'renamed'").await;
        store.run("DELETE FROM artists").await;

        assert!(store.removal("artist 1").await < store.removal("renamed").await);
        for table in [
            "generation_history",
            "generation_rollup_pending",
            "generation_artist_pending",
            "generation_artist_rollups",
        ] {
            store.insert(table, 1).await;
        }
        assert!(store.one::<bool>("SELECT ensure_generation_partition('1999-12-31Z')").await);
        assert!(store.one::<bool>("SELECT lock_generation_partition('1999-12-31Z')").await);
        assert!(store.one::<bool>("SELECT drop_generation_partition('1999-12-31Z')").await);
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_missing_is_a_failure_to_connect() {
    with_database(|database| async move {
        let mut url = database.url.clone();
        url.set_path("gb_test_missing");

        let error = Schema::connect(url.as_str()).await.unwrap_err();

        assert!(matches!(error, MigrationError::Connect(_)), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("does not exist"), "{source}");
    })
    .await;
}

#[tokio::test]
async fn tables_are_as_designed() {
    with_database(|database| async move {
        let store = database.admin.migrated().await;

        let storage: String = store
            .one(
                "SELECT attstorage::text FROM pg_attribute
                 WHERE attrelid = 'style_embeddings'::regclass AND attname = 'embedding'",
            )
            .await;
        assert_eq!(storage, "p");
        let index: String =
            store.one("SELECT pg_get_indexdef('idx_embedding_ivfflat'::regclass)").await;
        assert!(index.contains("USING ivfflat (embedding vector_cosine_ops)"), "{index}");
        assert!(index.contains("(lists='100')"), "{index}");
        let index: String =
            store.one("SELECT pg_get_indexdef('idx_artists_name_search'::regclass)").await;
        assert!(index.contains("USING gin (name_search gin_trgm_ops)"), "{index}");
        let comment: String = store
            .one(
                "SELECT col_description(attrelid, attnum) FROM pg_attribute
                 WHERE attrelid = 'generation_history'::regclass AND attname = 'cost'",
            )
            .await;
        assert!(comment.starts_with("nano-dollars"), "{comment}");

        let unnamed: Vec<String> = store
            .all(
                // Those of a partition follow those of its table, and are named after the partition.
                "SELECT relname::text FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('i', 'I')
                   AND NOT relispartition
                   AND relname !~ '^(pk|uq|idx)_' AND relname <> 'seaql_migrations_pkey'
                 UNION ALL
                 SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
                 WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('n', 't')
                   AND NOT relispartition
                   AND conname !~ '^(pk|uq|fk|ck)_' AND conname <> 'seaql_migrations_pkey'",
            )
            .await;
        assert_eq!(unnamed, [""; 0]);
        let columns: Vec<String> = store
            .all(
                "SELECT attrelid::regclass || '.' || attname || ' ' || collname FROM pg_attribute
                 JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p')
                 JOIN pg_collation ON pg_collation.oid = attcollation
                 WHERE relnamespace = 'public'::regnamespace AND attnum > 0
                   AND collname <> 'C' AND relname <> 'seaql_migrations'",
            )
            .await;
        assert_eq!(columns, [""; 0]);
    })
    .await;
}

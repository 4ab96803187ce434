//! What the roles may not do, and that what they may do is enough.

use anyhow::{Context, ensure};
use domain::{AuditFilter, Limit, ProfileRecord};
use groovebase_tests::{
    account,
    fixture::{self, AsApplication, Fixture, RoleUrls},
    given,
    program::{Program, run},
};
use migration::{Consent, MigrationError, Role, Roles, Schema, Steps};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use storage::{Store, VectorIndexError, VectorIndexKind};
use url::Url;

/// Every table of the schema, the partition of this month included.
const TABLES: &str = "SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1";

/// Who has keys and who did what is not for whoever only reads.
const PRIVATE: [&str; 2] = ["api_keys", "audit_log"];

#[expect(clippy::disallowed_methods, reason = "stands for tools that know nothing of the store")]
async fn connection(url: &str) -> anyhow::Result<DatabaseConnection> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(sea_orm::Database::connect(options).await?)
}

async fn texts(url: &str, sql: &str) -> anyhow::Result<Vec<String>> {
    let database = connection(url).await?;
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await?;
    let texts = rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect();
    database.close().await?;
    texts
}

/// Checks that a statement is refused for want of a right, and for no other reason.
async fn ensure_refused(database: &DatabaseConnection, sql: &str) -> anyhow::Result<()> {
    let refused = database.execute_unprepared(sql).await;
    let error = refused.err().with_context(|| format!("{sql} was done"))?.to_string();
    let is_for_want_of_a_right = error.contains("permission denied")
        || error.contains("must be owner")
        || error.contains("read-only transaction");
    ensure!(is_for_want_of_a_right, "{sql}: {error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_cannot_change_the_schema() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    fixture
        .store()
        .generations()
        .record(vec![given::generation("openai")?], &given::author())
        .await?;
    let tables = texts(fixture.administrator(), TABLES).await?;
    ensure!(tables.len() > 12, "{tables:?}");
    let database = connection(fixture.url()).await?;

    for table in &tables {
        for sql in [
            format!("DROP TABLE {table}"),
            format!("TRUNCATE {table}"),
            format!("ALTER TABLE {table} ADD COLUMN more integer"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("CREATE INDEX more ON {table} ((1))"),
            format!(
                "CREATE TRIGGER more BEFORE INSERT ON {table} EXECUTE FUNCTION assign_version()"
            ),
            format!("GRANT SELECT ON {table} TO PUBLIC; ALTER TABLE {table} OWNER TO CURRENT_USER"),
        ] {
            ensure_refused(&database, &sql).await?;
        }
    }
    for sql in [
        "CREATE TABLE more (id integer)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA more",
        "DROP SCHEMA public CASCADE",
        "DROP FUNCTION ensure_generation_partition(timestamptz)",
        "CREATE OR REPLACE FUNCTION drop_generation_partition(at timestamptz) RETURNS boolean \
         LANGUAGE sql AS 'SELECT true'",
        "SELECT setval('store_version', 1)",
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('more', 0)",
        "UPDATE seaql_migrations SET applied_at = 0",
        "DELETE FROM seaql_migrations",
        "CREATE ROLE more",
    ] {
        ensure_refused(&database, sql).await?;
    }
    let schema = Schema::connect(fixture.url()).await?;
    let down = schema.down(Steps::N(1)).await;
    ensure!(matches!(down, Err(MigrationError::NotPermitted(_))), "{down:?}");
    let fresh = schema.fresh(Consent::DropEverything).await;
    ensure!(matches!(fresh, Err(MigrationError::NotPermitted(_))), "{fresh:?}");
    schema.close().await?;

    ensure!(texts(fixture.administrator(), TABLES).await? == tables);
    ensure!(account::totals(fixture.store()).await?.generations == 1);
    database.close().await?;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_reads_can_write_nothing() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    fixture
        .store()
        .generations()
        .record(vec![given::generation("openai")?], &given::author())
        .await?;
    let tables = texts(fixture.administrator(), TABLES).await?;
    let database = connection(&fixture.urls().readonly).await?;
    // The role's default may be changed by whoever has it; what it may do may not.
    database.execute_unprepared("SET default_transaction_read_only = off").await?;

    for table in &tables {
        let count = format!("SELECT count(*) FROM {table}");
        if PRIVATE.contains(&table.as_str()) {
            ensure_refused(&database, &count).await?;
        } else {
            database.execute_unprepared(&count).await?;
        }
        for sql in [
            format!("INSERT INTO {table} DEFAULT VALUES"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("DROP TABLE {table}"),
            format!("SELECT * FROM {table} FOR UPDATE"),
        ] {
            ensure_refused(&database, &sql).await?;
        }
    }
    for sql in [
        "UPDATE artists SET name = name",
        "UPDATE generation_rollup_state SET fold = 0",
        "CREATE TABLE more (id integer)",
        "CREATE TEMPORARY TABLE more (id integer)",
        "SELECT next_store_version()",
        "SELECT ensure_generation_partition(now())",
        "SELECT lock_generation_partition(now())",
        "SELECT drop_generation_partition(now())",
    ] {
        ensure_refused(&database, sql).await?;
    }
    database.close().await?;

    let reader = fixture::store_at(&fixture.urls().readonly).await?;
    ensure!(account::totals(&reader).await?.generations == 1);
    let recorded =
        reader.generations().record(vec![given::generation("openai")?], &given::author()).await;
    ensure!(recorded.is_err(), "{recorded:?}");
    ensure_private(&reader).await?;
    reader.close().await;
    fixture.close().await
}

/// Who has keys, and who did what, is not for whoever only reads.
async fn ensure_private(reader: &Store) -> anyhow::Result<()> {
    let keys = reader.api_keys().page(None, Limit::LARGEST).await;
    ensure!(keys.is_err(), "{keys:?}");
    let records = reader.audit_log().page(&AuditFilter::default(), None, Limit::LARGEST).await;
    ensure!(records.is_err(), "{records:?}");
    Ok(())
}

/// An empty database, roles, the owner's migration, the application: in this order nobody has to come back.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_needs_the_administrator_once() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    let schema = Schema::connect(&fixture.urls().owner).await?;

    let reverted = schema.down(Steps::All).await?;
    let applied = schema.up(None).await?;
    schema.close().await?;

    ensure!(!applied.is_empty() && applied.len() == reverted.len(), "{applied:?}");
    let reader = fixture::store_at(&fixture.urls().readonly).await?;
    ensure_private(&reader).await?;
    reader.close().await;
    let owner = "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')";
    let owners = texts(fixture.administrator(), owner).await?;
    ensure!(owners.len() == 1 && owners.iter().all(|it| it.ends_with("_owner")), "{owners:?}");
    let store = fixture.another_store().await?;
    store.generations().record(vec![given::generation("openai")?], &given::author()).await?;
    let profile = Box::new(given::profile("J Dilla", "late")?);
    let record = ProfileRecord::Profile { profile, sources: Vec::new() };
    store.bulk_load().load(vec![record], &given::author()).await?;
    store.bulk_load().finish().await?;
    store.close().await;
    let database = connection(fixture.url()).await?;
    ensure_refused(&database, "DELETE FROM seaql_migrations").await?;
    ensure_refused(&database, "TRUNCATE generation_history").await?;
    database.close().await?;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn made_again_they_are_the_same() -> anyhow::Result<()> {
    const RIGHTS: &str = "
        SELECT concat_ws(' ', relname, relacl::text, relowner::regrole) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
        UNION ALL SELECT concat_ws(' ', proname, proacl::text, proowner::regrole) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND probin IS NULL
        UNION ALL SELECT concat_ws(' ', nspname, nspacl::text) FROM pg_namespace
        UNION ALL SELECT concat_ws(' ', 'default', defaclobjtype, defaclacl::text) FROM pg_default_acl
        UNION ALL SELECT concat_ws(' ', datname, datacl::text) FROM pg_database WHERE datname = current_database()
        UNION ALL SELECT concat_ws(' ', setrole::regrole, setconfig::text) FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = s.setdatabase AND datname = current_database()
        ORDER BY 1";

    let fixture = AsApplication::open().await?;
    let before = texts(fixture.administrator(), RIGHTS).await?;

    let database = texts(fixture.administrator(), "SELECT current_database()::text").await?;
    let name = database.first().context("one")?;
    let again = RoleUrls::make(fixture.administrator(), name).await?;

    let after = texts(fixture.administrator(), RIGHTS).await?;
    ensure!(before == after, "{before:#?} {after:#?}");
    ensure!(again.application == fixture.url());
    fixture::store_at(&again.application).await?.close().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_do_more_is_refused_and_nothing_is_changed() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    let role = |name: &str| Role::new(name, None);
    let name = texts(fixture.administrator(), "SELECT current_database()::text").await?.concat();
    let superuser =
        Roles::new(role("postgres")?, role(&format!("{name}_a"))?, role(&format!("{name}_b"))?)?;
    let schema = Schema::connect(fixture.administrator()).await?;

    let refused = schema.make_roles(&superuser).await;

    ensure!(matches!(refused, Err(MigrationError::Database(_))), "{refused:?}");
    let made = format!("SELECT rolname::text FROM pg_roles WHERE rolname LIKE '{name}\\__'");
    ensure!(texts(fixture.administrator(), &made).await?.is_empty());
    // Directly, through another role, and by what PostgreSQL has itself.
    fixture.by_hand(&format!("CREATE ROLE {name}_group")).await?;
    let harmless = [format!("GRANT {name}_group, pg_monitor TO {name}_app, {name}_readonly")];
    for sql in harmless {
        fixture.by_hand(&sql).await?;
    }
    RoleUrls::make(fixture.administrator(), &name).await?;
    for (member, other) in [
        (format!("{name}_app"), format!("{name}_owner")),
        (format!("{name}_readonly"), format!("{name}_app")),
        (format!("{name}_group"), format!("{name}_owner")),
        (format!("{name}_group"), "postgres".to_owned()),
        (format!("{name}_app"), "pg_execute_server_program".to_owned()),
        (format!("{name}_readonly"), "pg_read_all_data".to_owned()),
        (format!("{name}_owner"), "pg_write_server_files".to_owned()),
    ] {
        fixture.by_hand(&format!("GRANT {other} TO {member}")).await?;
        let again = RoleUrls::make(fixture.administrator(), &name).await;
        let error = format!("{:#}", again.err().with_context(|| format!("{member} in {other}"))?);
        ensure!(error.contains(&format!("is a member of {other}")), "{member}: {error}");
        fixture.by_hand(&format!("REVOKE {other} FROM {member}")).await?;
    }
    fixture.by_hand(&format!("GRANT UPDATE ON api_keys TO {name}_group")).await?;
    let again = RoleUrls::make(fixture.administrator(), &name).await;
    ensure!(again.is_err(), "a role with rights in the schema");
    fixture.by_hand(&format!("REVOKE UPDATE ON api_keys FROM {name}_group")).await?;
    RoleUrls::make(fixture.administrator(), &name).await?;
    fixture.by_hand(&format!("DROP ROLE {name}_group")).await?;
    schema.close().await?;
    let as_application = Schema::connect(fixture.url()).await?;
    let refused = as_application
        .make_roles(&Roles::new(
            role(&format!("{name}_x"))?,
            role(&format!("{name}_y"))?,
            role(&format!("{name}_z"))?,
        )?)
        .await;
    ensure!(matches!(refused, Err(MigrationError::NotPermitted(_))), "{refused:?}");
    as_application.close().await?;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vector_index_is_the_owners() -> anyhow::Result<()> {
    let fixture = AsApplication::open().await?;
    let index = fixture.store().vector_index();
    let before = index.status().await?;

    let built = index.build(VectorIndexKind::Hnsw, &mut |_| ()).await;
    let removed = index.remove().await;

    ensure!(matches!(built, Err(VectorIndexError::NotOwner)), "{built:?}");
    ensure!(matches!(removed, Err(VectorIndexError::NotOwner)), "{removed:?}");
    ensure!(index.status().await? == before);
    // A load that outgrows the index is loaded all the same.
    let records = (0..3000).map(|number| {
        let mut profile = given::profile(&format!("Artist {number}"), "late")?;
        profile.embedding = Some(given::embedding(number)?);
        anyhow::Ok(ProfileRecord::Profile { profile: Box::new(profile), sources: Vec::new() })
    });
    fixture
        .store()
        .bulk_load()
        .load(records.collect::<anyhow::Result<_>>()?, &given::author())
        .await?;
    fixture.store().bulk_load().finish().await?;
    let outgrown = index.status().await?.in_use.context("the schema's own")?;
    ensure!(outgrown.outgrown, "{outgrown:?}");
    let owner = fixture::store_at(&fixture.urls().owner).await?;
    owner.vector_index().build(VectorIndexKind::Hnsw, &mut |_| ()).await?;
    owner.close().await;
    let in_use = index.status().await?.in_use.context("built")?;
    ensure!(in_use.parameters.kind() == VectorIndexKind::Hnsw && in_use.valid, "{in_use:?}");
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_them_and_shows_no_password() -> anyhow::Result<()> {
    const PASSWORD: &str = "nobody-may-read-this";

    let fixture = AsApplication::open().await?;
    let name = texts(fixture.administrator(), "SELECT current_database()::text").await?.concat();
    let program = Program::new()?;
    let names = ["owner", "app", "readonly"].map(|role| format!("{name}_{role}"));
    let [owner, application, readonly] = names.each_ref().map(String::as_str);
    let arguments =
        ["roles", "--owner", owner, "--application", application, "--readonly", readonly];
    let command = |more: &[&str]| {
        let mut command = program.command(&[&arguments[..], more].concat());
        command.env("GROOVEBASE_DATABASE_URL", fixture.administrator());
        command.env("GROOVEBASE_ROLES_APPLICATION_PASSWORD", PASSWORD);
        command
    };

    let made = run(command(&[]), "")?;
    let printed = run(command(&["--print"]), "")?;
    let helped = run(command(&["--help"]), "")?;

    for ended in [&made, &printed, &helped] {
        ensure!(ended.code == Some(0), "{ended:?}");
        ensure!(!ended.output.contains(PASSWORD) && !ended.errors.contains(PASSWORD), "{ended:?}");
    }
    let mut url = Url::parse(fixture.url())?;
    ensure!(url.set_password(Some(PASSWORD)).is_ok());
    let url = String::from(url);
    fixture::store_at(&url).await?.close().await;
    // What is printed is what is done.
    fixture.by_hand(&printed.output).await?;
    fixture::store_at(&url).await?.close().await;
    ensure!(fixture::store_at(fixture.url()).await.is_err(), "the password is another one");
    let sqlite = program.run(&["roles"])?;
    ensure!(sqlite.code == Some(1) && sqlite.errors.contains("SQLite has no roles"), "{sqlite:?}");
    fixture.close().await
}

//! A database for each test, dropped when it ends, however it ends.

use std::{
    collections::hash_map::RandomState,
    future::Future,
    hash::{BuildHasher, Hasher},
    panic,
    time::Duration,
};

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, SqlxPostgresConnector, sqlx::postgres::PgPoolOptions,
};
use tokio::time::timeout;
use url::Url;

use crate::suite::Store;

/// The longest test takes some ten seconds.
const TIMEOUT: Duration = Duration::from_mins(2);

#[expect(clippy::disallowed_methods, reason = "the one setting of these tests")]
fn server() -> Url {
    let url = std::env::var("GROOVEBASE_TEST_POSTGRES_URL")
        .expect("GROOVEBASE_TEST_POSTGRES_URL names a PostgreSQL server with pgvector");
    url.parse().unwrap()
}

pub(crate) async fn connect(url: &Url) -> DatabaseConnection {
    let pool = PgPoolOptions::new().max_connections(4).connect(url.as_str()).await.unwrap();
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

pub(crate) fn random_name(kind: &str) -> String {
    format!("gb_test_{kind}_{:016x}", RandomState::new().build_hasher().finish())
}

/// A database and a role of its own that may log in to it and nothing else.
#[derive(Clone)]
pub(crate) struct Database {
    /// As the superuser.
    pub(crate) url: Url,
    pub(crate) admin: Store,
    pub(crate) role: String,
}

impl Database {
    /// The URL for the role.
    pub(crate) fn role_url(&self, options: &str) -> Url {
        let mut url = self.url.clone();
        url.set_username(&self.role).unwrap();
        url.set_password(Some("not very secret")).unwrap();
        if !options.is_empty() {
            url.query_pairs_mut().append_pair("options", options);
        }
        url
    }

    /// The database as the role sees it.
    pub(crate) async fn role(&self, options: &str) -> Store {
        let url = self.role_url(options);
        Store { db: connect(&url).await, url: url.into() }
    }
}

pub(crate) async fn with_database<F>(test: impl FnOnce(Database) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let server = server();
    let admin = connect(&server).await;
    let (name, role) = (random_name("db"), random_name("role"));
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'not very secret'");
    admin.execute_unprepared(&create).await.unwrap();
    // Not the template's collation: it is the schema that must order text by code point.
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'
         LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
    );
    admin.execute_unprepared(&create).await.unwrap();
    let mut url = server;
    url.set_path(&name);
    let db = connect(&url).await;
    let store = Store { url: url.to_string(), db };

    // In a task, so that a failure can be caught and the database dropped. A test that waits for
    // what never happens fails as well.
    let test = timeout(TIMEOUT, test(Database { url, admin: store, role: role.clone() }));
    let outcome = tokio::spawn(async { test.await.expect("the test ends in time") }).await;

    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.execute_unprepared(&drop).await.unwrap();
    admin.execute_unprepared(&format!("DROP ROLE {role}")).await.unwrap();
    if let Err(error) = outcome {
        panic::resume_unwind(error.into_panic());
    }
}

pub(crate) async fn with_store<F>(test: impl FnOnce(Store) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    with_database(|database| test(database.admin)).await;
}

pub(crate) async fn with_schema_of_its_own<F>(test: impl FnOnce(Store) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    with_database(|database| async move {
        let role = &database.role;
        let prepare = format!(
            r#"CREATE SCHEMA extensions;
               GRANT USAGE ON SCHEMA extensions TO {role};
               CREATE EXTENSION vector WITH SCHEMA extensions;
               CREATE EXTENSION pg_trgm WITH SCHEMA extensions;
               CREATE SCHEMA "Odd 'schema" AUTHORIZATION {role};
               REVOKE ALL ON SCHEMA public FROM PUBLIC;"#
        );
        database.admin.run(&prepare).await;

        let options = r#"-csearch_path="Odd\ 'schema",extensions
                         -cdefault_transaction_isolation=repeatable\ read"#;
        test(database.role(options).await).await;
    })
    .await;
}

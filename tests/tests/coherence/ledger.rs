//! What the database itself writes down about every version that it commits.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use domain::Version;
use groovebase_tests::{
    history::{Committed, Moment, State, Stopwatch},
    program::PATIENCE,
};
use sea_orm::sqlx::{self, Connection, PgConnection, Row};

use crate::instance;

/// Deferred to the end of each transaction, so that it sees what others will see.
const SCHEMA: &str = "
CREATE TABLE ledger (version bigint PRIMARY KEY, name_key text NOT NULL, content text);
CREATE FUNCTION enter_present() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger
    SELECT artist.version, artist.name_key, profile.text_description
    FROM artists AS artist LEFT JOIN style_profiles AS profile ON profile.artist_id = artist.id
    WHERE artist.id = NEW.id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER enter_present AFTER INSERT OR UPDATE ON artists
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION enter_present();
CREATE FUNCTION enter_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger VALUES (NEW.version, NEW.name_key, NULL);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER enter_removed AFTER INSERT OR UPDATE ON removed_artists
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION enter_removed();
";

/// The ledger of a database that is up to date otherwise.
pub(crate) struct Ledger {
    url: String,
}

impl Ledger {
    /// Begins one.
    pub(crate) async fn begin(url: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        connection.close().await?;
        Ok(Self { url: url.to_owned() })
    }

    /// Waits until nothing is under way in the database, and stays so for longer than anybody pauses between attempts.
    pub(crate) async fn rest(&self) -> anyhow::Result<()> {
        const LONG_ENOUGH: Duration = Duration::from_secs(1);

        let mut connection = PgConnection::connect(&self.url).await?;
        let began = Instant::now();
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < LONG_ENOUGH {
            // Those who follow the changes never stop asking. A transaction that has neither written nor taken the lock
            // of writers is no matter: who gives up while it begins leaves one behind in the pool.
            let busy: Vec<String> = sqlx::query_scalar(
                "SELECT concat_ws(' ', pid, state, wait_event, clock_timestamp() - state_change, query) \
                 FROM pg_stat_activity AS backend \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
                 AND (state = 'active' OR backend_xid IS NOT NULL OR EXISTS ( \
                     SELECT FROM pg_locks WHERE pid = backend.pid AND locktype = 'advisory')) \
                 AND query NOT LIKE '%removed_artists WHERE version%'",
            )
            .fetch_all(&mut connection)
            .await?;
            if !busy.is_empty() {
                quiet_since = Instant::now();
            }
            ensure!(began.elapsed() < PATIENCE, "the database never comes to rest: {busy:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(connection.close().await?)
    }

    /// Every version that was committed.
    pub(crate) async fn entries(&self) -> anyhow::Result<Vec<Committed>> {
        let mut connection = PgConnection::connect(&self.url).await?;
        let rows = sqlx::query("SELECT version, name_key, content FROM ledger")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        rows.iter()
            .map(|row| {
                let content: Option<&str> = row.try_get("content")?;
                Ok(Committed {
                    key: instance::number_of(row.try_get("name_key")?)?,
                    version: version(row)?,
                    content: content.map(instance::content_of_text).transpose()?,
                })
            })
            .collect()
    }

    /// What the database holds of an artist, and between which moments it was asked.
    pub(crate) async fn state(
        &self,
        key: u16,
        watch: Stopwatch,
    ) -> anyhow::Result<(Moment, State, Moment)> {
        let mut connection = PgConnection::connect(&self.url).await?;
        let asked = watch.now();
        let row = sqlx::query(
            "SELECT artist.version, profile.text_description AS content \
             FROM artists AS artist JOIN style_profiles AS profile ON profile.artist_id = artist.id \
             WHERE artist.name_key = $1",
        )
        .bind(instance::artist_key(key)?.as_str())
        .fetch_optional(&mut connection)
        .await?;
        let answered = watch.now();
        connection.close().await?;
        let state = match row {
            None => State::Nothing,
            Some(row) => State::Profile {
                version: version(&row)?,
                content: instance::content_of_text(row.try_get("content")?)?,
            },
        };
        Ok((asked, state, answered))
    }
}

fn version(row: &sqlx::postgres::PgRow) -> anyhow::Result<Version> {
    let version: i64 = row.try_get("version")?;
    Ok(Version::new(u64::try_from(version).context("a negative version")?))
}

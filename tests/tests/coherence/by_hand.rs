//! Somebody who edits the database by plain SQL.

use anyhow::bail;
use async_trait::async_trait;
use domain::Version;
use groovebase_tests::history::{Answer, Mode, Write};
use sea_orm::sqlx::{self, Connection, PgConnection};
use tokio::sync::Mutex;

use crate::instance::{self, Done, Instance};

/// Somebody with a connection of their own, who knows nothing of the service.
pub(crate) struct ByHand {
    url: String,
    connection: Mutex<Option<PgConnection>>,
}

impl ByHand {
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), connection: Mutex::new(None) }
    }

    async fn change(
        connection: &mut PgConnection,
        key: u16,
        write: Write,
    ) -> anyhow::Result<Option<Version>> {
        const VERSION: &str = "SELECT version FROM artists WHERE name_key = $1";

        let artist = instance::artist_key(key)?;
        let version: Option<i64> = match write {
            Write::Touch => {
                let touch = "UPDATE artists SET confidence_score = confidence_score \
                             WHERE name_key = $1 RETURNING version";
                sqlx::query_scalar(touch).bind(artist.as_str()).fetch_optional(connection).await?
            }
            Write::Edit(content) => {
                let edit = "UPDATE style_profiles \
                            SET text_description = $2, midi_templates = $3::text::jsonb \
                            WHERE artist_id = (SELECT id FROM artists WHERE name_key = $1)";
                let mut transaction = connection.begin().await?;
                let edited = sqlx::query(edit)
                    .bind(artist.as_str())
                    .bind(instance::text(content))
                    .bind(instance::templates(content).to_string())
                    .execute(&mut *transaction)
                    .await?;
                let version = if edited.rows_affected() == 0 {
                    None
                } else {
                    let version = sqlx::query_scalar(VERSION).bind(artist.as_str());
                    Some(version.fetch_one(&mut *transaction).await?)
                };
                transaction.commit().await?;
                version
            }
            Write::Save(_) | Write::Create | Write::RemoveProfile | Write::RemoveArtist => {
                bail!("this is left to the service")
            }
        };
        Ok(version.map(|version| Version::new(version.unsigned_abs())))
    }
}

#[async_trait]
impl Instance for ByHand {
    fn most_at_once(&self) -> usize {
        0
    }

    async fn read(&self, _: &[u16], _: Mode) -> anyhow::Result<Vec<Answer>> {
        bail!("this one only writes")
    }

    async fn write(&self, key: u16, write: Write) -> anyhow::Result<Done> {
        let mut held = self.connection.lock().await;
        // Whatever happens, a connection that was not put back is not used again.
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => PgConnection::connect(&self.url).await?,
        };
        let version = Self::change(&mut connection, key, write).await?;
        *held = Some(connection);
        Ok(Done::removed(version))
    }
}

//! What a run asks of an instance, and what is in the profiles that it saves.

use anyhow::Context;
use async_trait::async_trait;
use domain::{ArtistKey, ArtistName, JsonArray, NewStyleProfile, TextDescription, Version};
use groovebase_tests::{
    given,
    history::{Answer, Mode, OperationId, Write},
};
use serde_json::{Value, json};

/// Somebody who can be asked for profiles, or told to change them.
#[async_trait]
pub(crate) trait Instance: Send + Sync {
    /// How many keys a read may be for.
    fn most_at_once(&self) -> usize;

    /// Reads profiles, in the order asked for.
    async fn read(&self, keys: &[u16], mode: Mode) -> anyhow::Result<Vec<Answer>>;

    /// Writes. After an error nobody knows whether it happened.
    async fn write(&self, key: u16, write: Write) -> anyhow::Result<Done>;
}

/// How a write went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Done {
    /// It happened, at this version if that was told.
    Changed(Option<Version>),
    /// There was nothing to do.
    Needless,
}

impl Done {
    /// The outcome of a removal.
    pub(crate) fn removed(version: Option<Version>) -> Self {
        version.map_or(Self::Needless, |version| Self::Changed(Some(version)))
    }
}

/// The artist of a key.
pub(crate) fn artist(key: u16) -> anyhow::Result<ArtistName> {
    given::name(&format!("Artist {key}"))
}

/// The same as it is looked up.
pub(crate) fn artist_key(key: u16) -> anyhow::Result<ArtistKey> {
    Ok(artist(key)?.key().clone())
}

/// The number of an artist, from its key as it is stored.
pub(crate) fn number_of(artist_key: &str) -> anyhow::Result<u16> {
    Ok(artist_key.strip_prefix("artist ").context("a strange artist")?.parse()?)
}

/// A profile that tells in two places who wrote it, and has some length.
pub(crate) fn profile(key: u16, content: OperationId) -> anyhow::Result<NewStyleProfile> {
    Ok(NewStyleProfile {
        text_description: TextDescription::try_from(text(content))?,
        midi_templates: JsonArray::try_from(templates(content))?,
        embedding: Some(given::embedding(content.0)?),
        ..given::profile(artist(key)?.as_str(), "to be replaced")?
    })
}

/// The text of a profile.
pub(crate) fn text(OperationId(content): OperationId) -> String {
    format!("{content}: {}", "behind the beat, ".repeat(20))
}

/// The templates of a profile.
pub(crate) fn templates(OperationId(content): OperationId) -> Value {
    json!([{ "content": content }])
}

/// Who wrote a profile with this text.
pub(crate) fn content_of_text(text: &str) -> anyhow::Result<OperationId> {
    let (content, _) = text.split_once(':').context("a strange text")?;
    Ok(OperationId(content.parse()?))
}

/// Who wrote a profile. One that two wrote a part of was written by nobody.
pub(crate) fn content(text: &str, templates: &[Value]) -> anyhow::Result<OperationId> {
    let content = content_of_text(text)?;
    let also = templates.first().and_then(|it| it.get("content")).and_then(Value::as_u64);
    let whole = also == Some(content.0);
    Ok(if whole { content } else { OperationId(u64::MAX) })
}

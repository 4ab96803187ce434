//! Pages, and the opaque tokens that lead from one to the next.
//!
//! A token is unpadded URL-safe base64 of one letter for the kind, one digit for the format, and a position.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    ApiKeyId, ArtistKey, AuditRecordId, GenerationId, Id, Limit, ResearchSourceId, Timestamp,
};

/// One page of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C> {
    /// The results, in the listing's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The page that begins with `items`, of which there is one more than `limit` unless it is the last page.
    pub fn begun_by<const MAX: u16>(
        mut items: Vec<T>,
        limit: Limit<MAX>,
        position: impl FnOnce(&T) -> C,
    ) -> Self {
        let more = usize::from(limit.get()) < items.len();
        items.truncate(limit.get().into());
        let next = items.last().filter(|_| more).map(position);
        Self { items, next }
    }
}

/// A position in the list of artists: after this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtistCursor(pub ArtistKey);

impl ArtistCursor {
    /// The token for a caller to hand back.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("a1{}", self.0))
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// When the token was not made by [`Self::encode`].
    pub fn parse(token: &str) -> Result<Self, InvalidCursor> {
        let position = position(token, b"a1")?;
        let text = str::from_utf8(&position).map_err(|_| InvalidCursor)?;
        let key = ArtistKey::parse(text).map_err(|_| InvalidCursor)?;
        if key.as_str() == text { Ok(Self(key)) } else { Err(InvalidCursor) }
    }
}

/// A position in an artist's history, newest first: after this generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCursor {
    /// When the last generation of the page before was made.
    pub created_at: Timestamp,
    /// Which one it was.
    pub id: GenerationId,
}

impl HistoryCursor {
    /// The token for a caller to hand back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut token = b"h1".to_vec();
        token.extend(self.created_at.unix_micros().to_be_bytes());
        token.extend(self.id.as_uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// When the token was not made by [`Self::encode`].
    pub fn parse(token: &str) -> Result<Self, InvalidCursor> {
        let position = position(token, b"h1")?;
        let (micros, uuid) = position.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let created_at =
            Timestamp::from_unix_micros(i64::from_be_bytes(*micros)).map_err(|_| InvalidCursor)?;
        let uuid: [u8; 16] = uuid.try_into().map_err(|_| InvalidCursor)?;
        Ok(Self { created_at, id: Id::from_uuid(uuid::Uuid::from_bytes(uuid)) })
    }
}

/// A position in an artist's sources, oldest first: after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceCursor(pub ResearchSourceId);

impl SourceCursor {
    /// The token for a caller to hand back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut token = b"s1".to_vec();
        token.extend(self.0.as_uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// When the token was not made by [`Self::encode`].
    pub fn parse(token: &str) -> Result<Self, InvalidCursor> {
        let uuid: [u8; 16] = position(token, b"s1")?.try_into().map_err(|_| InvalidCursor)?;
        Ok(Self(Id::from_uuid(uuid::Uuid::from_bytes(uuid))))
    }
}

/// A position in the list of API keys, oldest first: after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKeyCursor(pub ApiKeyId);

impl ApiKeyCursor {
    /// The token for a caller to hand back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut token = b"k1".to_vec();
        token.extend(self.0.as_uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// When the token was not made by [`Self::encode`].
    pub fn parse(token: &str) -> Result<Self, InvalidCursor> {
        let uuid: [u8; 16] = position(token, b"k1")?.try_into().map_err(|_| InvalidCursor)?;
        Ok(Self(Id::from_uuid(uuid::Uuid::from_bytes(uuid))))
    }
}

/// A position in the audit log, newest first: after this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor {
    /// When the last record of the page before was written.
    pub at: Timestamp,
    /// Which one it was.
    pub id: AuditRecordId,
}

impl AuditCursor {
    /// The token for a caller to hand back.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut token = b"l1".to_vec();
        token.extend(self.at.unix_micros().to_be_bytes());
        token.extend(self.id.as_uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// When the token was not made by [`Self::encode`].
    pub fn parse(token: &str) -> Result<Self, InvalidCursor> {
        let position = position(token, b"l1")?;
        let (micros, uuid) = position.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let at =
            Timestamp::from_unix_micros(i64::from_be_bytes(*micros)).map_err(|_| InvalidCursor)?;
        let uuid: [u8; 16] = uuid.try_into().map_err(|_| InvalidCursor)?;
        Ok(Self { at, id: Id::from_uuid(uuid::Uuid::from_bytes(uuid)) })
    }
}

/// A token that no page handed out, or one of another listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor is not one that this listing handed out")]
pub struct InvalidCursor;

fn position(token: &str, kind: &[u8]) -> Result<Vec<u8>, InvalidCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidCursor)?;
    bytes.strip_prefix(kind).map(<[u8]>::to_vec).ok_or(InvalidCursor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ArtistName;

    #[test]
    fn tokens_lead_back_to_their_position() {
        let artist = ArtistCursor(ArtistName::try_from("坂本龍一/!!!").unwrap().key().clone());
        let history = HistoryCursor {
            created_at: Timestamp::from_unix_micros(-7).unwrap(),
            id: GenerationId::generate(),
        };
        let source = SourceCursor(ResearchSourceId::generate());
        let key = ApiKeyCursor(ApiKeyId::generate());
        let record = AuditCursor { at: history.created_at, id: AuditRecordId::generate() };

        assert_eq!(AuditCursor::parse(&record.encode()), Ok(record));
        assert_eq!(ApiKeyCursor::parse(&key.encode()), Ok(key));
        assert_eq!(ArtistCursor::parse(&artist.encode()), Ok(artist));
        assert_eq!(HistoryCursor::parse(&history.encode()), Ok(history));
        assert_eq!(SourceCursor::parse(&source.encode()), Ok(source));
    }

    #[test]
    fn refuses_a_token_of_another_listing() {
        let source = SourceCursor(ResearchSourceId::generate()).encode();

        assert_eq!(HistoryCursor::parse(&source), Err(InvalidCursor));
        assert_eq!(ArtistCursor::parse(&source), Err(InvalidCursor));
    }

    proptest! {
        #[test]
        fn no_token_is_a_panic(token in "\\PC{0,60}") {
            let _ = ArtistCursor::parse(&token);
            let _ = HistoryCursor::parse(&token);
            let _ = SourceCursor::parse(&token);
        }
    }
}

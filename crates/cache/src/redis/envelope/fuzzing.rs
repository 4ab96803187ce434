//! Ways into an envelope for the fuzz targets; no build but theirs has them.

use domain::{ArtistKey, StyleProfile, Version};

use super::{CHECKSUM_AT, Facts, HEADER_BYTES, checksum, header, words};

/// The profile's envelope.
#[must_use]
pub fn encode(profile: &StyleProfile) -> Option<Vec<u8>> {
    super::encode(profile)
}

/// The profile of this artist at this version.
#[must_use]
pub fn decode(bytes: &[u8], artist: &ArtistKey, version: Version) -> Option<StyleProfile> {
    super::decode(bytes, artist, version).ok()
}

/// These bytes with the right checksum.
#[must_use]
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let (Some(checksum), Some(place)) =
        (checksum(&bytes), bytes.get_mut(CHECKSUM_AT..HEADER_BYTES))
    {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

/// An envelope that is right up to the artist's key.
#[must_use]
pub fn after_the_key(artist: &ArtistKey, version: Version, rest: &[u8]) -> Vec<u8> {
    let key = artist.as_str().as_bytes();
    let mut bytes = header(version).to_vec();
    bytes.extend([0; size_of::<u64>()]);
    bytes.extend(u16::try_from(key.len()).unwrap_or_default().to_be_bytes());
    bytes.extend(key);
    bytes.extend(rest);
    sealed(bytes)
}

/// An envelope without embedding: `rest` is the facts, and words that are yet to be compressed.
#[must_use]
pub fn with_words(artist: &ArtistKey, version: Version, rest: &[u8]) -> Vec<u8> {
    let (facts, words) = rest.split_at_checked(Facts::BYTES).unwrap_or((rest, &[]));
    let mut after = vec![0];
    after.extend(facts);
    after.extend(u32::try_from(words.len()).unwrap_or_default().to_be_bytes());
    after.extend(words::pack(words, 0).unwrap_or_default());
    after_the_key(artist, version, &after)
}

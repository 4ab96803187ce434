//! What an artist is called, and when two names mean one artist.

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use icu_casemap::CaseMapper;
use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed,
    properties::CanonicalCombiningClassMapBorrowed,
};

/// A name to show: 1 to [`ArtistName::MAX_CHARS`] characters, trimmed, composed (NFC), without control characters.
///
/// Two names are equal when their keys are: `j dilla` and `J  DILLA` are one artist.
#[derive(Debug, Clone)]
pub struct ArtistName {
    shown: Arc<str>,
    key: ArtistKey,
}

impl ArtistName {
    /// The longest name, in characters (Unicode scalar values) of its composed form.
    pub const MAX_CHARS: usize = 255;

    /// The name as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// What this name is found by.
    #[must_use]
    pub const fn key(&self) -> &ArtistKey {
        &self.key
    }

    /// The name of an artist whose key is known, which it then shares. A key that turns out to be another one's counts for
    /// nothing.
    ///
    /// # Errors
    ///
    /// When the text is no name.
    pub fn of_artist(text: &str, key: &ArtistKey) -> Result<Self, InvalidArtistName> {
        // What is already folded but for the case of its letters, as nearly every name is.
        let plain = text.is_ascii()
            && text.eq_ignore_ascii_case(key.as_str())
            && text.len() <= Self::MAX_CHARS;
        if plain { Ok(Self { shown: text.into(), key: key.clone() }) } else { Self::try_from(text) }
    }
}

impl TryFrom<&str> for ArtistName {
    type Error = InvalidArtistName;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if let Some(position) = text.chars().position(char::is_control) {
            return Err(InvalidArtistName::ControlCharacter { position });
        }
        let trimmed = text.trim();
        let shown = if trimmed.is_ascii() {
            // It is composed, and each byte is a character.
            Cow::Borrowed(trimmed)
        } else {
            ComposingNormalizerBorrowed::new_nfc().normalize(trimmed)
        };
        match shown.chars().count() {
            0 => return Err(InvalidArtistName::Empty),
            chars if Self::MAX_CHARS < chars => return Err(InvalidArtistName::TooLong { chars }),
            _ => {}
        }
        let key = fold(&shown);
        // A ligature may fold to many characters; databases refuse index entries much longer than this.
        match key.len() {
            0 => Err(InvalidArtistName::Empty),
            bytes if ArtistKey::MAX_BYTES < bytes => Err(InvalidArtistName::KeyTooLong { bytes }),
            _ => Ok(Self { shown: shown.into(), key: ArtistKey(key.into()) }),
        }
    }
}

impl PartialEq for ArtistName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ArtistName {}

impl Hash for ArtistName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for ArtistName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// What an artist is found by: its name in NFKC, fully case folded, trimmed, inner white space one space.
///
/// Diacritics stay. Keys order by code point, on every backend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtistKey(Arc<str>);

impl ArtistKey {
    /// The longest key, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 2_048;

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a key back from where one was kept, folding it again.
    ///
    /// # Errors
    ///
    /// When the text is no name at all.
    pub fn parse(text: &str) -> Result<Self, InvalidArtistName> {
        let text = fold(text);
        match text.len() {
            0 => Err(InvalidArtistName::Empty),
            bytes if Self::MAX_BYTES < bytes => Err(InvalidArtistName::KeyTooLong { bytes }),
            _ => match text.chars().position(char::is_control) {
                Some(position) => Err(InvalidArtistName::ControlCharacter { position }),
                None => Ok(Self(text.into())),
            },
        }
    }

    /// The key without diacritics: what [`SearchText`] is looked for in.
    #[must_use]
    pub fn search_form(&self) -> String {
        without_diacritics(&self.0)
    }
}

impl fmt::Display for ArtistKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a person types to search names: folded like a key, without diacritics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

impl SearchText {
    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for SearchText {
    type Error = InvalidArtistName;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        ArtistName::try_from(text).map(|name| Self(name.key.search_form()))
    }
}

/// Why a text is no artist name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidArtistName {
    /// Nothing is left after trimming.
    #[error("an artist name must not be empty")]
    Empty,
    /// More than [`ArtistName::MAX_CHARS`] characters.
    #[error("an artist name has at most 255 characters, this one has {chars}")]
    TooLong {
        /// How many characters it has.
        chars: usize,
    },
    /// Its folded form is longer than [`ArtistKey::MAX_BYTES`].
    #[error("an artist name takes at most 2048 bytes when case folded, this one takes {bytes}")]
    KeyTooLong {
        /// How many bytes it takes.
        bytes: usize,
    },
    /// Holds a control character, such as a line feed.
    #[error(
        "an artist name must not hold control characters, this one has one at character {position}"
    )]
    ControlCharacter {
        /// Which character, counted from 0.
        position: usize,
    },
}

/// Folds once more after the first round: case folding can yield text that is no longer normalized.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        // Of these characters neither normalization nor folding changes any but the letters.
        return one_space_between_words(&text.to_ascii_lowercase());
    }
    let compatible = ComposingNormalizerBorrowed::new_nfkc();
    let case = CaseMapper::new();
    let once = case.fold_string(&compatible.normalize(text)).into_owned();
    let twice = case.fold_string(&compatible.normalize(&once)).into_owned();
    let normalized = compatible.normalize(&twice);

    one_space_between_words(&normalized)
}

fn one_space_between_words(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

fn without_diacritics(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let bare: String = DecomposingNormalizerBorrowed::new_nfd()
        .normalize(text)
        .chars()
        .filter(|&character| classes.get_u8(character) == 0)
        .collect();
    // Hangul comes apart as well; put it together again.
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&bare).into_owned();
    // A name of nothing but marks would be found by nothing.
    if composed.trim().is_empty() { text.to_owned() } else { composed }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        ArtistName::try_from(text).unwrap().key().as_str().to_owned()
    }

    #[test]
    fn spellings_of_one_artist_share_a_key() {
        for (one, other) in [
            ("j dilla", "  J \u{3000} DILLA "),
            ("Beyonc\u{e9}", "BEYONCE\u{301}"),
            ("STRASSE", "stra\u{df}e"),
            ("ＡＣ／ＤＣ", "ac/dc"),
            ("Мумий Тролль", "МУМИЙ ТРОЛЛЬ"),
        ] {
            assert_eq!(key(one), key(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn different_artists_keep_different_keys() {
        for (one, other) in
            [("Sigur Rós", "Sigur Ros"), ("!!!", "!!"), ("+/-", "+-"), ("50% Off", "50 Off")]
        {
            assert_ne!(key(one), key(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn shows_the_name_composed_and_trimmed() {
        assert_eq!(ArtistName::try_from(" Beyonce\u{301} ").unwrap().as_str(), "Beyonc\u{e9}");
    }

    #[test]
    fn search_ignores_diacritics_and_keeps_scripts() {
        for (name, search) in [
            ("Sigur Rós", "sigur ros"),
            ("坂本龍一", "坂本龍一"),
            ("방탄소년단", "방탄소년단"),
            ("Beyoncé", "beyonce"),
        ] {
            assert_eq!(SearchText::try_from(name).unwrap().as_str(), search);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        assert_eq!(ArtistName::try_from(" \u{2003} "), Err(InvalidArtistName::Empty));
        assert_eq!(
            ArtistName::try_from("a\nb"),
            Err(InvalidArtistName::ControlCharacter { position: 1 })
        );
        assert_eq!(
            ArtistName::try_from("nul\0"),
            Err(InvalidArtistName::ControlCharacter { position: 3 })
        );
        assert!(ArtistName::try_from("é".repeat(255).as_str()).is_ok());
        assert_eq!(
            ArtistName::try_from("é".repeat(256).as_str()),
            Err(InvalidArtistName::TooLong { chars: 256 })
        );
        assert!(matches!(
            ArtistName::try_from("\u{fdfa}".repeat(255).as_str()),
            Err(InvalidArtistName::KeyTooLong { .. })
        ));
    }

    #[test]
    fn a_known_key_changes_no_name() {
        let key = ArtistName::try_from("J Dilla").unwrap().key;
        for text in ["J Dilla", "j  dilla", " J DILLA ", "j dilla", "Madlib", "J Dïlla", "\u{212a}"]
        {
            let (shared, own) =
                (ArtistName::of_artist(text, &key).unwrap(), ArtistName::try_from(text).unwrap());
            assert_eq!((shared.as_str(), shared.key()), (own.as_str(), own.key()), "{text:?}");
        }
        for text in ["", " ", "J\tDilla"] {
            assert_eq!(ArtistName::of_artist(text, &key).err(), ArtistName::try_from(text).err());
        }
    }

    proptest! {
        #[test]
        fn a_key_of_its_own_changes_no_name(text in "[ -~]{0,300}") {
            let own = ArtistName::try_from(text.as_str());
            if let Ok(own) = own {
                let shared = ArtistName::of_artist(&text, own.key()).unwrap();
                prop_assert_eq!((shared.as_str(), shared.key()), (own.as_str(), own.key()));
            }
        }

        #[test]
        fn plain_letters_fold_as_all_others(text in "[ -~]{1,40}") {
            let compatible = ComposingNormalizerBorrowed::new_nfkc();
            let folded = CaseMapper::new().fold_string(&compatible.normalize(&text)).into_owned();

            prop_assert_eq!(fold(&text), one_space_between_words(&folded));
        }

        #[test]
        fn folding_is_stable(text in "\\PC{1,40}") {
            if let Ok(name) = ArtistName::try_from(text.as_str()) {
                let key = name.key().clone();
                prop_assert_eq!(ArtistKey::parse(key.as_str()).unwrap(), key.clone());
                prop_assert_eq!(ArtistName::try_from(name.as_str()).unwrap(), name);
            }
        }
    }
}

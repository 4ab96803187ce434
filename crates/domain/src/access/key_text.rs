//! A key as its owner has it.

use std::{fmt, str::FromStr};

use super::PublicKeyId;

/// How every key begins, so that people and scanners of code recognize one.
pub(super) const PREFIX: &str = "gb_";

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole key: `gb_<id>_<secret>`. Only its owner has it; nothing else ever shows it.
#[derive(Clone)]
pub struct KeyText {
    public_id: PublicKeyId,
    secret: KeySecret,
}

impl KeyText {
    /// The key of these two parts.
    #[must_use]
    pub const fn new(public_id: PublicKeyId, secret: KeySecret) -> Self {
        Self { public_id, secret }
    }

    /// The part that may be shown.
    #[must_use]
    pub const fn public_id(&self) -> &PublicKeyId {
        &self.public_id
    }

    /// The part that proves it.
    #[must_use]
    pub const fn secret(&self) -> &KeySecret {
        &self.secret
    }

    /// The key, for its owner and nobody else.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.public_id, self.secret.0)
    }
}

impl FromStr for KeyText {
    type Err = InvalidKeyText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, secret) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(InvalidKeyText)?;
        let public_id = id.parse().map_err(|_| InvalidKeyText)?;
        if secret.len() == KeySecret::CHARS && is_base62(secret) {
            Ok(Self { public_id, secret: KeySecret(secret.into()) })
        } else {
            Err(InvalidKeyText)
        }
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_..", self.public_id.prefix())
    }
}

/// The secret part of a key: 256 random bits as letters and digits.
#[derive(Clone)]
pub struct KeySecret(Box<str>);

impl KeySecret {
    /// As many as 256 bits need.
    const CHARS: usize = 43;

    /// A new one of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(base62(&bytes, Self::CHARS).into())
    }

    /// What is hashed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeySecret(..)")
    }
}

/// A text that is no [`KeyText`]. It may be one with a slip in it, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has the form gb_<id>_<secret>")]
pub struct InvalidKeyText;

pub(super) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A number, the most significant byte first, in so many digits of base 62.
pub(super) fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let dividend = remainder << 8 | u32::from(*byte);
            // Less than 256, since the remainder before was less than 62.
            *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
            remainder = dividend % 62;
        }
        let digit = usize::try_from(remainder).ok().and_then(|index| DIGITS.get(index));
        text.push(char::from(digit.copied().unwrap_or(b'0')));
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> KeyText {
        KeyText::new(PublicKeyId::from_random([7; 8]), KeySecret::from_random([255; 32]))
    }

    #[test]
    fn is_read_as_it_is_written() {
        let text = key().expose();

        assert_eq!(text.len(), 3 + 11 + 1 + 43);
        let read: KeyText = text.parse().unwrap();
        assert_eq!(read.expose(), text);
        assert_eq!(read.public_id(), key().public_id());
    }

    #[test]
    fn refuses_everything_else() {
        let text = key().expose();
        let (short, dash) = (&text[..text.len() - 1], text.replace("gb_", "gb-"));
        let long = format!("{text}0");
        let spaced = format!(" {text}");
        for wrong in ["", "gb_", "gb__", "gb_12345678_", short, &dash, &long, &spaced] {
            assert_eq!(wrong.parse::<KeyText>().unwrap_err(), InvalidKeyText, "{wrong}");
        }
    }

    #[test]
    fn no_debug_form_shows_the_secret() {
        let secret = String::from_utf8(key().secret().expose().to_vec()).unwrap();

        for shown in [
            format!("{:?}", key()),
            format!("{:?}", key().secret()),
            format!("{:?}", format!("x{}", key().expose()).parse::<KeyText>()),
        ] {
            assert!(!shown.contains(&secret) && !shown.contains(&secret[..8]), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn different_numbers_have_different_digits(one: u64, other: u64) {
            let digits = |number: u64| base62(&number.to_be_bytes(), 11);
            prop_assert_eq!(one.cmp(&other), digits(one).cmp(&digits(other)));
        }

        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<KeyText>();
            let _ = text.parse::<PublicKeyId>();
        }
    }
}

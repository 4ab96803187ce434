//! The bytes in which a value lies in Redis. Whatever does not check out is a miss.
//!
//! Numbers are big-endian, in format 1:
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | `GBRT` |
//! | 4 | 1 | format, 1 |
//! | 5 | 1 | codec of the value: 1 is JSON |
//! | 6 | 8 | version; a script compares it byte by byte |
//! | 14 | 8 | XXH3-64 of the key, a zero byte, and all other bytes |
//! | 22 | … | the value |

use domain::Version;
use xxhash_rust::xxh3::Xxh3;

/// What the value begins with: everything before the version.
const BEGINNING: &[u8; 6] = b"GBRT\x01\x01";
const VERSION_ENDS: usize = 14;
const VALUE_BEGINS: usize = 22;

/// Seals a value that was written as JSON.
pub(super) fn seal(key: &str, version: Version, json: &[u8]) -> Vec<u8> {
    let head = [BEGINNING.as_slice(), &version.number().to_be_bytes()].concat();
    let sum = checksum(key, &head, json).to_be_bytes();
    [head.as_slice(), &sum, json].concat()
}

/// The JSON in an envelope of exactly this key and version, if it is one.
pub(super) fn open<'a>(key: &str, version: Version, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (sealed, json) = bytes.split_at_checked(VALUE_BEGINS)?;
    let (head, sum) = sealed.split_at_checked(VERSION_ENDS)?;
    let expected = head.strip_prefix(BEGINNING)? == version.number().to_be_bytes()
        && sum == checksum(key, head, json).to_be_bytes();
    expected.then_some(json)
}

fn checksum(key: &str, head: &[u8], json: &[u8]) -> u64 {
    let mut sum = Xxh3::new();
    for part in [key.as_bytes(), &[0], head, json] {
        sum.update(part);
    }
    sum.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by format 1 once; every later build must read it, or call its own format 2.
    const GOLDEN: &[u8] =
        b"GBRT\x01\x01\0\0\0\0\0\0\0\x07\xcd\xdd\x5a\xc3\x18\xed\xc0\x0b{\"a\":1}";

    #[test]
    fn reads_what_format_1_wrote() {
        assert_eq!(seal("key", Version::new(7), br#"{"a":1}"#), GOLDEN);
        assert_eq!(open("key", Version::new(7), GOLDEN), Some(br#"{"a":1}"#.as_slice()));
    }

    #[test]
    fn refuses_another_key_or_version() {
        let sealed = seal("key", Version::new(7), b"1");

        assert_eq!(open("key", Version::new(8), &sealed), None);
        assert_eq!(open("other", Version::new(7), &sealed), None);
    }

    #[test]
    fn every_byte_and_every_length_counts() {
        let sealed = seal("key", Version::new(u64::MAX), br#"{"a":1}"#);

        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open("key", Version::new(u64::MAX), &changed), None, "byte {at}");
            assert_eq!(open("key", Version::new(u64::MAX), &sealed[..at]), None, "cut at {at}");
        }
    }
}

//! Bytes from Redis are a profile or a miss.
//!
//! The first byte chooses how far into an envelope the rest is put: a checksum would keep a fuzzer out.

#![no_main]

use cache::fuzzing;
use domain::{ArtistName, StyleProfile, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else { return };
    let artist = ArtistName::try_from("J Dilla").expect("a name");
    let version = Version::new(7);
    let bytes = match how % 4 {
        0 => rest.to_vec(),
        1 => fuzzing::sealed(rest.to_vec()),
        2 => fuzzing::after_the_key(artist.key(), version, rest),
        _ => fuzzing::with_words(artist.key(), version, rest),
    };

    let Some(profile) = fuzzing::decode(&bytes, artist.key(), version) else { return };

    assert_eq!(profile.artist.key(), artist.key());
    assert_eq!(profile.version, version);
    let again = fuzzing::encode(&profile).expect("what was read can be written");
    let read = fuzzing::decode(&again, artist.key(), version);
    assert_eq!(read.as_ref(), Some(&profile), "written and read it is the same");
    let bits = |profile: &StyleProfile| {
        profile.embedding.as_ref().map(|embedding| embedding.numbers().map(f32::to_bits))
    };
    assert_eq!(read.as_ref().and_then(bits), bits(&profile), "down to the signs of zeros");
});

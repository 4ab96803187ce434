//! The bytes in which a style profile lies in Redis.
//!
//! Whoever reads them checks everything, since Redis may hold anything: bytes that do not check out are a miss. The
//! parts, numbers big-endian but for the embedding, in format 1:
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | `GBSP` |
//! | 4 | 1 | format, 1 |
//! | 5 | 1 | codec of the words: 1 is zstd, 2 is zstd with the dictionary in `envelope/words.2.dictionary`, 3 is what their first byte names: 0 for none, 1 for an LZ4 block after that dictionary, 2 for zstd with it; 4 is 3 where the embedding may lie in planes |
//! | 6 | 8 | version of the artist; a script compares it byte by byte |
//! | 14 | 8 | XXH3-64 of all other bytes |
//! | 22 | 2 | length of the artist's key |
//! | 24 | … | the artist's key |
//! | … | 1 | how the embedding is kept: 0 without one, 1 for plain [numbers], with codec 4 also 2 for numbers in planes |
//! | … | 128 | [facts] |
//! | … | 0, 1,536 or some 1,360 | the embedding |
//! | … | 4 | length of the words when unpacked |
//! | … | … | [words], compressed or as they are |
//!
//! What compresses, text, is apart from what does not, numbers.
//! A change to any of this is a new format or codec, with a golden file of its own in `tests/golden`: first the format,
//! then the codec.

mod facts;
#[cfg(fuzzing)]
pub mod fuzzing;
mod numbers;
mod reader;
mod words;

use domain::{ArtistKey, StyleProfile, Version};
use xxhash_rust::xxh3::Xxh3;

use self::{facts::Facts, reader::Reader, words::Words};

const MAGIC: [u8; 4] = *b"GBSP";
const FORMAT: u8 = 1;
/// What older builds wrote.
const ZSTD: u8 = 1;
/// What older builds wrote.
const ZSTD_WITH_DICTIONARY: u8 = 2;
/// What older builds wrote.
const NAMED: u8 = 3;
/// What is written now.
const NAMED_BESIDE_PLANES: u8 = 4;

/// Where the checksum lies, and where what follows it begins.
const CHECKSUM_AT: usize = 14;
/// The length of what comes before the key's length: enough to tell two envelopes apart.
pub(super) const HEADER_BYTES: usize = CHECKSUM_AT + size_of::<u64>();

/// The most that words may take when unpacked. It bounds what hostile bytes can make a reader allocate.
const MAX_WORDS_BYTES: usize = 8 << 20;

/// Why bytes are not the profile that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// They begin with something else.
    #[error("not an envelope")]
    NotAnEnvelope,
    /// Another build wrote them.
    #[error("an envelope of another format")]
    UnknownFormat,
    /// Another build wrote them.
    #[error("an envelope with an unknown codec")]
    UnknownCodec,
    /// They end within the header.
    #[error("an envelope that is cut short")]
    Truncated,
    /// They are not what was written.
    #[error("an envelope whose checksum is wrong")]
    ChecksumMismatch,
    /// They are whole, but lie under the key of another artist.
    #[error("the envelope of another artist")]
    OtherKey,
    /// They are whole, but of another version of the artist.
    #[error("an envelope of another version")]
    OtherVersion,
    /// Their checksum is right and their structure is not.
    #[error("an envelope that is malformed")]
    Malformed,
    /// They hold a value that the domain does not admit.
    #[error("an envelope with a value that is not valid")]
    InvalidValue,
}

impl Unreadable {
    /// Whether the bytes are of no use to anybody, as opposed to being somebody else's or of another time.
    pub(super) const fn is_damage(self) -> bool {
        match self {
            Self::NotAnEnvelope
            | Self::Truncated
            | Self::ChecksumMismatch
            | Self::OtherKey
            | Self::Malformed
            | Self::InvalidValue => true,
            Self::UnknownFormat | Self::UnknownCodec | Self::OtherVersion => false,
        }
    }
}

/// What every envelope of this version begins with, up to the checksum.
pub(super) fn header(version: Version) -> [u8; CHECKSUM_AT] {
    let mut header = [0; CHECKSUM_AT];
    let parts = MAGIC
        .into_iter()
        .chain([FORMAT, NAMED_BESIDE_PLANES])
        .chain(version.number().to_be_bytes());
    for (slot, byte) in header.iter_mut().zip(parts) {
        *slot = byte;
    }
    header
}

/// The profile's envelope, or `None` for one that is too large to be kept.
pub(super) fn encode(profile: &StyleProfile) -> Option<Vec<u8>> {
    let key = profile.artist.key().as_str().as_bytes();
    let words = Words::of(profile).encode()?;
    if MAX_WORDS_BYTES < words.len() {
        return None;
    }
    let (kind, numbers) = numbers::pack(profile.embedding.as_ref());
    let room = if kind == numbers::PLANES { numbers::PLAIN_BYTES - numbers.len() } else { 0 };
    let packed = words::pack(&words, room)?;

    let mut bytes = Vec::with_capacity(
        HEADER_BYTES + 2 + key.len() + 1 + Facts::BYTES + numbers.len() + 4 + packed.len(),
    );
    bytes.extend(header(profile.version));
    bytes.extend([0; size_of::<u64>()]);
    bytes.extend(u16::try_from(key.len()).ok()?.to_be_bytes());
    bytes.extend(key);
    bytes.push(kind);
    Facts::of(profile).write(&mut bytes);
    bytes.extend(numbers);
    bytes.extend(u32::try_from(words.len()).ok()?.to_be_bytes());
    bytes.extend(packed);

    let checksum = checksum(&bytes)?.to_be_bytes();
    bytes.get_mut(CHECKSUM_AT..HEADER_BYTES)?.copy_from_slice(&checksum);
    Some(bytes)
}

/// The profile of this artist at this version, from bytes that may be anything.
pub(super) fn decode(
    bytes: &[u8],
    artist: &ArtistKey,
    version: Version,
) -> Result<StyleProfile, Unreadable> {
    let mut reader = Reader::new(bytes);
    if reader.array().ok_or(Unreadable::NotAnEnvelope)? != MAGIC {
        return Err(Unreadable::NotAnEnvelope);
    }
    let [format] = reader.array().ok_or(Unreadable::Truncated)?;
    if format != FORMAT {
        return Err(Unreadable::UnknownFormat);
    }
    let [codec] = reader.array().ok_or(Unreadable::Truncated)?;
    if !matches!(codec, ZSTD | ZSTD_WITH_DICTIONARY | NAMED | NAMED_BESIDE_PLANES) {
        return Err(Unreadable::UnknownCodec);
    }
    let found = Version::new(reader.u64().ok_or(Unreadable::Truncated)?);
    let expected = reader.u64().ok_or(Unreadable::Truncated)?;
    if checksum(bytes) != Some(expected) {
        return Err(Unreadable::ChecksumMismatch);
    }

    let key_bytes = reader.u16().ok_or(Unreadable::Malformed)?;
    let key = reader.take(usize::from(key_bytes)).ok_or(Unreadable::Malformed)?;
    if key != artist.as_str().as_bytes() {
        return Err(Unreadable::OtherKey);
    }
    if found != version {
        return Err(Unreadable::OtherVersion);
    }

    let [kind] = reader.array().ok_or(Unreadable::Malformed)?;
    let facts = Facts::read(&mut reader).ok_or(Unreadable::Malformed)?;
    let embedding = numbers::unpack(kind, codec == NAMED_BESIDE_PLANES, &mut reader)?;
    let unpack = match codec {
        ZSTD | ZSTD_WITH_DICTIONARY => words::unpack_zstd,
        _ => words::unpack,
    };
    let unpacked_bytes = reader.u32().and_then(|bytes| usize::try_from(bytes).ok());
    let words = unpacked_bytes
        .and_then(|bytes| unpack(reader.rest(), bytes))
        .ok_or(Unreadable::Malformed)?;
    let profile = Words::decode(&words)
        .ok_or(Unreadable::Malformed)?
        .with(artist, &facts, embedding, version)
        .ok_or(Unreadable::InvalidValue)?;
    if profile.artist.key() == artist { Ok(profile) } else { Err(Unreadable::OtherKey) }
}

/// Covers all but itself.
fn checksum(bytes: &[u8]) -> Option<u64> {
    let mut hasher = Xxh3::new();
    hasher.update(bytes.get(..CHECKSUM_AT)?);
    hasher.update(bytes.get(HEADER_BYTES..)?);
    Some(hasher.digest())
}

#[cfg(test)]
mod tests {
    use domain::{
        ArtistName, Confidence, DrumFeel, Embedding, Id, JsonArray, QuantitativeParams,
        SourcesCount, TextDescription, Timestamp,
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/style_profile.1.4.bin");
    const GOLDEN_WITH_LONG_WORDS: &[u8] =
        include_bytes!("../../tests/golden/style_profile_with_long_words.1.4.bin");
    const GOLDEN_WITH_RARE_WORDS: &[u8] =
        include_bytes!("../../tests/golden/style_profile_with_rare_words.1.4.bin");
    const GOLDEN_WITH_RARE_NUMBERS: &[u8] =
        include_bytes!("../../tests/golden/style_profile_with_rare_numbers.1.4.bin");
    const WITHOUT_PLANES: &[u8] = include_bytes!("../../tests/golden/style_profile.1.3.bin");
    const WITHOUT_PLANES_WITH_LONG_WORDS: &[u8] =
        include_bytes!("../../tests/golden/style_profile_with_long_words.1.3.bin");
    const WITHOUT_PLANES_WITH_RARE_WORDS: &[u8] =
        include_bytes!("../../tests/golden/style_profile_with_rare_words.1.3.bin");
    const WITH_DICTIONARY: &[u8] = include_bytes!("../../tests/golden/style_profile.1.2.bin");
    const WITH_DICTIONARY_WITHOUT_EMBEDDING: &[u8] =
        include_bytes!("../../tests/golden/style_profile_without_embedding.1.2.bin");
    const WITHOUT_DICTIONARY: &[u8] = include_bytes!("../../tests/golden/style_profile.1.1.bin");
    const WITHOUT_DICTIONARY_AND_EMBEDDING: &[u8] =
        include_bytes!("../../tests/golden/style_profile_without_embedding.1.1.bin");

    fn timestamp(unix_micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(unix_micros).unwrap()
    }

    /// An artist that nobody is; every part of the profile differs from every other.
    fn profile() -> StyleProfile {
        let numbers = (0_u16..384).map(|index| f32::from(index) / 512.0 - 0.25).collect::<Vec<_>>();
        StyleProfile {
            id: Id::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)),
            artist_id: Id::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002)),
            artist: ArtistName::try_from("Bëla  Vantør & the Ñ").unwrap(),
            version: Version::new(1_763_715_600_000_001),
            text_description: TextDescription::try_from(
                "Leans behind the beat.\nGhost notes are felt rather than heard: 休符.".to_owned(),
            )
            .unwrap(),
            quantitative_params: QuantitativeParams::try_from(DrumFeel {
                tempo_min: 82.000_000_000_000_01,
                tempo_max: 104.3,
                tempo_avg: 92.1,
                swing_percent: 56.5,
                ghost_note_prob: 0.1 + 0.2,
                syncopation_level: 0.5,
                velocity_mean: 78.25,
                velocity_std: 18.0,
            })
            .unwrap(),
            embedding: Some(Embedding::try_from(numbers).unwrap()),
            midi_templates: JsonArray::try_from(json!([
                {"bar": 1, "hits": [0, 0.1, 12_345_678_901_234_567_890_u64, -3.5e-7], "name": "a \"b\""},
                null
            ]))
            .unwrap(),
            confidence: Confidence::try_from(0.873).unwrap(),
            sources_count: SourcesCount { papers: 3, articles: 65_535, audio: 2, midi: 1 },
            created_at: timestamp(1_763_715_600_123_456),
            updated_at: timestamp(-1),
        }
    }

    fn without_embedding() -> StyleProfile {
        StyleProfile { embedding: None, midi_templates: JsonArray::default(), ..profile() }
    }

    fn with_text(text: String) -> StyleProfile {
        StyleProfile { text_description: TextDescription::try_from(text).unwrap(), ..profile() }
    }

    /// Long enough to be packed, and of words that recur.
    fn with_long_words() -> StyleProfile {
        let sentence = "The drummer plays behind the beat, with ghost notes on the snare drum. ";
        with_text(sentence.repeat(12))
    }

    /// Long, and of characters of which hardly three in a row recur.
    fn with_rare_words() -> StyleProfile {
        let digits = (1..=1_500_u32).map(|at| {
            let mixed = at.wrapping_mul(0x9e37_79b9);
            (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 28
        });
        with_text(digits.filter_map(|digit| char::from_digit(digit, 16)).collect())
    }

    /// With numbers of so many sizes that they cannot lie in planes.
    fn with_rare_numbers() -> StyleProfile {
        let numbers: Vec<f32> = (0..384).map(|at| 0.5_f32.powi(at % 40)).collect();
        StyleProfile { embedding: Some(Embedding::try_from(numbers).unwrap()), ..profile() }
    }

    fn packing(bytes: &[u8], profile: &StyleProfile) -> u8 {
        bytes[words_at(bytes, profile)]
    }

    fn opened(bytes: &[u8], profile: &StyleProfile) -> Result<StyleProfile, Unreadable> {
        decode(bytes, profile.artist.key(), profile.version)
    }

    /// Names are equal when their keys are, so what is shown is compared apart.
    fn assert_same(found: &StyleProfile, expected: &StyleProfile) {
        assert_eq!(found, expected);
        assert_eq!(found.artist.as_str(), expected.artist.as_str());
    }

    /// Where the way in which the embedding is kept stands.
    fn kind_at(profile: &StyleProfile) -> usize {
        HEADER_BYTES + 2 + profile.artist.key().as_str().len()
    }

    /// Where the compressed words begin.
    fn words_at(bytes: &[u8], profile: &StyleProfile) -> usize {
        let kind = kind_at(profile);
        let numbers = kind + 1 + Facts::BYTES;
        let embedding = match bytes[kind] {
            numbers::PLANES => 2 + 3 * usize::from(bytes[numbers + 1]) + 1_344,
            0 => 0,
            _ => numbers::PLAIN_BYTES,
        };
        let at = numbers + embedding + 4;
        assert!(at < bytes.len());
        at
    }

    /// Gives bytes that somebody changed the right checksum again.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let sum = checksum(&bytes).unwrap().to_be_bytes();
        bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&sum);
        bytes
    }

    #[test]
    fn reads_what_format_1_wrote() {
        for golden in [GOLDEN, WITHOUT_PLANES, WITH_DICTIONARY, WITHOUT_DICTIONARY] {
            assert_same(&opened(golden, &profile()).unwrap(), &profile());
        }
        for (golden, profile) in [
            (GOLDEN_WITH_LONG_WORDS, with_long_words()),
            (GOLDEN_WITH_RARE_WORDS, with_rare_words()),
            (GOLDEN_WITH_RARE_NUMBERS, with_rare_numbers()),
            (WITHOUT_PLANES_WITH_LONG_WORDS, with_long_words()),
            (WITHOUT_PLANES_WITH_RARE_WORDS, with_rare_words()),
        ] {
            assert_same(&opened(golden, &profile).unwrap(), &profile);
        }
        for golden in [WITH_DICTIONARY_WITHOUT_EMBEDDING, WITHOUT_DICTIONARY_AND_EMBEDDING] {
            assert_same(&opened(golden, &without_embedding()).unwrap(), &without_embedding());
        }
    }

    #[test]
    fn still_writes_format_1() {
        for (golden, profile, packed) in [
            (GOLDEN, profile(), words::AS_THEY_ARE),
            (GOLDEN_WITH_LONG_WORDS, with_long_words(), words::LZ4),
            (GOLDEN_WITH_RARE_WORDS, with_rare_words(), words::ZSTD),
            (GOLDEN_WITH_RARE_NUMBERS, with_rare_numbers(), words::AS_THEY_ARE),
        ] {
            let written = encode(&profile).unwrap();

            // Another release of the compressor may pack words, and so seal the envelope, differently.
            let words = words_at(golden, &profile);
            assert_eq!(written[..CHECKSUM_AT], golden[..CHECKSUM_AT]);
            assert_eq!(written[HEADER_BYTES..words], golden[HEADER_BYTES..words]);
            assert_eq!((packing(&written, &profile), packing(golden, &profile)), (packed, packed));
            assert_same(&opened(&written, &profile).unwrap(), &profile);
        }
    }

    #[test]
    fn refuses_what_was_not_asked_for() {
        let bytes = encode(&profile()).unwrap();
        let other = ArtistName::try_from("Somebody Else").unwrap();
        let version = profile().version;

        let next = Version::new(version.number() + 1);

        assert_eq!(decode(&bytes, other.key(), version), Err(Unreadable::OtherKey));
        assert_eq!(decode(&bytes, profile().artist.key(), next), Err(Unreadable::OtherVersion));
    }

    #[test]
    fn tells_other_builds_from_damage() {
        let bytes = encode(&profile()).unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            opened(&sealed(bytes), &profile())
        };

        assert_eq!(with(0, b'X'), Err(Unreadable::NotAnEnvelope));
        assert_eq!(with(4, 0), Err(Unreadable::UnknownFormat));
        assert_eq!(with(4, 2), Err(Unreadable::UnknownFormat));
        assert_eq!(with(5, 7), Err(Unreadable::UnknownCodec));
        assert_eq!(opened(b"", &profile()), Err(Unreadable::NotAnEnvelope));
        assert_eq!(opened(b"GBSP\x01", &profile()), Err(Unreadable::Truncated));
    }

    #[test]
    fn a_right_checksum_does_not_make_a_profile() {
        let profile = profile();
        let bytes = encode(&profile).unwrap();
        let words = words_at(&bytes, &profile);
        let kind = kind_at(&profile);
        let confidence = kind + 1 + 112;
        let changed = |at: usize, with: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + with.len()].copy_from_slice(with);
            opened(&sealed(bytes), &profile)
        };

        assert_eq!(changed(HEADER_BYTES, &[0xff, 0xff]), Err(Unreadable::Malformed));
        assert_eq!(changed(kind, &[3]), Err(Unreadable::Malformed));
        assert_eq!(changed(confidence, &2.0_f64.to_be_bytes()), Err(Unreadable::InvalidValue));
        // One of them is zero, and so among the small ones; the others have exponents below the largest.
        let numbers = kind + 1 + Facts::BYTES;
        assert_eq!(bytes[numbers..numbers + 5], [0x3e, 1, 0, 128, 0]);
        assert_eq!(changed(numbers, &[0x7f]), Err(Unreadable::InvalidValue));
        assert_eq!(changed(numbers + 1, &[255]), Err(Unreadable::Malformed));
        assert_eq!(changed(numbers + 2, &[1, 128]), Err(Unreadable::Malformed));
        assert_eq!(changed(numbers + 4, &[0xff]), Err(Unreadable::InvalidValue));
        // Builds that know no planes wrote no planes.
        assert_eq!(changed(5, &[NAMED]), Err(Unreadable::Malformed));
        assert_eq!(changed(words, &[0; 8]), Err(Unreadable::Malformed));
        assert_eq!(
            opened(&sealed([&bytes[..], &[0]].concat()), &profile),
            Err(Unreadable::Malformed)
        );
    }

    #[test]
    fn a_decompression_bomb_is_malformed() {
        let profile = profile();
        let bytes = encode(&profile).unwrap();
        let words = words_at(&bytes, &profile);
        let spaces = vec![b' '; 64 << 20];
        let by_zstd = zstd::bulk::compress(&spaces, 1).unwrap();
        let by_lz4 = lz4_flex::block::compress(&spaces);
        let bombs = [
            (NAMED_BESIDE_PLANES, [&[words::ZSTD][..], &by_zstd].concat()),
            (NAMED_BESIDE_PLANES, [&[words::LZ4][..], &by_lz4].concat()),
            (ZSTD_WITH_DICTIONARY, by_zstd),
        ];

        for (codec, bomb) in &bombs {
            for length in [0, 1_000, 8 << 20, 64 << 20, u32::MAX] {
                let mut bytes = [&bytes[..words - 4], &length.to_be_bytes(), bomb].concat();
                bytes[5] = *codec;
                assert_eq!(
                    opened(&sealed(bytes), &profile),
                    Err(Unreadable::Malformed),
                    "{codec} {length}"
                );
            }
        }
    }

    #[test]
    fn what_is_too_large_is_neither_kept_nor_read() {
        let template = Value::String("x".repeat(9 << 20));
        let midi_templates = JsonArray::try_from(json!([template])).unwrap();
        let large = StyleProfile { midi_templates, ..profile() };
        let words = Words::of(&large).encode().unwrap();
        let length = u32::try_from(words.len()).unwrap().to_be_bytes();
        let bytes = encode(&profile()).unwrap();
        let before = &bytes[..words_at(&bytes, &profile()) - 4];

        let forged = sealed([before, &length, &words::pack(&words, 0).unwrap()].concat());

        assert_eq!(encode(&large), None);
        assert_eq!(opened(&forged, &large), Err(Unreadable::Malformed));
    }

    #[test]
    fn every_byte_and_every_length_counts() {
        for profile in [profile(), with_long_words(), with_rare_words(), with_rare_numbers()] {
            let bytes = encode(&profile).unwrap();
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << bit;
                    assert!(opened(&bytes, &profile).is_err(), "byte {at}, bit {bit}");
                }
                assert!(opened(&bytes[..at], &profile).is_err(), "cut at {at}");
            }
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[^\0]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[^\0]{0,6}", inner), 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    prop_compose! {
        fn any_profile()(
            ids in any::<[u128; 2]>(),
            name in "[\\p{L}\\p{M}\\p{N}!+/]{1,40}",
            version in any::<u64>(),
            description in "[^\0]{1,400}",
            tempos in prop::array::uniform3(f64::MIN_POSITIVE..=1_000.0),
            shares in prop::array::uniform3(0.0..=1.0),
            numbers in prop::array::uniform3(0.0..=100.0),
            embedding in prop::option::of(prop_oneof![
                prop::collection::vec(-1e12_f32..1e12, 384),
                prop::collection::vec(prop::num::f32::NORMAL.prop_map(|it| it % 1e12), 384),
            ]),
            templates in prop::collection::vec(json_value(), 0..4),
            counts in any::<[u16; 4]>(),
            times in prop::array::uniform2(-62_135_596_800_000_000..=253_402_300_799_999_999_i64),
        ) -> Option<StyleProfile> {
            let mut tempos = tempos;
            tempos.sort_by(f64::total_cmp);
            let [tempo_min, tempo_avg, tempo_max] = tempos;
            let [ghost_note_prob, syncopation_level, confidence] = shares;
            let [swing_percent, velocity_mean, velocity_std] = numbers;
            let [papers, articles, audio, midi] = counts;
            Some(StyleProfile {
                id: Id::from_uuid(Uuid::from_u128(ids[0])),
                artist_id: Id::from_uuid(Uuid::from_u128(ids[1])),
                artist: ArtistName::try_from(name.as_str()).ok()?,
                version: Version::new(version),
                text_description: TextDescription::try_from(description).ok()?,
                quantitative_params: QuantitativeParams::try_from(DrumFeel {
                    tempo_min,
                    tempo_max,
                    tempo_avg,
                    swing_percent,
                    ghost_note_prob,
                    syncopation_level,
                    velocity_mean,
                    velocity_std,
                })
                .ok()?,
                embedding: match embedding {
                    Some(numbers) => Some(Embedding::try_from(numbers).ok()?),
                    None => None,
                },
                midi_templates: JsonArray::try_from(Value::Array(templates)).ok()?,
                confidence: Confidence::try_from(confidence).ok()?,
                sources_count: SourcesCount { papers, articles, audio, midi },
                created_at: timestamp(times[0]),
                updated_at: timestamp(times[1]),
            })
        }
    }

    proptest! {
        #[test]
        fn loses_nothing(profile in any_profile().prop_filter_map("invalid", |profile| profile)) {
            let found = opened(&encode(&profile).unwrap(), &profile).unwrap();

            assert_same(&found, &profile);
            // Bit for bit, which `==` does not say of numbers.
            let bits = |profile: &StyleProfile| {
                let mut bytes = Vec::new();
                Facts::of(profile).write(&mut bytes);
                let embedding = profile.embedding.as_ref().map(|it| {
                    it.as_slice().iter().map(|number| number.to_bits()).collect::<Vec<_>>()
                });
                (bytes, embedding, Value::from(profile.midi_templates.clone()).to_string())
            };
            prop_assert_eq!(bits(&found), bits(&profile));
        }

        #[test]
        fn words_are_unpacked_as_they_were(
            parts in prop::collection::vec(prop::sample::select(vec![
                "The drummer ", "plays behind ", "the beat, ", "ゴーストノート", "x", " 82 BPM. ",
            ]), 0..400),
        ) {
            let words = parts.concat().into_bytes();

            let packed = words::pack(&words, 0).unwrap();

            let unpacked = words::unpack(&packed, words.len());
            prop_assert_eq!(unpacked.as_deref(), Some(&words[..]));
            prop_assert_eq!(words::unpack(&packed, words.len() + 1), None);
        }

        #[test]
        fn what_was_never_packed_has_the_length_it_should_or_is_nothing(
            packing in 0..4_u8,
            rest in prop::collection::vec(any::<u8>(), 0..2_000),
            bytes in 0..10_000_usize,
        ) {
            let words = words::unpack(&[&[packing], &rest[..]].concat(), bytes).map(|it| it.len());

            prop_assert!(words.is_none_or(|found| found == bytes));
        }

        #[test]
        fn random_bytes_are_no_profile(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
            prop_assert!(opened(&bytes, &profile()).is_err());
        }

        #[test]
        fn random_parts_with_a_right_checksum_are_no_profile(
            rest in prop::collection::vec(any::<u8>(), 0..4_000),
            keep in 0..400_usize,
        ) {
            let bytes = encode(&profile()).unwrap();
            let cut = bytes.len().min(HEADER_BYTES + keep);

            let found = opened(&sealed([&bytes[..cut], &rest].concat()), &profile());

            prop_assert!(found.is_err());
        }
    }
}

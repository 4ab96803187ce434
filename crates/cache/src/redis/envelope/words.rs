//! The part of a profile that is text, compressed together.
//!
//! In this order: the name as it is shown and the description, each behind its length in four bytes, then the MIDI
//! templates as JSON up to the end.

use std::{borrow::Cow, cell::RefCell, sync::LazyLock};

use domain::{
    ArtistKey, ArtistName, Confidence, Embedding, Id, JsonArray, QuantitativeParams, StyleProfile,
    TextDescription, Timestamp, Version,
};
use serde_json::Value;
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

use super::{MAX_WORDS_BYTES, facts::Facts, reader::Reader};

/// Higher levels gain next to nothing on a kilobyte of text and cost a multiple.
const LEVEL: i32 = 9;

/// How words may be packed: not at all,
pub(super) const AS_THEY_ARE: u8 = 0;
/// as an LZ4 block with the dictionary before it, which takes a third of the time to unpack that zstd takes,
pub(super) const LZ4: u8 = 1;
/// or by zstd with the dictionary, whose few microseconds are longer than all else that is done to a profile found.
pub(super) const ZSTD: u8 = 2;

/// With so many bytes, and 45 % of their length when unpacked, for words, an envelope with an embedding takes less than
/// 45 % of the profile as JSON: the rest of it takes some 1,720 bytes, that of the JSON, most of which is the embedding,
/// some 4,550.
const SMALL: usize = 240;

/// Beginnings for texts about musicians, and the tables to unpack such texts with, made by
/// `examples/words_dictionary.rs`.
///
/// Most of the time that it takes to unpack a kilobyte goes into the tables, if they have to come with it.
const DICTIONARY: &[u8] = include_bytes!("words.2.dictionary");

static PACKING: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static UNPACKING: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    /// Making one takes longer than packing a profile.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    /// The same of unpacking.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Text as it was read, not yet checked.
pub(super) struct Words<'a> {
    name: &'a str,
    description: &'a str,
    midi_templates: Cow<'a, [Value]>,
}

impl<'a> Words<'a> {
    pub(super) fn of(profile: &'a StyleProfile) -> Self {
        Self {
            name: profile.artist.as_str(),
            description: profile.text_description.as_str(),
            midi_templates: Cow::Borrowed(profile.midi_templates.elements()),
        }
    }

    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let Self { name, description, midi_templates } = self;
        let mut bytes = Vec::with_capacity(name.len() + description.len() + 16);
        for text in [name, description] {
            bytes.extend(u32::try_from(text.len()).ok()?.to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        serde_json::to_writer(&mut bytes, midi_templates).ok()?;
        Some(bytes)
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let name = text(&mut reader)?;
        let description = text(&mut reader)?;
        let midi_templates = serde_json::from_slice(reader.rest()).ok()?;
        Some(Self { name, description, midi_templates: Cow::Owned(midi_templates) })
    }

    /// The profile, if the domain admits every part of it.
    pub(super) fn with(
        self,
        artist: &ArtistKey,
        facts: &Facts,
        embedding: Option<Embedding>,
        version: Version,
    ) -> Option<StyleProfile> {
        let Self { name, description, midi_templates } = self;
        let Facts { id, artist_id, created_at, updated_at, feel, confidence, sources_count } =
            *facts;
        let midi_templates = Value::Array(midi_templates.into_owned());
        Some(StyleProfile {
            id: Id::from_uuid(uuid::Uuid::from_bytes(id)),
            artist_id: Id::from_uuid(uuid::Uuid::from_bytes(artist_id)),
            artist: ArtistName::of_artist(name, artist).ok()?,
            version,
            text_description: TextDescription::try_from(description.to_owned()).ok()?,
            quantitative_params: QuantitativeParams::try_from(feel).ok()?,
            embedding,
            midi_templates: JsonArray::try_from(midi_templates).ok()?,
            confidence: Confidence::try_from(confidence).ok()?,
            sources_count,
            created_at: Timestamp::from_unix_micros(created_at).ok()?,
            updated_at: Timestamp::from_unix_micros(updated_at).ok()?,
        })
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    let count = usize::try_from(reader.u32()?).ok()?;
    std::str::from_utf8(reader.take(count)?).ok()
}

/// The words as they are kept: packed in the quickest way to unpack that leaves them small, behind the byte that names
/// it. `room` is how many bytes less than plain numbers the embedding takes.
pub(super) fn pack(words: &[u8], room: usize) -> Option<Vec<u8>> {
    let is_small = |packed: usize| packed <= room + SMALL + words.len() / 20 * 9;
    if is_small(words.len()) {
        return Some(named(AS_THEY_ARE, words));
    }
    let quickly = lz4_flex::block::compress_with_dict(words, DICTIONARY);
    if is_small(quickly.len()) {
        return Some(named(LZ4, &quickly));
    }
    let packed = PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            *packer = Compressor::with_prepared_dictionary(&PACKING).ok();
        }
        packer.as_mut()?.compress(words).ok()
    });
    Some(named(ZSTD, &packed?))
}

fn named(packing: u8, packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + packed.len());
    bytes.push(packing);
    bytes.extend(packed);
    bytes
}

/// The words, if they take exactly as many bytes as they should, which is also all that is allocated.
pub(super) fn unpack(packed: &[u8], bytes: usize) -> Option<Cow<'_, [u8]>> {
    if MAX_WORDS_BYTES < bytes {
        return None;
    }
    let words = match packed.split_first()? {
        (&AS_THEY_ARE, words) => Cow::Borrowed(words),
        (&LZ4, packed) => {
            let words = lz4_flex::block::decompress_with_dict(packed, bytes, DICTIONARY);
            Cow::Owned(words.ok()?)
        }
        (&ZSTD, packed) => return unpack_zstd(packed, bytes),
        _ => return None,
    };
    (words.len() == bytes).then_some(words)
}

/// The same of words that older builds packed.
///
/// What was packed without the dictionary is unpacked like the rest, since it refers to nothing outside itself.
pub(super) fn unpack_zstd(packed: &[u8], bytes: usize) -> Option<Cow<'_, [u8]>> {
    if MAX_WORDS_BYTES < bytes {
        return None;
    }
    UNPACKER.with_borrow_mut(|unpacker| {
        if unpacker.is_none() {
            *unpacker = Decompressor::with_prepared_dictionary(&UNPACKING).ok();
        }
        let words = unpacker.as_mut()?.decompress(packed, bytes).ok()?;
        (words.len() == bytes).then_some(Cow::Owned(words))
    })
}

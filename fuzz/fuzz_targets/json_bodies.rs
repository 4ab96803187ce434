//! Every body of a request is read or refused, and what was read can be written and read again.
//!
//! The first byte chooses the kind of body.

#![no_main]

use api::{profile_body, routes::fuzzing};
use cache::fuzzing as envelope;
use domain::{ArtistName, Generation, NewGeneration, NewStyleProfile, StyleProfile, Timestamp, Version};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some((kind, body)) = input.split_first() else { return };
    match kind % 7 {
        0 => profile(body),
        1 => generations(body),
        2 => drop(fuzzing::sources(body)),
        3 => drop(fuzzing::artist(body)),
        4 => drop(fuzzing::key(body, time())),
        5 => drop(fuzzing::search(body)),
        _ => drop(fuzzing::batch_of_searches(body)),
    }
});

fn time() -> Timestamp {
    Timestamp::from_unix_micros(1_795_000_000_000_000).expect("a time")
}

fn profile(body: &[u8]) {
    let name = ArtistName::try_from("J Dilla").expect("a name");
    let Ok(read) = profile_body::read(body, name.clone()) else { return };

    let written = json!({
        "text_description": read.text_description.as_str(),
        "quantitative_params": profile_body::QuantitativeParamsBody::from(read.quantitative_params),
        "embedding": read.embedding.as_ref().map(|embedding| embedding.as_slice()),
        "midi_templates": read.midi_templates.elements(),
        "confidence_score": read.confidence.get(),
        "sources_count": profile_body::SourcesCountBody::from(read.sources_count),
    });
    let again = profile_body::read(written.to_string().as_bytes(), name);
    assert_eq!(again.as_ref(), Ok(&read));

    let kept = stored(read);
    let bytes = envelope::encode(&kept).expect("a body of this size fits");
    let found = envelope::decode(&bytes, kept.artist.key(), kept.version);
    assert_eq!(found, Some(kept));
}

fn stored(profile: NewStyleProfile) -> StyleProfile {
    let NewStyleProfile {
        artist,
        text_description,
        quantitative_params,
        embedding,
        midi_templates,
        confidence,
        sources_count,
    } = profile;
    StyleProfile {
        id: "01900000-0000-7000-8000-000000000001".parse().expect("an identity"),
        artist_id: "01900000-0000-7000-8000-000000000002".parse().expect("an identity"),
        artist,
        version: Version::new(7),
        text_description,
        quantitative_params,
        embedding,
        midi_templates,
        confidence,
        sources_count,
        created_at: time(),
        updated_at: time(),
    }
}

fn generations(body: &[u8]) {
    for NewGeneration { id, artist, created_at, details } in fuzzing::generations(body).unwrap_or_default() {
        let created_at = created_at.unwrap_or_else(time);
        let generation = Generation { id, artist, created_at, details };
        let mut line = Vec::new();
        api::command::export::write_generation(&mut line, generation.clone()).expect("memory takes it");

        let again = fuzzing::generations(&line).expect("what was written can be read");

        let [NewGeneration { id, artist, created_at, details }] = again.try_into().expect("one");
        assert_eq!(id, generation.id);
        assert_eq!(artist, generation.artist);
        assert_eq!(created_at, Some(generation.created_at));
        assert_eq!(details, generation.details);
    }
}

//! Artists with their profiles and sources.

use domain::{
    ArtistKey, ArtistName, Author, BulkCounts, BulkLoad, NewResearchSource, ProfileRecord,
    RepositoryError,
};

use super::{Counts, Destination, Entry, Loaded, Numbered, OnError, Record};
use crate::{
    json::{self, InvalidDocument, Members},
    profile_body::StyleProfileBody,
    source_body::SourceBody,
};

/// The members that make up a profile; a line without any of them is an artist without one.
const PROFILE: [&str; 6] = [
    "text_description",
    "quantitative_params",
    "embedding",
    "confidence_score",
    "sources_count",
    "midi_templates",
];

impl Record for ProfileRecord {
    /// A store would drop the earlier of two lines with its sources, though not if they came in two batches. What a file
    /// means must not depend on where batches end.
    type Key = ArtistKey;

    fn read(line: &[u8]) -> Result<Entry<Self>, InvalidDocument> {
        read(line)
    }

    fn key(&self) -> ArtistKey {
        self.artist().key().clone()
    }
}

impl Destination for &dyn BulkLoad {
    type Record = ProfileRecord;
    type Counts = BulkCounts;

    /// Every line that can be read can be loaded.
    async fn load(
        &mut self,
        batch: Vec<Numbered<ProfileRecord>>,
        _: OnError,
        counts: &mut BulkCounts,
    ) -> Result<Loaded, RepositoryError> {
        let written = batch.len() as u64;
        let records = batch.into_iter().map(|it| it.record).collect();
        let BulkCounts { created, replaced, unchanged, sources } =
            BulkLoad::load(*self, records, &Author::at_the_command_line()).await?;
        counts.created += created;
        counts.replaced += replaced;
        counts.unchanged += unchanged;
        counts.sources += sources;
        Ok(Loaded { written, refused: Vec::new() })
    }

    async fn finish(&mut self) -> Result<(), RepositoryError> {
        BulkLoad::finish(*self).await
    }
}

impl Counts for BulkCounts {
    fn listed(&self) -> Vec<(u64, &'static str)> {
        let Self { created, replaced, unchanged, sources } = *self;
        vec![
            (created, "created"),
            (replaced, "replaced"),
            (unchanged, "unchanged"),
            (sources, "sources added"),
        ]
    }
}

/// Reads one line.
fn read(line: &[u8]) -> Result<Entry<ProfileRecord>, InvalidDocument> {
    json::read(line, |node| {
        let mut members = node.members()?;
        let artist = members.required("artist").and_then(|node| {
            let name = node.text()?;
            node.checked(ArtistName::try_from(name.as_str()))
        });
        let has_profile = PROFILE.iter().any(|name| members.has(name));
        let profile = has_profile.then(|| StyleProfileBody::read(&mut members));
        let sources = sources(&mut members);
        let record = match profile {
            Some(profile) => {
                profile.zip(artist).zip(sources).map(|((profile, artist), sources)| {
                    ProfileRecord::Profile {
                        profile: Box::new(profile.into_profile(artist)),
                        sources,
                    }
                })
            }
            None => artist
                .zip(sources)
                .map(|(artist, sources)| ProfileRecord::Artist { artist, sources }),
        };
        Some(Entry { record: record?, unknown: members.rest() })
    })
}

/// Every source is read, so that all that is wrong with any is told.
fn sources(members: &mut Members<'_>) -> Option<Vec<NewResearchSource>> {
    let nodes = members.optional("sources").and_then(|node| node.elements()).unwrap_or_default();
    let sources: Vec<_> = nodes.iter().map(SourceBody::read).collect();
    sources.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::command::import::Reason;

    fn good() -> Value {
        json!({
            "artist": "J Dilla",
            "text_description": "Behind the beat.",
            "quantitative_params": {
                "tempo_min": 80, "tempo_max": 102, "tempo_avg": 91.5, "swing_percent": 62,
                "ghost_note_prob": 0.4, "syncopation_level": 0.7, "velocity_mean": 84, "velocity_std": 18
            },
            "embedding": vec![0.5; 384],
            "confidence_score": 0.92,
            "sources": [{"source_type": "article", "url": "http://example.org"}]
        })
    }

    fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut line = good();
        change(&mut line);
        line.to_string().into_bytes()
    }

    #[test]
    fn reads_a_profile_with_its_sources_and_names_what_it_leaves_out() {
        let entry = read(&with(|line| line["tags"] = json!(["hip hop"]))).unwrap();

        assert_eq!(entry.unknown, ["tags"]);
        let ProfileRecord::Profile { profile, sources } = entry.record else {
            panic!("no profile")
        };
        assert_eq!(profile.artist.as_str(), "J Dilla");
        assert_eq!(sources.len(), 1);
    }

    #[test]
    fn reads_an_artist_without_a_profile() {
        for line in [r#"{"artist": "Sigur Rós"}"#, r#"{"sources": [], "artist": "Sigur Rós"}"#] {
            let entry = read(line.as_bytes()).unwrap();

            assert_eq!(
                entry.record,
                ProfileRecord::Artist {
                    artist: ArtistName::try_from("Sigur Rós").unwrap(),
                    sources: Vec::new()
                }
            );
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_line_and_where() {
        let place = |pointer: &'static str, value: Value| {
            with(|line| *line.pointer_mut(pointer).unwrap() = value)
        };
        let without =
            |member: &'static str| with(|line| drop(line.as_object_mut().unwrap().remove(member)));
        let cases: [(Vec<u8>, &str); 15] = [
            (
                b"{\"artist\": \"x\"".to_vec(),
                "malformed JSON at column 14: EOF while parsing an object",
            ),
            (b"{\"artist\": \"\xff\"}".to_vec(), "malformed JSON at column 13: it is not UTF-8"),
            (
                b"{\"artist\": \"x\"} {}".to_vec(),
                "malformed JSON at column 17: trailing characters",
            ),
            (b"[]".to_vec(), "must be an object, not an array"),
            (b"{}".to_vec(), "lacks the member 'artist'"),
            (br#"{"artist": 7}"#.to_vec(), "/artist: must be a string, not a number"),
            (br#"{"artist": " "}"#.to_vec(), "/artist: an artist name must not be empty"),
            (br#"{"artist": "x", "artist": "y"}"#.to_vec(), "/artist: is given more than once"),
            (
                br#"{"artist": "x", "sources": [7]}"#.to_vec(),
                "/sources/0: must be an object, not a number",
            ),
            (
                place("/embedding", json!(vec![0.5; 383])),
                "/embedding: an embedding has 384 numbers, this one has 383",
            ),
            (place("/embedding/17", json!("x")), "/embedding/17: must be a number, not a string"),
            (
                place("/sources/0/source_type", json!("book")),
                "/sources/0/source_type: a source type is one of paper, article, audio, midi",
            ),
            (place("/sources", json!({})), "/sources: must be an array, not an object"),
            (without("confidence_score"), "lacks the member 'confidence_score'"),
            (
                place("/quantitative_params", json!({})),
                "/quantitative_params: lacks the member 'tempo_min'; /quantitative_params: lacks the member 'tempo_max'; \
                 /quantitative_params: lacks the member 'tempo_avg'; /quantitative_params: lacks the member 'swing_percent'; \
                 /quantitative_params: lacks the member 'ghost_note_prob'; and 3 more",
            ),
        ];
        for (line, expected) in cases {
            let reason = Reason::Invalid(read(&line).unwrap_err());

            assert_eq!(reason.to_string(), expected, "{}", String::from_utf8_lossy(&line));
        }
    }
}

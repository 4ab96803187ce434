//! What is asked: as people and programs would, most of it what is in memory.

use domain::{ArtistName, GenerationId};
use fastrand::Rng;
use groovebase_tests::{given::body, http::artist};
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::load::Mix;

/// An artist and its profile as it was saved.
pub(crate) struct Asked {
    pub(crate) name: ArtistName,
    pub(crate) etag: String,
}

/// The number of a save that is noted; that of a generation has no such bit.
const SAVE: u64 = 1 << 63;

/// What a noted number stands for.
pub(crate) enum Write {
    /// A generation with this identity.
    Generation(GenerationId),
    /// The profile of the artist at this place, saved with this text.
    Profile(usize, String),
}

impl Write {
    /// The write that was noted by a number.
    pub(crate) fn of(number: u64, artists: usize) -> Self {
        if number & SAVE == 0 {
            Self::Generation(identity(number))
        } else {
            let number = number & !SAVE;
            let artist = usize::try_from(number).unwrap_or_default() % artists;
            Self::Profile(artist, text(number))
        }
    }
}

/// One that nobody else makes: half of it says who made it.
fn identity(number: u64) -> GenerationId {
    let bits = (0x6f76_6572_6c6f_4164 << 64) | (1 << 63) | u128::from(number);
    GenerationId::from_uuid(Uuid::from_u128(bits))
}

fn text(number: u64) -> String {
    format!("As of save {number}")
}

/// Of a hundred requests 52 read a profile, 18 more only if it has changed, 10 ask for similar artists, 5 for a list, 5 for
/// statistics, 5 for a history, 4 record a generation and 1 saves a profile.
pub(crate) fn mix(artists: Vec<Asked>) -> anyhow::Result<Mix> {
    let artists: &'static [Asked] = artists.leak();
    let profile = body::profile_with_embedding(1)?;
    let (mut recorded, mut saved) = (0, 0);
    Ok(Mix::seeded(1)
        .with("profile", 52, |chance, into| {
            let Asked { name, etag: _ } = popular(chance, artists);
            get(into, &artist(name.as_str(), "/profile"), "")
        })
        .with("profile, if changed", 18, |chance, into| {
            let Asked { name, etag } = popular(chance, artists);
            get(into, &artist(name.as_str(), "/profile"), &format!("if-none-match: {etag}\r\n"))
        })
        .with("similar", 10, |chance, into| {
            let Asked { name, etag: _ } = popular(chance, artists);
            get(into, &artist(name.as_str(), "?limit=5").replace("artists", "similar"), "")
        })
        .with("list", 5, |chance, into| {
            get(into, &format!("/api/v1/artists?limit=20&q={}", chance.u32(..100)), "")
        })
        .with("stats", 5, |chance, into| {
            let Asked { name, etag: _ } = popular(chance, artists);
            let name = artist(name.as_str(), "").replace("/api/v1/artists/", "");
            get(into, &format!("/api/v1/stats?artist={name}"), "")
        })
        .with("history", 5, |chance, into| {
            let Asked { name, etag: _ } = popular(chance, artists);
            get(into, &artist(name.as_str(), "/history?limit=10"), "")
        })
        .with("generation", 4, move |chance, into| {
            let Asked { name, etag: _ } = popular(chance, artists);
            recorded += 1;
            let mut body = body::generation();
            set(&mut body, "id", json!(identity(recorded).as_uuid().to_string()));
            set(&mut body, "artist", json!(name.as_str()));
            send(into, "POST", "/api/v1/generations", &body);
            Some(recorded)
        })
        .with("save", 1, move |_, into| {
            saved += 1;
            let place = usize::try_from(saved).unwrap_or_default() % artists.len();
            let Asked { name, etag: _ } = artists.get(place)?;
            let mut body = profile.clone();
            set(&mut body, "text_description", json!(text(saved)));
            send(into, "PUT", &artist(name.as_str(), "/profile"), &body);
            Some(SAVE | saved)
        }))
}

/// A tenth of the artists is asked for in half of the cases.
fn popular<'a>(chance: &mut Rng, artists: &'a [Asked]) -> &'a Asked {
    let most = if chance.bool() { artists.len() / 10 } else { artists.len() };
    &artists[chance.usize(..most)]
}

fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(members) = body.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn get(into: &mut Vec<u8>, path: &str, header: &str) -> Option<u64> {
    into.extend_from_slice(
        format!("GET {path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n{header}\r\n")
            .as_bytes(),
    );
    None
}

fn send(into: &mut Vec<u8>, method: &str, path: &str, body: &Value) {
    let body = body.to_string();
    into.extend_from_slice(
        format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
}

//! Artists to measure with.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What of a line is the profile.
const PROFILE: [&str; 6] = [
    "text_description",
    "quantitative_params",
    "embedding",
    "midi_templates",
    "confidence_score",
    "sources_count",
];

/// Numbers of an embedding.
const DIMENSIONS: usize = 384;

/// How far an artist that is made from another one is from it, in each number.
const APART: f64 = 0.01;

/// So many artists, all with a profile and an embedding, as `groovebase import` reads them.
#[derive(Debug, Clone)]
pub(crate) struct Artists {
    /// Where the lines are.
    pub(crate) file: PathBuf,
    /// The names, in the order of the lines.
    pub(crate) names: Vec<String>,
}

impl Artists {
    /// Writes so many into a folder: those of a file first, then more like them; made up without a file.
    pub(crate) fn write(count: usize, from: Option<&Path>, folder: &Path) -> anyhow::Result<Self> {
        let given = match from {
            Some(file) => read(file).with_context(|| file.display().to_string())?,
            None => Vec::new(),
        };
        let file = folder.join(format!("artists-{count}.jsonl"));
        let mut lines = BufWriter::new(File::create(&file)?);
        let mut names = Vec::with_capacity(count);
        let mut chance = Rng::with_seed(1);
        for number in 0..count {
            let artist = match number.checked_rem(given.len()).and_then(|at| given.get(at)) {
                Some(artist) if number < given.len() => artist.clone(),
                Some(artist) => like(artist, number / given.len(), &mut chance)?,
                None => made_up(number, &mut chance),
            };
            names.push(name(&artist)?.to_owned());
            serde_json::to_writer(&mut lines, &artist)?;
            lines.write_all(b"\n")?;
        }
        lines.flush()?;
        Ok(Self { file, names })
    }

    /// The names and profiles of the first ones, as `PUT …/profile` takes them.
    pub(crate) fn profiles(&self, count: usize) -> anyhow::Result<Vec<(&str, Map<String, Value>)>> {
        let lines = BufReader::new(File::open(&self.file)?).lines().take(count);
        let profile = |line: io::Result<String>| {
            let mut artist: Map<String, Value> = serde_json::from_str(&line?)?;
            artist.retain(|member, _| PROFILE.contains(&member.as_str()));
            anyhow::Ok(artist)
        };
        self.names
            .iter()
            .zip(lines)
            .map(|(name, line)| Ok((name.as_str(), profile(line)?)))
            .collect()
    }

    /// Names from all over the store, as many as asked for if there are so many.
    pub(crate) fn some(&self, count: usize) -> impl Iterator<Item = &str> {
        let step = (self.names.len() / count.max(1)).max(1);
        self.names.iter().step_by(step).take(count).map(String::as_str)
    }
}

/// Where the profile of an artist is.
pub(crate) fn profile_path(name: &str) -> String {
    format!("/api/v1/artists/{}/profile", in_path(name))
}

/// Where ten artists are who play like one.
pub(crate) fn similar_path(name: &str) -> String {
    format!("/api/v1/similar/{}?limit=10", in_path(name))
}

/// A name as part of a path.
pub(crate) fn in_path(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// The artists of a file that have an embedding.
fn read(file: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(file)?;
    let artists: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .filter(|line: &Result<Value, _>| {
            line.as_ref().map_or(true, |it| it.get("embedding").is_some_and(Value::is_array))
        })
        .collect::<Result<_, _>>()?;
    ensure!(!artists.is_empty(), "no artist with an embedding");
    Ok(artists)
}

fn name(artist: &Value) -> anyhow::Result<&str> {
    artist.get("artist").and_then(Value::as_str).context("a line without an artist")
}

/// Somebody who plays almost like that.
fn like(artist: &Value, time: usize, chance: &mut Rng) -> anyhow::Result<Value> {
    let mut like = artist.clone();
    let name = format!("{} {}", name(artist)?, time + 1);
    if let Some(members) = like.as_object_mut() {
        members.insert("artist".to_owned(), json!(name));
        if let Some(Value::Array(numbers)) = members.get_mut("embedding") {
            for number in numbers {
                let moved = number.as_f64().unwrap_or_default() + APART * (chance.f64() - 0.5);
                *number = json!(rounded(moved));
            }
        }
    }
    Ok(like)
}

/// Somebody who never was.
fn made_up(number: usize, chance: &mut Rng) -> Value {
    let embedding: Vec<_> = (0..DIMENSIONS).map(|_| rounded(chance.f64() - 0.5)).collect();
    let text = "Plays a little behind the beat, with ghost notes between the backbeats. ".repeat(9);
    json!({
        "artist": format!("Bench Artist {number:06}"),
        "text_description": text.trim_end(),
        "quantitative_params": {
            "tempo_min": 80, "tempo_max": 130, "tempo_avg": 100.5, "swing_percent": 57.5, "ghost_note_prob": 0.3,
            "syncopation_level": 0.4, "velocity_mean": 88.5, "velocity_std": 12.25,
        },
        "embedding": embedding,
        "confidence_score": 0.8,
        "sources_count": {"papers": 1, "articles": 4, "audio": 2, "midi": 1},
        "midi_templates": [],
    })
}

/// With six digits, as embeddings are written.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_asked_for_and_no_two_have_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let few = Artists::write(3, None, folder.path()).unwrap();

        let more = Artists::write(8, Some(&few.file), folder.path()).unwrap();

        let mut names = more.names.clone();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 8);
        assert_eq!(more.names[..3], few.names);
        assert_eq!(more.some(4).count(), 4);
        assert_eq!(std::fs::read_to_string(more.file).unwrap().lines().count(), 8);
    }

    #[test]
    fn names_may_hold_anything_in_a_path() {
        assert_eq!(in_path("AC/DC 50%"), "AC%2FDC%2050%25");
    }
}

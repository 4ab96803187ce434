//! Makes the dictionary that words of profiles are compressed with in Redis, from a file of artists:
//!
//! ```sh
//! cargo run -p groovebase-cache --example words_dictionary -- crates/api/demo/artists.jsonl words.2.dictionary
//! ```
//!
//! The one in `src/redis/envelope` is part of the format of envelopes and stays as it is, whatever becomes of the file.
//! A better one is another codec.

use std::{env, error::Error, fs};

use serde_json::Value;

/// Larger ones gain next to nothing.
const BYTES: usize = 4_096;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(artists), Some(dictionary)) = (arguments.next(), arguments.next()) else {
        return Err("name a file of artists, and where the dictionary goes".into());
    };
    let text = fs::read_to_string(artists)?;
    let samples: Vec<_> = text.lines().map(words).collect::<Result<_, _>>()?;
    fs::write(dictionary, zstd::dict::from_samples(&samples, BYTES)?)?;
    Ok(())
}

/// What an envelope holds as words: the name and the description behind their lengths, then the templates.
fn words(line: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let artist: Value = serde_json::from_str(line)?;
    let mut words = Vec::new();
    for field in ["artist", "text_description"] {
        let text = artist.get(field).and_then(Value::as_str).ok_or("an artist without words")?;
        words.extend(u32::try_from(text.len())?.to_be_bytes());
        words.extend(text.as_bytes());
    }
    serde_json::to_writer(&mut words, artist.get("midi_templates").ok_or("no templates")?)?;
    Ok(words)
}

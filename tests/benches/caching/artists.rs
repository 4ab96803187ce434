//! Artists to measure with.

use std::{fmt::Write as _, io::Cursor};

use anyhow::{Context, ensure};
use api::command::import::{self, Options};
use domain::{ArtistKey, ArtistName};
use futures::stream;
use groovebase_tests::given::body;
use serde_json::{Value, json};
use storage::Store;

/// How many are made up when there is no file.
const MADE_UP: usize = 10_000;

/// Lines as `groovebase import` reads them.
pub(crate) struct Artists {
    lines: Vec<String>,
    pub(crate) keys: Vec<ArtistKey>,
    pub(crate) origin: String,
}

impl Artists {
    #[expect(clippy::disallowed_methods, reason = "the one place where the bench reads it")]
    pub(crate) fn read() -> anyhow::Result<Self> {
        let Ok(file) = std::env::var("GROOVEBASE_BENCH_ARTISTS") else {
            return Self::made_up(MADE_UP, "Artist");
        };
        let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
        Self::of(text.lines().map(str::to_owned).collect(), "from a file".to_owned())
    }

    /// Made up ones, all with profile and embedding.
    pub(crate) fn made_up(count: usize, name: &str) -> anyhow::Result<Self> {
        let profile = body::profile();
        let lines = (0..count).map(|number| {
            let line =
                body::changed(profile.clone(), "/artist", json!(format!("{name} {number}")))?;
            Ok(line.to_string())
        });
        Self::of(lines.collect::<anyhow::Result<_>>()?, "made up".to_owned())
    }

    fn of(lines: Vec<String>, origin: String) -> anyhow::Result<Self> {
        let key = |line: &String| {
            let line: Value = serde_json::from_str(line)?;
            let name = line["artist"].as_str().context("a line without an artist")?;
            Ok(ArtistName::try_from(name)?.key().clone())
        };
        let keys = lines.iter().map(key).collect::<anyhow::Result<_>>()?;
        Ok(Self { lines, keys, origin })
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.len()
    }

    /// How long each line is that has a profile, by key.
    pub(crate) fn line_bytes(&self) -> impl Iterator<Item = (&ArtistKey, usize)> {
        let sizes = self.lines.iter().map(|line| match serde_json::from_str::<Value>(line) {
            // The sources beside a profile are not part of it.
            Ok(Value::Object(mut line)) => {
                line.remove("sources");
                Value::Object(line).to_string().len()
            }
            Ok(_) | Err(_) => 0,
        });
        self.keys.iter().zip(sizes)
    }

    /// Imports them.
    pub(crate) async fn load(&self, store: &Store) -> anyhow::Result<()> {
        let mut text = String::new();
        for line in &self.lines {
            writeln!(text, "{line}")?;
        }
        let report = import::run(
            Cursor::new(text),
            store.bulk_load().as_ref(),
            &Options::default(),
            stream::pending(),
            |_| (),
        )
        .await;
        ensure!(report.outcome.is_ok(), "{report:?}");
        Ok(())
    }
}

//! `groovebase export`: writes what there is as the JSON lines that an import reads, either artists with their profiles and
//! sources, or generations.
//!
//! One line for each generation, oldest first, in the form of the HTTP interface; or one for each artist, in the order of keys; identities, versions, times and research statuses stay behind. The
//! same content gives the same bytes, whichever database it lies in.

mod generations;
mod line;
mod target;
mod terminal;

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use domain::{
    Artist, ArtistFilter, ArtistKey, Artists, InvalidTimeRange, Limit, NewResearchSource,
    RepositoryError, ResearchSource, ResearchSources, StyleProfile, StyleProfiles,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::import::MAX_LINE_BYTES;

pub use generations::{GenerationsReport, run as run_generations, write_generation};
pub use target::Target;
pub use terminal::ExportArguments;

/// For how many artists sources are asked at once.
const CONCURRENT_READS: usize = 4;

/// What is exported.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The artists.
    pub artists: &'a dyn Artists,
    /// Their profiles.
    pub style_profiles: &'a dyn StyleProfiles,
    /// Their sources.
    pub research_sources: &'a dyn ResearchSources,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many artists, which is how many lines.
    pub artists: u64,
    /// How many of them with a profile.
    pub profiles: u64,
    /// How many sources.
    pub sources: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Artists whose line is longer than an import takes; at most ten of them.
    pub too_long: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] RepositoryError),
    /// The lines cannot be written.
    #[error("the lines cannot be written")]
    Write(#[from] io::Error),
    /// Times are given, and no generations are asked for.
    #[error("only generations can be chosen by time; add --kind generations")]
    Timeless,
    /// The times are no range.
    #[error("--from and --to do not fit")]
    Range(#[from] InvalidTimeRange),
    /// Somebody asked for the end. A file is as it was before.
    #[error("interrupted")]
    Interrupted,
}

/// Writes all there is to `output` and tells `on` after each page.
///
/// An artist that changes meanwhile is written as it was when its page was read. Memory holds one page of 500 artists.
pub async fn run(
    content: Content<'_>,
    output: &mut (dyn Write + Send),
    mut on: impl FnMut(&Report),
) -> Result<Report, ExportError> {
    let began = Instant::now();
    let mut report = Report::default();
    let mut filter = ArtistFilter::default();
    loop {
        let page = content.artists.page(&filter, Limit::LARGEST).await?;
        write_page(content, page.items, output, &mut report).await?;
        report.took = began.elapsed();
        on(&report);
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    output.flush()?;
    report.took = began.elapsed();
    Ok(report)
}

async fn write_page(
    content: Content<'_>,
    artists: Vec<Artist>,
    output: &mut (dyn Write + Send),
    report: &mut Report,
) -> Result<(), ExportError> {
    let keys: Vec<ArtistKey> = artists.iter().map(|artist| artist.name.key().clone()).collect();
    let profiles = content.style_profiles.find_many(&keys).await?;
    let mut entries = stream::iter(artists.into_iter().zip(profiles))
        .map(|(artist, profile)| async move {
            let sources = sources(content.research_sources, &artist).await?;
            Ok::<_, RepositoryError>((artist, profile, sources))
        })
        .buffered(CONCURRENT_READS);

    let mut text = Vec::new();
    while let Some((artist, profile, sources)) = entries.try_next().await? {
        text.clear();
        line::write(&mut text, &artist, profile.as_deref(), &sources)?;
        output.write_all(&text)?;
        report.add(&artist, profile.as_deref(), &sources, text.len());
    }
    Ok(())
}

/// Every source of an artist, in an order that does not depend on when it was stored.
async fn sources(
    research_sources: &dyn ResearchSources,
    artist: &Artist,
) -> Result<Vec<NewResearchSource>, RepositoryError> {
    let mut sources = Vec::new();
    let mut after = None;
    loop {
        let page = research_sources.page(artist.id, None, after, Limit::LARGEST).await?;
        sources.extend(page.items.into_iter().map(|ResearchSource { source, .. }| source));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    sources.sort_by(line::order);
    Ok(sources)
}

impl Report {
    fn add(
        &mut self,
        artist: &Artist,
        profile: Option<&StyleProfile>,
        sources: &[NewResearchSource],
        bytes: usize,
    ) {
        const MOST_NAMED: usize = 10;

        self.artists += 1;
        self.bytes += bytes as u64;
        self.profiles += u64::from(profile.is_some());
        self.sources += sources.len() as u64;
        if MAX_LINE_BYTES + 1 < bytes && self.too_long.len() < MOST_NAMED {
            self.too_long.push(artist.name.as_str().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, sync::Arc};

    use domain::{BulkCounts, SystemClock};
    use migration::Schema;
    use storage::{PoolLimits, Store};

    use super::*;
    use crate::command::import::{self, Incomplete, OnError, Options};

    const PROFILE: &str = r#""text_description":"“Slow”\n","quantitative_params":{"tempo_min":80.0,"tempo_max":102.0,"tempo_avg":91.5,"swing_percent":0.0,"ghost_note_prob":0.30000000000000004,"syncopation_level":1.0,"velocity_mean":84.0,"velocity_std":18.0},"confidence_score":0.453,"sources_count":{"papers":0,"articles":65535,"audio":0,"midi":0},"midi_templates":[{"a":[0.1,1e+300,-7],"z":null}]"#;

    struct Fixture {
        store: Store,
        _folder: tempfile::TempDir,
    }

    async fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let schema = Schema::connect(&url).await.unwrap();
        schema.up(None).await.unwrap();
        schema.close().await.unwrap();
        let store = storage::connect(&url, &PoolLimits::default(), Arc::new(SystemClock)).await;
        Fixture { store: store.unwrap(), _folder: folder }
    }

    async fn import(to: &Fixture, text: &str, on_error: OnError) -> import::Report {
        let options = Options { on_error, ..Options::default() };
        let input = Cursor::new(text.to_owned().into_bytes());
        import::run(input, to.store.bulk_load().as_ref(), &options, stream::pending(), |_| ()).await
    }

    async fn export(from: &Fixture) -> (String, Report) {
        let (artists, style_profiles, research_sources) =
            (from.store.artists(), from.store.style_profiles(), from.store.research_sources());
        let content = Content {
            artists: artists.as_ref(),
            style_profiles: style_profiles.as_ref(),
            research_sources: research_sources.as_ref(),
        };
        let mut text = Vec::new();
        let report = run(content, &mut text, |_| ()).await.unwrap();
        (String::from_utf8(text).unwrap(), report)
    }

    #[tokio::test]
    async fn writes_what_an_import_reads_in_the_order_of_keys() {
        let paper = r#"{"source_type":"paper","file_path":"a.pdf","extracted_data":{"mean":0.1}}"#;
        let article = r#"{"source_type":"article","url":"u","raw_content":"“r”","confidence":0.8}"#;
        let profile = |sources: &str| {
            format!("{{\"artist\":\"Sigur Rós\",{PROFILE},\"sources\":[{sources}]}}\n")
        };
        let pending = "{\"artist\":\"ÁC/DC\"}\n";
        let (first, second) = (fixture().await, fixture().await);

        import(
            &first,
            &format!("{pending}{}", profile(&format!("{article},{paper}"))),
            OnError::Stop,
        )
        .await;
        let (text, report) = export(&first).await;
        import(&second, &text, OnError::Stop).await.outcome.unwrap();

        assert_eq!(text, format!("{}{pending}", profile(&format!("{paper},{article}"))));
        assert_eq!((report.artists, report.profiles, report.sources), (2, 1, 2));
        assert_eq!(export(&second).await.0, text);
    }

    #[tokio::test]
    async fn an_import_stops_after_the_lines_before_a_bad_one_and_can_be_repeated() {
        let fixture = fixture().await;
        let text = "{\"artist\":\"a\"}\n\n{\"artist\":7}\n{\"artist\":\"b\"}\n";

        let stopped = import(&fixture, text, OnError::Stop).await;
        let (stored, _) = export(&fixture).await;
        let skipped = import(&fixture, text, OnError::Skip).await;

        assert!(matches!(stopped.outcome, Err(Incomplete::BadLine(bad)) if bad.line == 3));
        assert_eq!((stopped.line, stopped.written, stopped.bad), (2, 1, 1));
        assert_eq!(stored, "{\"artist\":\"a\"}\n");
        assert!(skipped.outcome.is_ok());
        assert_eq!((skipped.line, skipped.written, skipped.bad), (4, 2, 1));
        let counts = BulkCounts { created: 1, unchanged: 1, ..BulkCounts::default() };
        assert_eq!(skipped.counts, counts);
    }

    #[tokio::test]
    async fn of_lines_for_one_artist_the_last_stands_and_takes_nothing_away() {
        let fixture = fixture().await;
        let line = |text: &str, url: &str| {
            let profile = PROFILE.replace("“Slow”\\n", text);
            let source = format!(r#"{{"source_type":"article","url":"{url}"}}"#);
            format!("{{\"artist\":\"x\",{profile},\"sources\":[{source}]}}\n")
        };
        let text = format!("{}{}{{\"artist\":\"X\"}}\n", line("one", "u"), line("two", "v"));

        let report = import(&fixture, &text, OnError::Stop).await;

        let (stored, _) = export(&fixture).await;
        assert!(stored.contains("\"two\"") && stored.contains("\"u\"") && stored.contains("\"v\""));
        let counts = BulkCounts { created: 1, replaced: 1, unchanged: 1, sources: 2 };
        assert_eq!(report.counts, counts);
    }
}

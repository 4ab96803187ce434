//! `groovebase export`: writes artists, profiles and sources as the JSON lines that an import reads.
//!
//! One line for each artist, in the order of keys; identities, versions, times and research statuses stay behind. The
//! same content gives the same bytes, whichever database it lies in.

mod line;
mod target;
mod terminal;

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use domain::{
    Artist, ArtistFilter, ArtistKey, Artists, Limit, NewResearchSource, RepositoryError,
    ResearchSource, ResearchSources, StyleProfile, StyleProfiles,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::import::MAX_LINE_BYTES;

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
    /// How many sources were left out: their artists have no profile, and an import takes sources with a profile.
    pub sources_left_out: u64,
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
        line::write(&mut text, &artist, profile.as_ref(), &sources)?;
        output.write_all(&text)?;
        report.add(&artist, profile.as_ref(), &sources, text.len());
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
        if profile.is_some() {
            self.profiles += 1;
            self.sources += sources.len() as u64;
        } else {
            self.sources_left_out += sources.len() as u64;
        }
        if MAX_LINE_BYTES + 1 < bytes && self.too_long.len() < MOST_NAMED {
            self.too_long.push(artist.name.as_str().to_owned());
        }
    }
}

//! Writing a synthetic history, as lines or into a database.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use api::command::export::{Target, write_generation};
use domain::{Clock as _, Generation, SystemClock};
use migration::Schema;
use storage::PoolLimits;
use time::{Date, OffsetDateTime, format_description::well_known::Iso8601};
use xtask::synthetic_history::{History, Loading, Settings, SyntheticHistory, load};

use crate::terminal;

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(5);

/// Make a history of generations that never were, for development: as lines for `groovebase import --kind generations`,
/// or in a database.
///
/// The same numbers give the same history, identities included, so that repeating it doubles nothing. Every generation
/// has `synthetic: true` among its `user_params`.
#[derive(clap::Args)]
pub(crate) struct Task {
    /// How many generations.
    #[arg(long)]
    rows: u64,
    /// How many artists; the first is asked for most, the second half as often, the third a third.
    #[arg(long, default_value_t = 2_000)]
    artists: u32,
    /// How many months it takes.
    #[arg(long, default_value_t = 12)]
    months: u32,
    /// Another number is another history.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day that it ends before, in UTC, such as 2026-11-21; today if not given.
    #[arg(long, value_parser = date, value_name = "DATE")]
    until: Option<Date>,
    #[command(flatten)]
    place: Place,
    /// Add to a history that is there already.
    #[arg(long, requires = "url")]
    append: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// The database to write to, whose schema must be up to date.
    #[arg(long)]
    url: Option<String>,
    /// The file to write, replaced if it exists; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text, &Iso8601::DATE).map_err(|_| "a day is written as 2026-11-21".to_owned())
}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { rows, artists, months, seed, until, place, append } = self;
        let until = until.unwrap_or_else(|| OffsetDateTime::from(SystemClock.now()).date());
        let history = SyntheticHistory::new(Settings { rows, artists, months, until, seed })?;
        let Place { url, output } = place;
        let written = match (url, output) {
            (Some(url), _) => {
                let before = if append { History::MayGrow } else { History::MustBeEmpty };
                let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
                runtime.block_on(write_into(&url, &history, before))?
            }
            (None, Some(file)) => write_lines(&file, &history)?,
            (None, None) => anyhow::bail!("there is no place to write to"),
        };
        for line in summary(&history, &written) {
            terminal::note(&line);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_lines(file: &Path, history: &SyntheticHistory) -> anyhow::Result<Loading> {
    let began = Instant::now();
    let mut target =
        Target::open(file).with_context(|| format!("cannot write to {}", file.display()))?;
    let mut written = Loading::default();
    let mut progress = Progress::new();
    for generation in history.generations() {
        let generation = generation?;
        written.add(&generation);
        let created_at = generation.created_at.context("a history has times")?;
        let recorded = Generation {
            id: generation.id,
            artist: generation.artist,
            created_at,
            details: generation.details,
        };
        write_generation(&mut target, recorded)?;
        written.took = began.elapsed();
        progress.tell(&written);
    }
    target.flush()?;
    target.keep()?;
    written.took = began.elapsed();
    Ok(written)
}

async fn write_into(
    url: &str,
    history: &SyntheticHistory,
    before: History,
) -> anyhow::Result<Loading> {
    let schema = Schema::connect(url).await?;
    let pending = schema.pending().await?.len();
    schema.close().await?;
    ensure!(
        pending == 0,
        "the schema lacks {pending} changes; `cargo xtask migrate up --database-url …` applies them"
    );
    let store = storage::connect(url, &PoolLimits::default(), Arc::new(SystemClock)).await?;
    let mut progress = Progress::new();
    let written = load(&store, history, before, |loading| progress.tell(loading)).await;
    store.close().await;
    written
}

/// Says now and then how far it is.
struct Progress {
    told: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { told: Instant::now() }
    }

    fn tell(&mut self, written: &Loading) {
        if EVERY <= self.told.elapsed() {
            self.told = Instant::now();
            terminal::note(&format!("{} generations, {}/s", written.generations, rate(written)));
        }
    }
}

fn rate(written: &Loading) -> u128 {
    u128::from(written.generations) * 1_000 / written.took.as_millis().max(1)
}

fn summary(history: &SyntheticHistory, written: &Loading) -> [String; 2] {
    let Settings { rows: _, artists, months, until, seed } = history.settings();
    let Loading { generations, failed, cancelled, unpriced, without_artist, artists: made, took } =
        *written;
    [
        format!(
            "{generations} generations in {:.1} s, {}/s: {months} months before {until}, seed {seed}",
            took.as_secs_f64(),
            rate(written)
        ),
        format!(
            "{artists} artists ({made} made), {failed} failed, {cancelled} cancelled, {unpriced} unpriced, \
             {without_artist} without artist"
        ),
    ]
}

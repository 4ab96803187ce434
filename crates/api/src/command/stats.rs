//! `groovebase stats`: whether the sums that statistics are made of are what the generations say.

use std::{
    io::{self, Write},
    time::Instant,
};

use domain::RepositoryError;
use futures::StreamExt as _;
use storage::{Accounts, Drift};

use super::{
    interrupt::interrupts,
    serve::{self, ServeError},
    terminal::{Progress, grouped, rate},
};
use crate::config::Settings;

/// What to do with the sums that statistics are made of.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Stats {
    /// Sum up every generation again and compare that with every sum that is kept. The exit code is 0 when there is no
    /// difference, and 1 when there is one.
    ///
    /// The service may go on meanwhile: everything is compared as of one moment.
    Verify,
    /// Make every sum anew from the generations.
    ///
    /// The service may go on meanwhile; on SQLite writers wait while a month is done. After Ctrl-C, with exit code 130, the
    /// months that were done are right, and it can be run again.
    Rebuild,
}

impl Stats {
    /// Does it, and writes what came of it; progress goes to standard error.
    pub async fn run(self, settings: &Settings, output: &mut impl Write) -> Result<(), StatsError> {
        let store = serve::open_store(&settings.database).await?;
        let accounts = store.accounts();
        let done = match self {
            Self::Verify => verify(&accounts, output).await,
            Self::Rebuild => rebuild(&accounts, output).await,
        };
        store.close().await;
        done
    }
}

async fn verify(accounts: &Accounts, output: &mut impl Write) -> Result<(), StatsError> {
    let began = Instant::now();
    let drift = watched(|progress| accounts.verify(progress)).await?;
    let Drift { generations, sums, different, differences } = &drift;
    let speed = rate(*generations, began.elapsed());
    writeln!(output, "generations  {}, {speed} a second", grouped(*generations))?;
    writeln!(output, "sums         {}", grouped(*sums))?;
    writeln!(output, "drift        {}", grouped(*different))?;
    for difference in differences {
        writeln!(output, "  {difference}")?;
    }
    match *different {
        0 => Ok(()),
        different => Err(StatsError::Drift { different }),
    }
}

async fn rebuild(accounts: &Accounts, output: &mut impl Write) -> Result<(), StatsError> {
    let began = Instant::now();
    watched(|progress| accounts.rebuild(progress)).await?;
    writeln!(output, "made anew in {:.1} s", began.elapsed().as_secs_f64())?;
    Ok(())
}

/// Does something that tells how many generations it has looked at, until it is done or somebody asks for the end.
async fn watched<T, Work>(
    work: impl FnOnce(Box<dyn Fn(u64) + Send + Sync>) -> Work,
) -> Result<T, StatsError>
where
    Work: Future<Output = Result<T, RepositoryError>>,
{
    let mut interrupts = interrupts()?;
    let progress = std::sync::Mutex::new(Progress::new(None));
    let tell = move |generations| {
        if let Ok(mut progress) = progress.lock() {
            progress.advance(0, || format!("{} generations", grouped(generations)));
        }
    };
    tokio::select! {
        biased;
        _ = interrupts.next() => Err(StatsError::Interrupted),
        done = work(Box::new(tell)) => Ok(done?),
    }
}

/// Why the sums were not compared or made anew, or are wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] ServeError),
    /// The store cannot be read or written.
    #[error("the accounts cannot be read or written")]
    Repository(#[from] RepositoryError),
    /// Sums are not what the generations say.
    #[error(
        "{different} sums are not what the generations say; `groovebase stats rebuild` makes them anew"
    )]
    Drift {
        /// How many.
        different: u64,
    },
    /// Somebody asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// The command cannot tell what it did, or be told to stop.
    #[error("the terminal does not work")]
    Terminal(#[from] io::Error),
}

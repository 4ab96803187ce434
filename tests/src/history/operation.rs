//! What was asked, and what was answered.

use std::{fmt, time::Duration};

use domain::Version;

/// A moment on the one clock of a run: nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// So many nanoseconds after the run began.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment so long before this one; `None` before the run began.
    #[must_use]
    pub fn before(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// How long this moment is after another one; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Writes milliseconds.
impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1_000;
        write!(formatter, "{}.{:03} ms", micros / 1_000, micros % 1_000)
    }
}

/// What a save writes into the profile, so that the profile tells who wrote it. No two saves of a run share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// One thing that a caller asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation {
    /// Which instance was asked. One that only writes stands for somebody beside the service.
    pub instance: u16,
    /// The artist.
    pub key: u16,
    /// Just before it was asked.
    pub invoked: Moment,
    /// What was asked, and what came of it.
    pub event: Event,
}

/// What was asked, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// A read that was answered.
    Read {
        /// What was asked for.
        mode: Mode,
        /// Just after the answer.
        responded: Moment,
        /// The answer.
        answer: Answer,
    },
    /// A read that failed. It says nothing.
    NoAnswer {
        /// What was asked for.
        mode: Mode,
    },
    /// A write.
    Write {
        /// What was asked for.
        write: Write,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What a reader asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Own writes, and what is older than the bound.
    Default,
    /// Everything acknowledged before.
    Strict,
}

/// What a read returned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// What was there.
    pub state: State,
    /// Who answered.
    pub tier: Tier,
    /// How old the answer is at most, as it says itself; `None` when it does not say.
    pub age: Option<Duration>,
    /// Whether the answer says that it may be older than promised.
    pub stale: bool,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No profile: the artist has none, or is not there.
    Nothing,
    /// A profile.
    Profile {
        /// The artist's version.
        version: Version,
        /// Who wrote the profile.
        content: OperationId,
    },
}

/// Who answered a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The catalog, which knew that there is nothing.
    Catalog,
    /// The memory of the instance.
    Memory,
    /// Redis.
    Redis,
    /// The database.
    Database,
    /// The answer does not say.
    Untold,
}

/// What a write is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Put this content there, whatever there is.
    Save(OperationId),
    /// Put this content there if there is a profile.
    Edit(OperationId),
    /// Change the artist without its profile.
    Touch,
    /// Make the artist, without a profile, if there is none.
    Create,
    /// Remove the profile.
    RemoveProfile,
    /// Remove the artist.
    RemoveArtist,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged.
    Done {
        /// Just after the acknowledgement.
        responded: Moment,
        /// The version it took; `None` when nobody said so.
        version: Option<Version>,
    },
    /// It was answered that there was nothing to do.
    Needless {
        /// Just after the answer.
        responded: Moment,
    },
    /// It failed. It may have happened nevertheless, or may still happen.
    Unknown,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, key, invoked, event } = self;
        write!(formatter, "instance {instance}, key {key}, {invoked} to ")?;
        match event {
            Event::Read { mode, responded, answer } => {
                let Answer { state, tier, age, stale } = answer;
                let marked = if *stale { ", marked stale" } else { "" };
                write!(formatter, "{responded}: {mode:?} read found {state} ({tier:?}")?;
                if let Some(age) = age {
                    write!(formatter, ", age {age:?}")?;
                }
                write!(formatter, "{marked})")
            }
            Event::NoAnswer { mode } => write!(formatter, "?: {mode:?} read failed"),
            Event::Write { write, outcome } => match outcome {
                Outcome::Done { responded, version: Some(version) } => {
                    write!(formatter, "{responded}: {write:?} took version {version}")
                }
                Outcome::Done { responded, version: None } => {
                    write!(formatter, "{responded}: {write:?} was acknowledged")
                }
                Outcome::Needless { responded } => {
                    write!(formatter, "{responded}: {write:?} found nothing to do")
                }
                Outcome::Unknown => write!(formatter, "?: {write:?} may have happened"),
            },
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("nothing"),
            Self::Profile { version, content: OperationId(content) } => {
                write!(formatter, "content {content} at version {version}")
            }
        }
    }
}

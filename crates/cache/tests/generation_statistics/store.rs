//! A store that remembers every generation, folds as it is told to, and can hold its answers back.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use domain::{
    ArtistId, EntriesReading, EntrySums, GenerationKind, GenerationRollups, Money, Quarter,
    RepositoryError, Rollup, RollupPosition, RollupReading, RollupSnapshot, Sums, TimeRange, Times,
    Timestamp, TokenSums,
};
use groovebase_cache::{Dimensions, GroupSums, StatisticsQuestion};
use parking_lot::Mutex;

use super::given;

/// How far apart positions are.
const GAP: i64 = 1_000;

/// A generation.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) at: i64,
    /// Which of the artists of [`given::artist`].
    pub(crate) artist: Option<u8>,
    pub(crate) kind: GenerationKind,
    pub(crate) time_ms: u32,
    pub(crate) cost: Option<u32>,
}

impl Made {
    pub(crate) fn sums(&self, exact_times: bool) -> Sums {
        Sums {
            time_ms: self.time_ms.into(),
            times: if exact_times {
                Times::exact([(self.time_ms, 1)])
            } else {
                Times::of(self.time_ms)
            },
            priced: self.cost.is_some().into(),
            cost: self.cost.map_or_else(Money::default, |cost| Money::from_nanos(cost.into())),
            tokens: TokenSums { used: self.time_ms.into(), ..TokenSums::default() },
            ..Sums::ended(self.kind.status, 1)
        }
    }

    fn rollup(&self) -> Rollup {
        Rollup {
            quarter: Quarter::of_micros(self.at),
            kind: self.kind.clone(),
            sums: self.sums(false),
        }
    }

    fn is_in(&self, range: TimeRange) -> bool {
        range.contains(Timestamp::from_unix_micros(self.at).unwrap())
    }
}

#[derive(Default)]
pub(crate) struct Store {
    state: Mutex<State>,
    /// Whether answers are held back: a read is made at once, and answered when it is polled again.
    pub(crate) holds: AtomicBool,
    pub(crate) fails: AtomicBool,
    /// Whether an answer has one list too few.
    pub(crate) forgets_a_list: AtomicBool,
}

#[derive(Default)]
struct State {
    made: Vec<Made>,
    /// How many of them are folded.
    folded: usize,
    position: i64,
    /// What each fold took in, and after which position.
    log: Vec<(i64, Vec<Rollup>)>,
    readings: Vec<RollupReading>,
    /// How much was recorded when it was read last.
    read_at: usize,
}

impl Store {
    pub(crate) fn record(&self, made: Made) {
        self.state.lock().made.push(made);
    }

    /// Folds so many, if there are any.
    pub(crate) fn fold_some(&self, most: usize) -> usize {
        let state = &mut *self.state.lock();
        let to = state.made.len().min(state.folded + most);
        let changes: Vec<_> = state.made[state.folded..to].iter().map(Made::rollup).collect();
        let count = changes.len();
        if count != 0 {
            state.log.push((state.position, changes));
            state.folded = to;
            state.position += GAP;
        }
        count
    }

    /// Forgets all but the last changes.
    pub(crate) fn trim(&self, keep: usize) {
        let state = &mut *self.state.lock();
        let drop = state.log.len().saturating_sub(keep);
        state.log.drain(..drop);
    }

    /// Becomes a store that has recorded nothing, as if another database was put in its place.
    pub(crate) fn replace(&self, position: i64) {
        let state = &mut *self.state.lock();
        let readings = std::mem::take(&mut state.readings);
        *state = State { position, readings, ..State::default() };
    }

    pub(crate) fn readings(&self) -> Vec<RollupReading> {
        std::mem::take(&mut self.state.lock().readings)
    }

    /// How much was recorded when it was read last.
    pub(crate) fn read_at(&self) -> usize {
        self.state.lock().read_at
    }

    /// What answers to a question must be after so much was recorded, by looking at every generation.
    pub(crate) fn compare(
        &self,
        question: &StatisticsQuestion,
        recorded: usize,
    ) -> Vec<Vec<GroupSums>> {
        let state = self.state.lock();
        let of_range = |range: &TimeRange| {
            let mut totals = BTreeMap::<_, Sums>::new();
            for made in state.made[..recorded].iter().filter(|made| made.is_in(*range)) {
                let GenerationKind { provider, model, status } = &made.kind;
                let is_asked_for = question
                    .artist
                    .is_none_or(|asked| Some(asked) == artist_id(made))
                    && question.provider.as_ref().is_none_or(|asked| asked == provider)
                    && question.model.as_ref().is_none_or(|asked| Some(asked) == model.as_ref());
                if is_asked_for {
                    let Dimensions {
                        artist,
                        provider: by_provider,
                        model: by_model,
                        status: by_status,
                    } = question.dimensions;
                    let place = (
                        made.artist.filter(|_| artist),
                        by_provider.then(|| provider.clone()),
                        model.clone().filter(|_| by_model),
                        by_status.then_some(*status),
                    );
                    let total = totals.entry(place).or_default();
                    total.add(&made.sums(question.exact_times));
                }
            }
            let total = |((artist, provider, model, status), sums): ((Option<u8>, _, _, _), _)| {
                // Numbers below ten sort as the names do.
                let artist = artist.map(|it| given::artist(it).1);
                GroupSums { artist, provider, model, status, sums: Arc::new(sums) }
            };
            totals.into_iter().map(total).collect()
        };
        question.ranges.iter().map(of_range).collect()
    }

    /// The same, after all that is recorded.
    pub(crate) fn compare_now(&self, question: &StatisticsQuestion) -> Vec<Vec<GroupSums>> {
        let recorded = self.state.lock().made.len();
        self.compare(question, recorded)
    }
}

impl State {
    fn snapshot(&self, reading: &RollupReading) -> RollupSnapshot {
        let changes = |since: i64| {
            // Like a query for what comes after, it has nothing to say against a position that is not reached yet.
            let is_known =
                self.position <= since || self.log.iter().any(|(after, _)| *after == since);
            let folds = self.log.iter().filter(move |(after, _)| since <= *after);
            is_known.then(|| folds.flat_map(|(_, changes)| changes.clone()).collect())
        };
        let (folded, pending) = self.made.split_at(self.folded);
        RollupSnapshot {
            position: RollupPosition(self.position),
            changes: reading.since.and_then(|RollupPosition(since)| changes(since)),
            pending: pending.iter().map(Made::rollup).collect(),
            spans: reading
                .spans
                .iter()
                .map(|span| {
                    let mut kinds = BTreeMap::<GenerationKind, Sums>::new();
                    for made in folded {
                        if span.contains(Quarter::of_micros(made.at)) {
                            kinds.entry(made.kind.clone()).or_default().add(&made.sums(false));
                        }
                    }
                    // There may be sums over nothing, and they are in no particular order.
                    kinds.entry(given::nothing()).or_default();
                    kinds.into_iter().rev().collect()
                })
                .collect(),
            entries: reading.entries.iter().map(|entries| self.entries(entries)).collect(),
        }
    }

    fn entries(&self, reading: &EntriesReading) -> Vec<EntrySums> {
        let EntriesReading { range, artist, by_artist, exact_times } = reading;
        let asked = |made: &&Made| artist.is_none_or(|artist| Some(artist) == artist_id(made));
        // One for each generation: it is for who reads to add them up.
        self.made
            .iter()
            .filter(|made| made.is_in(*range))
            .filter(asked)
            .map(|made| EntrySums {
                artist: made.artist.filter(|_| *by_artist).map(|it| given::artist(it).1),
                kind: made.kind.clone(),
                sums: made.sums(*exact_times),
            })
            .collect()
    }
}

fn artist_id(made: &Made) -> Option<ArtistId> {
    made.artist.map(|it| given::artist(it).0)
}

#[async_trait]
impl GenerationRollups for Store {
    async fn read(&self, reading: &RollupReading) -> Result<RollupSnapshot, RepositoryError> {
        let mut snapshot = {
            let mut state = self.state.lock();
            state.readings.push(reading.clone());
            state.read_at = state.made.len();
            state.snapshot(reading)
        };
        let fails = self.fails.load(Ordering::SeqCst);
        let mut held = self.holds.load(Ordering::SeqCst);
        poll_fn(|_| if std::mem::take(&mut held) { Poll::Pending } else { Poll::Ready(()) }).await;
        if fails {
            return Err(given::unavailable());
        }
        if self.forgets_a_list.load(Ordering::SeqCst) {
            snapshot.spans.pop();
        }
        Ok(snapshot)
    }

    async fn fold(&self) -> Result<u64, RepositoryError> {
        Ok(u64::try_from(self.fold_some(usize::MAX)).unwrap())
    }
}

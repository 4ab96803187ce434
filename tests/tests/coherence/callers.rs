//! Many callers at once, each with a mind of its own, and what each was told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use groovebase_tests::history::{Event, Mode, Operation, OperationId, Outcome, Stopwatch, Write};
use tokio::{
    task::JoinSet,
    time::{error::Elapsed, timeout},
};

use crate::instance::{Done, Instance};

/// No read is waited for any longer.
const READ_PATIENCE: Duration = Duration::from_secs(4);

/// No write is waited for any longer.
const WRITE_PATIENCE: Duration = Duration::from_secs(8);

/// The keys that all callers share.
pub(crate) const KEYS: u16 = 6;

/// Callers at work.
pub(crate) struct Callers {
    shared: Arc<Shared>,
    tasks: JoinSet<Vec<Operation>>,
}

struct Shared {
    watch: Stopwatch,
    enough: AtomicBool,
    done: AtomicU64,
    next_content: AtomicU64,
    failures: Mutex<BTreeMap<String, u64>>,
}

/// What callers were told.
pub(crate) struct Told {
    pub(crate) operations: Vec<Operation>,
    /// Why operations failed, and how often. Callers that went away by themselves are left out.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// Somebody who asks one instance for things.
struct Caller {
    shared: Arc<Shared>,
    instance: Arc<dyn Instance>,
    number: u16,
    habit: Habit,
    random: Rng,
    was_refused: bool,
    told: Vec<Operation>,
}

/// What a caller does most.
#[derive(Debug, Clone, Copy)]
enum Habit {
    Reads,
    Writes,
    /// By hand, beside the service.
    Edits,
}

impl Callers {
    /// Begins.
    pub(crate) fn new(watch: Stopwatch) -> Self {
        let shared = Shared {
            watch,
            enough: AtomicBool::new(false),
            done: AtomicU64::new(0),
            next_content: AtomicU64::new(1),
            failures: Mutex::default(),
        };
        Self { shared: Arc::new(shared), tasks: JoinSet::new() }
    }

    /// Lets some more ask this instance, of whom one in three writes. What they ask depends on the seed.
    pub(crate) fn ask(&mut self, instance: &Arc<dyn Instance>, number: u16, many: u16, seed: u64) {
        for caller in 0..many {
            let habit = match caller % 3 {
                _ if instance.most_at_once() == 0 => Habit::Edits,
                0 => Habit::Writes,
                _ => Habit::Reads,
            };
            let seed = seed ^ (u64::from(number) << 32) ^ (u64::from(caller) << 16);
            let caller = Caller {
                shared: Arc::clone(&self.shared),
                instance: Arc::clone(instance),
                number,
                habit,
                random: Rng::with_seed(seed),
                was_refused: false,
                told: Vec::new(),
            };
            self.tasks.spawn(caller.ask_until_enough());
        }
    }

    /// How many operations ended so far.
    pub(crate) fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Lets them finish, and returns what they were told.
    pub(crate) async fn finish(self) -> Told {
        self.shared.enough.store(true, Ordering::Relaxed);
        let operations = self.tasks.join_all().await.into_iter().flatten().collect();
        let mut failures = self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner);
        Told { operations, failures: std::mem::take(&mut *failures) }
    }
}

impl Caller {
    async fn ask_until_enough(mut self) -> Vec<Operation> {
        while !self.shared.enough.load(Ordering::Relaxed) {
            let before = self.told.len();
            self.ask().await;
            let more = u64::try_from(self.told.len() - before).unwrap_or(0);
            self.shared.done.fetch_add(more, Ordering::Relaxed);
            self.pause().await;
        }
        self.told
    }

    async fn ask(&mut self) {
        let dice = self.random.u32(0..100);
        match self.habit {
            Habit::Edits => self.edit().await,
            Habit::Reads if dice < 80 => self.read(Mode::Default).await,
            Habit::Reads => self.read(Mode::Strict).await,
            Habit::Writes => match dice {
                0..30 => self.read(Mode::Default).await,
                30..45 => self.read(Mode::Strict).await,
                45..75 => self.save().await,
                75..83 => self.write(Write::RemoveProfile).await,
                83..92 => self.write(Write::RemoveArtist).await,
                _ => self.write(Write::Create).await,
            },
        }
    }

    /// Mostly short, so that much happens at once, but long enough for writers to get their turn on a small machine.
    async fn pause(&mut self) {
        if std::mem::take(&mut self.was_refused) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match self.random.u32(0..10) {
            0..2 => tokio::task::yield_now().await,
            2..9 => tokio::time::sleep(Duration::from_millis(1)).await,
            _ => tokio::time::sleep(Duration::from_millis(self.random.u64(2..20))).await,
        }
    }

    async fn read(&mut self, mode: Mode) {
        let key = self.key();
        let mut keys = vec![key];
        let most = self.instance.most_at_once();
        if 1 < most && self.random.u32(0..8) == 0 {
            keys.extend((1..self.random.usize(2..=most)).map(|_| self.random.u16(0..KEYS)));
        }
        let patience = self.patience(READ_PATIENCE);

        let invoked = self.shared.watch.now();
        let answers = timeout(patience, self.instance.read(&keys, mode)).await;
        let responded = self.shared.watch.now();

        let events: Vec<Event> = match self.unless_it_failed(answers, patience == READ_PATIENCE) {
            Some(answers) => {
                answers.into_iter().map(|answer| Event::Read { mode, responded, answer }).collect()
            }
            None => vec![Event::NoAnswer { mode }; keys.len()],
        };
        let instance = self.number;
        self.told.extend(keys.into_iter().zip(events).map(|(key, event)| Operation {
            instance,
            key,
            invoked,
            event,
        }));
    }

    async fn save(&mut self) {
        let content = self.new_content();
        self.write(Write::Save(content)).await;
    }

    /// What somebody does who edits by hand.
    async fn edit(&mut self) {
        let content = self.new_content();
        let write = if self.random.bool() { Write::Touch } else { Write::Edit(content) };
        self.write(write).await;
        tokio::time::sleep(Duration::from_millis(self.random.u64(5..50))).await;
    }

    async fn write(&mut self, write: Write) {
        let key = self.key();
        let patience = self.patience(WRITE_PATIENCE);

        let invoked = self.shared.watch.now();
        let done = timeout(patience, self.instance.write(key, write)).await;
        let responded = self.shared.watch.now();

        let outcome = match self.unless_it_failed(done, patience == WRITE_PATIENCE) {
            Some(Done::Changed(version)) => Outcome::Done { responded, version },
            Some(Done::Needless) => Outcome::Needless { responded },
            None => Outcome::Unknown,
        };
        let event = Event::Write { write, outcome };
        self.told.push(Operation { instance: self.number, key, invoked, event });
    }

    /// What was answered; a failure is noted.
    fn unless_it_failed<T>(
        &mut self,
        answer: Result<anyhow::Result<T>, Elapsed>,
        was_patient: bool,
    ) -> Option<T> {
        let why = match answer {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.root_cause().to_string(),
            Err(_) if was_patient => "no answer in time".to_owned(),
            Err(_) => return None,
        };
        let mut failures = self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(why).or_default() += 1;
        drop(failures);
        self.was_refused = true;
        None
    }

    /// Every second time the first, so that much happens to one artist at once; the last ones so seldom that what is
    /// remembered of them can become old.
    fn key(&mut self) -> u16 {
        let doubling =
            self.random.u32(1..1 << KEYS).leading_zeros() - (1_u32 << KEYS).leading_zeros();
        u16::try_from(doubling).map_or(0, |doubling| doubling.saturating_sub(1))
    }

    fn new_content(&self) -> OperationId {
        OperationId(self.shared.next_content.fetch_add(1, Ordering::Relaxed))
    }

    /// Now and then somebody goes away at once.
    fn patience(&mut self, usual: Duration) -> Duration {
        if self.random.u32(0..50) == 0 {
            Duration::from_micros(self.random.u64(0..5_000))
        } else {
            usual
        }
    }
}

//! What the tests start from.

use std::{
    cell::RefCell,
    fmt,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use deadpool_redis::redis::{Client, aio::MultiplexedConnection};
use domain::{
    ArtistKey, ArtistName, Confidence, DrumFeel, Embedding, Id, JsonArray, QuantitativeParams,
    SourcesCount, StyleProfile, TextDescription, Timestamp, Version,
};
use groovebase_cache::{Redis, RedisSettings, RedisStyleProfiles};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

/// The Redis that `cargo xtask services run` started.
pub(crate) fn url() -> String {
    variable("GROOVEBASE_TEST_REDIS_URL")
}

/// The cluster that `cargo xtask services run --cluster` started.
pub(crate) fn cluster_url() -> String {
    variable("GROOVEBASE_TEST_REDIS_CLUSTER_URL")
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the tests' addresses")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names no Redis"))
}

/// Settings with a prefix of their own and a budget that a busy machine cannot use up.
pub(crate) fn settings(url: &str) -> RedisSettings {
    RedisSettings { prefix: prefix(), budget: Duration::from_secs(10), ..RedisSettings::new(url) }
}

/// Settings with the usual budget.
pub(crate) fn hasty(url: &str) -> RedisSettings {
    RedisSettings { prefix: prefix(), ..RedisSettings::new(url) }
}

fn prefix() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("test-{nanos}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A tier of its own in a Redis, and a connection to look at and to break what is there.
pub(crate) struct Tier {
    pub(crate) redis: Redis,
    pub(crate) profiles: RedisStyleProfiles,
    pub(crate) raw: MultiplexedConnection,
    pub(crate) prefix: String,
}

impl Tier {
    pub(crate) async fn open() -> Self {
        Self::with(&settings(&url())).await
    }

    pub(crate) async fn with(settings: &RedisSettings) -> Self {
        let redis = Redis::open(settings).unwrap();
        Self {
            profiles: RedisStyleProfiles::new(redis.clone()),
            redis,
            raw: raw().await,
            prefix: settings.prefix.clone(),
        }
    }

    pub(crate) fn key(&self, artist: &ArtistKey) -> String {
        format!("{}:profile:{artist}", self.prefix)
    }

    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}:{rest}", self.prefix)
    }
}

/// A connection to the Redis itself.
pub(crate) async fn raw() -> MultiplexedConnection {
    Client::open(url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

pub(crate) fn key(name: &str) -> ArtistKey {
    ArtistName::try_from(name).unwrap().key().clone()
}

/// A profile that differs by name and version.
pub(crate) fn profile(name: &str, version: u64) -> StyleProfile {
    let now = Timestamp::from_unix_micros(1_763_715_600_000_000).unwrap();
    let numbers = (0_u16..384).map(|index| f32::from(index) / 512.0 - 0.25).collect::<Vec<_>>();
    StyleProfile {
        id: Id::generate(),
        artist_id: Id::generate(),
        artist: ArtistName::try_from(name).unwrap(),
        version: Version::new(version),
        text_description: TextDescription::try_from(format!("{name} at {version}")).unwrap(),
        quantitative_params: QuantitativeParams::try_from(DrumFeel {
            tempo_min: 82.0,
            tempo_max: 104.0,
            tempo_avg: 92.0,
            swing_percent: 56.5,
            ghost_note_prob: 0.4,
            syncopation_level: 0.5,
            velocity_mean: 78.0,
            velocity_std: 18.0,
        })
        .unwrap(),
        embedding: Some(Embedding::try_from(numbers).unwrap()),
        midi_templates: JsonArray::default(),
        confidence: Confidence::try_from(0.5).unwrap(),
        sources_count: SourcesCount::default(),
        created_at: now,
        updated_at: now,
    }
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What is logged on this thread from now on, as level and message.
pub(crate) struct Logs(());

impl Logs {
    pub(crate) fn kept() -> Self {
        // One for all threads: one for each would leave some events unheard, since whether anybody listens to an event
        // is asked once, on whichever thread comes first.
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| tracing_subscriber::registry().with(Keep).init());
        LINES.take();
        Self(())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let Self(()) = self;
        LINES.with_borrow(Clone::clone)
    }
}

struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("groovebase_cache") {
            let mut message = Message(event.metadata().level().to_string());
            event.record(&mut message);
            LINES.with_borrow_mut(|lines| lines.push(message.0));
        }
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{} {value:?}", self.0);
        }
    }
}

/// Waits until this holds, and fails when it does not within half a minute.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

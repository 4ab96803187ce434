//! Which profiles are read most: one sorted set, in which old reads fade.

use deadpool_redis::redis::{cmd, pipe};
use domain::ArtistKey;

use super::Redis;

/// So many artists are remembered.
const REMEMBERED: isize = 10_000;
/// So many artists are added to at once.
const BATCH: usize = 1_000;
/// Once in so many seconds every count is halved.
const HALVED_EVERY_SECONDS: u64 = 24 * 60 * 60;
/// Counts that nobody adds to are dropped after so many seconds.
const KEPT_SECONDS: u64 = 30 * 24 * 60 * 60;

/// Adds to the counts, best effort.
pub(super) async fn note(redis: &Redis, reads: &[(ArtistKey, u64)]) {
    if reads.is_empty() || fade(redis).await.is_none() {
        return;
    }
    let key = redis.key("reads", "profiles");
    for batch in reads.chunks(BATCH) {
        let mut pipeline = pipe();
        for (artist, count) in batch {
            pipeline.cmd("ZINCRBY").arg(&key).arg(*count).arg(artist.as_str()).ignore();
        }
        pipeline.cmd("ZREMRANGEBYRANK").arg(&key).arg(0).arg(-REMEMBERED - 1).ignore();
        pipeline.cmd("EXPIRE").arg(&key).arg(KEPT_SECONDS).ignore();
        let noted = redis
            .run("note reads", async |connection| pipeline.query_async::<()>(connection).await)
            .await;
        if noted.is_err() {
            return;
        }
    }
}

/// Halves every count if a day has passed since the last time, whichever instance notices. `None` when Redis is away.
async fn fade(redis: &Redis) -> Option<()> {
    let guard = redis.key("reads", "halved");
    let due = redis
        .run("note reads", async |connection| {
            let mut set = cmd("SET");
            set.arg(&guard).arg(1).arg("NX").arg("EX").arg(HALVED_EVERY_SECONDS);
            set.query_async::<Option<String>>(connection).await
        })
        .await
        .ok()?;
    if due.is_none() {
        return Some(());
    }
    let key = redis.key("reads", "profiles");
    redis
        .run("halve the counts of reads", async |connection| {
            let mut pipeline = pipe();
            // One command is atomic without a script; nothing that is added meanwhile is lost.
            pipeline.cmd("ZUNIONSTORE").arg(&key).arg(1).arg(&key).arg("WEIGHTS").arg(0.5).ignore();
            pipeline.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg("(0.5").ignore();
            pipeline.query_async::<()>(connection).await
        })
        .await
        .ok()
}

/// The artists with the highest counts, the highest first, at most `limit`. None when Redis is away.
pub(super) async fn most(redis: &Redis, limit: usize) -> Vec<ArtistKey> {
    let Some(last) = limit.checked_sub(1) else { return Vec::new() };
    let key = redis.key("reads", "profiles");
    let found = redis
        .run("find the most read profiles", async |connection| {
            let mut range = cmd("ZRANGE");
            range.arg(&key).arg(0).arg(last).arg("REV");
            range.query_async::<Vec<String>>(connection).await
        })
        .await;
    let names = found.unwrap_or_default();
    names.iter().filter_map(|name| ArtistKey::parse(name).ok()).collect()
}

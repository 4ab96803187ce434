//! An instance that dies when its write is committed and nobody has been told.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, ensure};
use groovebase_tests::{
    fault::Direction,
    history::{Mode, OperationId, State, Stopwatch, Write},
    program::PATIENCE,
};

use crate::{instance::Instance, over_http::OverHttp, run::BOUNDS, runs::turn, world::World};

const KEY: u16 = 0;

async fn found(instance: &OverHttp, mode: Mode) -> anyhow::Result<State> {
    Ok(instance.read(&[KEY], mode).await?.first().context("an answer")?.state)
}

const fn content_of(state: State) -> Option<OperationId> {
    match state {
        State::Profile { content, .. } => Some(content),
        State::Nothing => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_seen_though_its_instance_died_before_it_could_tell() -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(2).await?;
    let dying = Arc::new(OverHttp::start(&world.link(0)?.addresses, BOUNDS)?);
    let witness = OverHttp::start(&world.link(1)?.addresses, BOUNDS)?;
    let kept = || world.redis.run(&["GET", "groovebase:profile:artist 0"]);
    let began = Instant::now();

    // A save that was answered before the process died proves nothing: then once more.
    let mut content = 0;
    let committed = loop {
        content += 2;
        let (old, new) = (OperationId(content), OperationId(content + 1));
        dying.write(KEY, Write::Save(old)).await?;
        ensure!(content_of(found(&witness, Mode::Strict).await?) == Some(old));
        let kept_before = kept().await?;
        world.link(0)?.to_redis.hold(Direction::ToServer);
        let save = tokio::spawn({
            let dying = Arc::clone(&dying);
            async move { dying.write(KEY, Write::Save(new)).await }
        });
        while content_of(world.ledger.state(KEY, Stopwatch::start()).await?.1) != Some(new) {
            ensure!(began.elapsed() < PATIENCE, "it is never committed");
        }
        dying.kill();
        world.link(0)?.to_redis.cut().await?;
        let answered = save.await?.is_ok();
        if !answered && kept().await? == kept_before {
            break new;
        }
        ensure!(began.elapsed() < PATIENCE, "it always answers before it dies");
        world.link(0)?.to_redis.restore().await?;
        dying.restart()?;
    };

    let strict = found(&witness, Mode::Strict).await?;
    let usual = found(&witness, Mode::Default).await?;
    world.link(0)?.to_redis.restore().await?;
    dying.restart()?;
    let by_the_next_one = found(&dying, Mode::Default).await?;

    ensure!(content_of(strict) == Some(committed), "{strict}");
    ensure!(usual == strict && by_the_next_one == strict, "{usual}, {by_the_next_one}");
    Ok(())
}

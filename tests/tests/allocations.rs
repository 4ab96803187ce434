//! What the hottest paths allocate, held to the figures here. They are the same on every machine and however busy it is, so
//! a path that became longer is seen without measuring time.
//!
//! A path that allocates less fails as well: its new figure is to be written down, or the next one that allocates more
//! would go unseen.

use actix_web::{
    Error,
    dev::Service,
    test::{TestRequest, init_service},
    web,
};
use allocation_counter::{AllocationInfo, measure};
use anyhow::{Context, ensure};
use api::{
    app,
    state::{State, StateSettings},
};
use domain::{ArtistName, Expected};
use futures::FutureExt;
use groovebase_tests::{
    fixture::{self, Fixture, Sqlite},
    given::{DIFFICULT_NAMES, author, profile},
};

/// How far the bytes may be off: libraries allocate a little differently from one release to the next.
const TOLERANCE_PERCENT: u64 = 3;

/// How often each path is measured. The least counts, since now and then one pays for something that others use as well,
/// such as the growth of a table.
const TURNS: usize = 20;

/// What a path allocates: pieces of memory, and bytes in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figure {
    pieces: u64,
    bytes: u64,
}

/// A profile from memory, from the request's head to the answer: the body is shared, and not among it.
const HIT: Figure = Figure { pieces: 43, bytes: 6_810 };

/// The same when the client has it already.
const NOT_MODIFIED: Figure = Figure { pieces: 44, bytes: 6_938 };

/// Similar artists from memory, as they were found before.
const SIMILAR: Figure = Figure { pieces: 57, bytes: 8_197 };

/// The keys of names that are difficult.
const KEYS: Figure = Figure { pieces: 69, bytes: 1_296 };

#[actix_web::test]
async fn requests_answered_from_memory() -> anyhow::Result<()> {
    let fixture = Sqlite::open().await?;
    for (artist, description) in [("J Dilla", "late"), ("Questlove", "later")] {
        let new = profile(artist, description)?;
        fixture.store().style_profiles().save(&new, Expected::Any, &author()).await?;
    }
    let store = fixture::store_at(fixture.url()).await?;
    let state = web::Data::new(State::new(store, StateSettings::default()));
    let service = init_service(app(state.clone())).await;
    let profile = || TestRequest::get().uri("/api/v1/artists/J%20Dilla/profile");
    let similar = || TestRequest::get().uri("/api/v1/similar/J%20Dilla?limit=3");
    let anew = |request: TestRequest| request.insert_header(("cache-control", "no-cache"));
    let answer = service.call(anew(profile()).to_request()).await.map_err(failed)?;
    let etag = answer.headers().get("etag").context("an ETag")?.clone();

    for (what, figure, status, request) in [
        ("a hit", HIT, 200, &profile as &dyn Fn() -> TestRequest),
        ("a hit that the client has", NOT_MODIFIED, 304, &|| {
            profile().insert_header(("if-none-match", etag.clone()))
        }),
        ("similar artists that were found before", SIMILAR, 200, &similar),
    ] {
        let mut found = Vec::new();
        for _ in 0..TURNS {
            // Memory is known to be good for a moment after that.
            service.call(anew(request()).to_request()).await.map_err(failed)?;
            let request = request().to_request();
            let mut answer = None;
            // A hit waits for nothing, so it is there at once.
            found.push(measure(|| answer = service.call(request).now_or_never()));
            let answer = answer.context("it waited")?.map_err(failed)?;
            let tier = answer.headers().get("x-cache").context("a tier")?;
            ensure!(answer.status().as_u16() == status && tier == "memory", "{answer:?}");
        }
        hold(what, figure, &found)?;
    }
    state.close().await;
    fixture.close().await
}

#[test]
fn keys_of_names() -> anyhow::Result<()> {
    let fold = || DIFFICULT_NAMES.map(|name| ArtistName::try_from(name).map(drop));
    let found: Vec<_> = (0..TURNS).map(|_| measure(|| _ = fold())).collect();
    hold("names folded to keys", KEYS, &found)
}

#[expect(clippy::needless_pass_by_value, reason = "that is how errors are mapped")]
fn failed(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

fn hold(what: &str, figure: Figure, found: &[AllocationInfo]) -> anyhow::Result<()> {
    let least = |number: fn(&AllocationInfo) -> u64| found.iter().map(number).min();
    let pieces = least(|info| info.count_total).context("measured")?;
    let bytes = least(|info| info.bytes_total).context("measured")?;
    let is_near = bytes.abs_diff(figure.bytes) * 100 <= figure.bytes * TOLERANCE_PERCENT;
    ensure!(
        pieces == figure.pieces && is_near,
        "{what}: {:?} instead of {figure:?}; if that is meant, write it down here",
        Figure { pieces, bytes }
    );
    Ok(())
}

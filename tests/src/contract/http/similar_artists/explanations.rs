//! How the drum feel of who was found compares.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{SIMILAR, playing, similar};
use crate::{
    contract::http::{ensure_same, saved},
    http::Request,
    service::Service,
};

/// A search over two artists, of whom the second one differs in everything.
async fn two(service: &Service) -> anyhow::Result<()> {
    saved(service, "Target", playing(1, &[])?).await?;
    let other = playing(
        2,
        &[
            ("tempo_min", 84.5),
            ("tempo_max", 122.0),
            ("tempo_avg", 98.0),
            ("swing_percent", 58.75),
            ("ghost_note_prob", 0.52),
            ("syncopation_level", 0.65),
            ("velocity_mean", 88.1),
            ("velocity_std", 16.5),
        ],
    )?;
    saved(service, "Other", other).await?;
    Ok(())
}

fn expected() -> Value {
    json!({
        "tempo_bpm": 6.5,
        "slowest_tempo_bpm": 4.5,
        "fastest_tempo_bpm": 19.5,
        "swing_percent": -3.25,
        "ghost_notes_percent": 12.0,
        "syncopation_percent": -5.0,
        "velocity": 4.1,
        "dynamics": -1.5,
        "summary": "6.5 BPM faster, 3.3 % of a beat straighter, 12 points more ghost notes, 5 points less syncopated, \
                    4.1 louder, dynamics 1.5 narrower",
    })
}

/// Found minus asked for, on the scales that drummers use; and only when asked for.
pub async fn differences_are_in_units_of_drummers(service: &Service) -> anyhow::Result<()> {
    two(service).await?;

    for request in [
        Request::get(similar("Target", "?explain=true")),
        Request::post(SIMILAR, json!({"like": ["Target"], "explain": true})),
    ] {
        let found = service.ask(200, request).await?;
        ensure_same(&found.at("/similar_artists/0/explanation")?, &expected())?;
    }
    let batch = json!({"artists": ["Target", "Other"], "explain": true});
    let found = service.ask(200, Request::post(format!("{SIMILAR}/batch"), batch)).await?;
    ensure_same(&found.at("/results/0/similar_artists/0/explanation")?, &expected())?;
    let back = found.at("/results/1/similar_artists/0/explanation")?;
    ensure!(back["tempo_bpm"] == -6.5 && back["velocity"] == -4.1, "{back}");

    for query in ["", "?explain=false"] {
        let found = service.ask(200, Request::get(similar("Target", query))).await?.json()?;
        ensure!(found["similar_artists"][0].get("explanation").is_none(), "{found}");
    }
    // Whatever is saved next, the next explanation is of it.
    let alike = playing(2, &[])?;
    service.ask(200, Request::put("/api/v1/artists/Other/profile", alike)).await?;
    let found = service.ask(200, Request::get(similar("Target", "?explain=true"))).await?;
    ensure!(found.at("/similar_artists/0/explanation/summary")? == "much the same", "{found:?}");
    Ok(())
}

/// Several artists to be like are compared as one who plays like their mean.
pub async fn a_mean_is_compared_with(service: &Service) -> anyhow::Result<()> {
    two(service).await?;
    saved(service, "Between", playing(3, &[("tempo_avg", 94.75), ("swing_percent", 60.375)])?)
        .await?;
    saved(service, "Far", playing(4, &[("velocity_mean", 20.0)])?).await?;

    let search = json!({"like": ["Target", "Other"], "unlike": ["Far"], "explain": true});
    let found = service.ask(200, Request::post(SIMILAR, search)).await?;

    let explanation = found.at("/similar_artists/0/explanation")?;
    ensure!(found.at("/similar_artists/0/name")? == "Between", "{found:?}");
    ensure!(
        explanation["tempo_bpm"] == 0.0 && explanation["swing_percent"] == 0.0,
        "{explanation}"
    );
    ensure!(explanation["velocity"] == -2.05 && explanation["dynamics"] == 0.75, "{explanation}");
    Ok(())
}

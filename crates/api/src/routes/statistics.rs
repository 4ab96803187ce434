//! Statistics: what all generations took, in figures and over time.

mod figures;
mod groups;
mod series;
mod summary;
mod table;
mod which;

use actix_web::{HttpResponse, get, http::header::VARY, web};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{artists::known, period::Period};
use crate::{
    failures::{BadQuery, Broken, NoArtist, Unacceptable},
    negotiation::{CSV, Wished},
    parameters::Asked,
    problem::Problem,
    reading::{Answered, X_READ_FROM},
    state::State,
};

use self::{
    series::{SeriesParameters, SeriesView},
    summary::{StatisticsParameters, StatisticsView},
    which::Which,
};

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(show_statistics).service(show_series);
}

/// Shows in figures what all generations took, or those that are asked for. Every generation that was answered with 201
/// before is in it.
///
/// As a table it is one line; `provider_usage` is JSON in there.
#[utoipa::path(
    tag = "statistics",
    params(
        Period, Which,
        ("accept" = Option<String>, Header, description = "`text/csv` for a table; JSON otherwise", example = "application/json"),
    ),
    responses(
        (status = OK, description = "The figures", content(
            (StatisticsView = "application/json"),
            (String = "text/csv; charset=utf-8; header=present"),
        ), headers(
            ("vary" = String, description = "The form depends on `accept`"),
            ("x-read-from" = String, description = "With a database for reading: `read_database`, which may be behind what was recorded last, or `database`"),
        )),
        BadQuery, NoArtist, Unacceptable, Broken,
    ),
)]
#[get("/api/v1/stats")]
async fn show_statistics(
    state: web::Data<State>,
    query: Asked<StatisticsParameters>,
    wished: Wished,
) -> Result<HttpResponse, Problem> {
    let found = StatisticsView::find(&state, query.0).await?;
    answer(wished, &found, || table::of_statistics(&found.value))
}

/// Shows what generations took, hour by hour, or by days, weeks or months of a time zone.
///
/// Days have 23 or 25 hours where clocks are turned. A bucket in which nothing was generated is there all the same.
/// Without `from` and `to` it is the last 24 hours, 30 days, 12 weeks or 12 months, the current one included; with one of
/// them, as many from or to there.
/// As a table it has a line for each bucket, or for each group of each bucket.
#[utoipa::path(
    tag = "statistics",
    params(
        SeriesParameters, Period, Which,
        ("accept" = Option<String>, Header, description = "`text/csv` for a table; JSON otherwise", example = "application/json"),
    ),
    responses(
        (status = OK, description = "The figures of each bucket", content(
            (SeriesView = "application/json"),
            (String = "text/csv; charset=utf-8; header=present"),
        ), headers(
            ("vary" = String, description = "The form depends on `accept`"),
            ("x-read-from" = String, description = "With a database for reading: `read_database`, which may be behind what was recorded last, or `database`"),
        )),
        BadQuery, NoArtist, Unacceptable, Broken,
    ),
)]
#[get("/api/v1/stats/series")]
async fn show_series(
    state: web::Data<State>,
    query: Asked<SeriesParameters>,
    wished: Wished,
) -> Result<HttpResponse, Problem> {
    let found = SeriesView::find(&state, query.0).await?;
    answer(wished, &found, || table::of_series(&found.value))
}

/// The answer in the form that is wished.
fn answer(
    wished: Wished,
    found: &Answered<impl Serialize>,
    table: impl FnOnce() -> Result<Vec<u8>, Problem>,
) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "accept"));
    if let Some(from) = found.from {
        response.insert_header((X_READ_FROM, from.as_str()));
    }
    Ok(match wished {
        Wished::Json => response.json(&found.value),
        Wished::Csv => response.content_type(CSV).body(table()?),
    })
}

//! Statistics: what all generations took, in figures and over time.

mod figures;
mod groups;
mod series;
mod summary;
mod table;
mod which;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{ContentType, VARY},
    web::{self, Bytes},
};
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
    request: HttpRequest,
    state: web::Data<State>,
    query: Asked<StatisticsParameters>,
    wished: Wished,
) -> Result<HttpResponse, Problem> {
    let question = format!("{} {wished:?}", request.uri());
    let work_out = async || {
        let found = StatisticsView::find(&state, query.0).await?;
        body(wished, &found, table::of_statistics)
    };
    Ok(response(wished, state.reading.answer(&question, work_out).await?))
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
    request: HttpRequest,
    state: web::Data<State>,
    query: Asked<SeriesParameters>,
    wished: Wished,
) -> Result<HttpResponse, Problem> {
    // What was not given depends on the time.
    let range = query.0.range(state.now())?;
    let question =
        format!("{} {wished:?} {} {}", request.uri(), range.from_micros(), range.to_micros());
    let work_out = async || {
        let found = SeriesView::find(&state, query.0, range).await?;
        body(wished, &found, table::of_series)
    };
    Ok(response(wished, state.reading.answer(&question, work_out).await?))
}

/// What was found, in the form that is wished.
fn body<T: Serialize>(
    wished: Wished,
    found: &Answered<T>,
    table: impl FnOnce(&T) -> Result<Vec<u8>, Problem>,
) -> Result<Answered<Bytes>, Problem> {
    let body = match wished {
        Wished::Json => {
            serde_json::to_vec(&found.value).map_err(|error| Problem::internal(Arc::new(error)))?
        }
        Wished::Csv => table(&found.value)?,
    };
    Ok(Answered { value: body.into(), from: found.from })
}

fn response(wished: Wished, Answered { value, from }: Answered<Bytes>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "accept"));
    if let Some(from) = from {
        response.insert_header((X_READ_FROM, from.as_str()));
    }
    match wished {
        Wished::Json => response.content_type(ContentType::json()),
        Wished::Csv => response.content_type(CSV),
    };
    response.body(value)
}

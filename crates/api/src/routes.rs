//! Everything the service answers, one resource a file.

pub mod artists;
pub mod audit;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod generations;
pub mod keys;
pub mod operations;
mod period;
pub mod similar_artists;
pub mod sources;
pub mod statistics;
pub mod style_profiles;
mod table;
mod unrouted;

use utoipa_actix_web::service_config::ServiceConfig;

pub use table::ROUTE_TABLE;
pub(crate) use table::{Route, RouteTable, need_of};
pub(crate) use unrouted::{Routes, refuse};

/// Registers every route, for the router and for the OpenAPI document at once.
pub(crate) fn register(config: &mut ServiceConfig<'_>) {
    // The router tries one after the other: first what is asked for most.
    style_profiles::register(config);
    similar_artists::register(config);
    statistics::register(config);
    generations::register(config);
    artists::register(config);
    sources::register(config);
    keys::register(config);
    audit::register(config);
    operations::register(config);
}

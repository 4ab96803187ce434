//! Writing on PostgreSQL: one statement for everything, which is a transaction by itself.

use domain::{ArtistId, AuditRecord, Cost, GenerationDetails, Label, Text};
use sea_orm::{prelude::Uuid, sqlx};
use time::OffsetDateTime;

use super::Fresh;
use crate::{
    audit_log::bind_audited,
    entity::generation::{files_json, steps_json},
    error::Failure,
    insert::PostgresQuery,
    rollups::{Cell, Pending, stored_artist},
    store::Store,
};

/// Columns come as arrays, so that there is one statement for any number of rows.
///
/// That an identity is taken fails the statement, and nothing is written. Identities go in in one order, so that no two
/// transactions wait for each other in a circle.
const WRITE: &str = "
    WITH entry AS (
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
      $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
      $16::text[], $17::text[], $18::timestamptz[])
      AS columns (id, artist_id, provider_used, model, status, error, steps, generation_time_ms, tokens_used,
      input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost, user_params,
      output_files, created_at)
    ), identity AS (
     INSERT INTO generation_ids (id, created_at) SELECT id, created_at FROM entry ORDER BY id
    ), history AS (
     INSERT INTO generation_history (id, artist_id, provider_used, model, status, error, steps, generation_time_ms,
      tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost,
      user_params, output_files, created_at)
     SELECT id, artist_id, provider_used, model, status, error, steps::jsonb, generation_time_ms,
      tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost,
      user_params::jsonb, output_files::jsonb, created_at FROM entry
    ), pending AS (
     INSERT INTO generation_rollup_pending (starts_at, provider_used, model, status, generations, time_ms, times, priced,
      cost_dollars, cost_nanos, tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
      reasoning_tokens)
     SELECT * FROM unnest($19::timestamptz[], $20::text[], $21::text[], $22::text[], $23::bigint[], $24::bigint[],
      $25::bytea[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[],
      $32::bigint[], $33::bigint[], $34::bigint[])
    ), audited AS (
     INSERT INTO audit_log (id, at, actor, actor_key_id, actor_key, actor_key_name, request_id, action, artist_key,
      api_key, generation_id, entries, version_before, version_after)
     SELECT * FROM unnest($52::uuid[], $53::timestamptz[], $54::text[], $55::uuid[], $56::text[], $57::text[],
      $58::text[], $59::text[], $60::text[], $61::text[], $62::uuid[], $63::bigint[], $64::bigint[], $65::bigint[])
    )
    INSERT INTO generation_artist_pending (starts_at, provider_used, model, status, generations, time_ms, times, priced,
     cost_dollars, cost_nanos, tokens_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
     reasoning_tokens, artist_id)
    SELECT * FROM unnest($35::timestamptz[], $36::text[], $37::text[], $38::text[], $39::bigint[], $40::bigint[],
     $41::bytea[], $42::bigint[], $43::bigint[], $44::bigint[], $45::bigint[], $46::bigint[], $47::bigint[],
     $48::bigint[], $49::bigint[], $50::bigint[], $51::uuid[])";

/// Writes generations and what is pending of them; returns `false`, and writes nothing, if an identity is taken.
pub(super) async fn write(
    store: &Store,
    fresh: &[Fresh<'_>],
    pending: Pending,
    audited: &[AuditRecord],
) -> Result<bool, Failure> {
    let (cells, artists) = pending.into_cells();
    let (owners, artist_cells): (Vec<Option<ArtistId>>, Vec<Cell>) = artists.into_iter().unzip();
    let query = bind_generations(sqlx::query(WRITE), fresh);
    let query = bind_cells(query, &cells)?;
    let query = bind_cells(query, &artist_cells)?;
    let owners: Vec<Uuid> = owners.into_iter().map(stored_artist).collect();
    let query = bind_audited(query.bind(owners), audited)?;
    let pool = store.database().get_postgres_connection_pool();
    let _writer = store.writer().await?;
    let written = store.watch(WRITE, query.execute(pool)).await.map_err(Failure::from);
    // Only that it went well: recordings have a commit of their own to wait behind, and see an outage soon enough.
    if written.is_ok() {
        store.note_connection(Ok(()));
    }
    match written {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_taken() => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn bind_generations<'q>(query: PostgresQuery<'q>, fresh: &[Fresh<'q>]) -> PostgresQuery<'q> {
    let details = || fresh.iter().map(|it| &it.new.details);
    let tokens = |count: fn(&GenerationDetails) -> Option<u32>| -> Vec<Option<i64>> {
        details().map(|it| count(it).map(i64::from)).collect()
    };
    let ids: Vec<Uuid> = fresh.iter().map(|it| it.new.id.as_uuid()).collect();
    let artists: Vec<Option<Uuid>> =
        fresh.iter().map(|it| it.artist_id().map(ArtistId::as_uuid)).collect();
    let providers: Vec<&str> = details().map(|it| it.provider.as_str()).collect();
    let models: Vec<Option<&str>> =
        details().map(|it| it.model.as_ref().map(Label::as_str)).collect();
    let statuses: Vec<&str> = details().map(|it| it.status.as_str()).collect();
    let errors: Vec<Option<&str>> =
        details().map(|it| it.error.as_ref().map(Text::as_str)).collect();
    let steps: Vec<String> = details().map(|it| steps_json(&it.steps).to_string()).collect();
    let times: Vec<i64> = details().map(|it| it.generation_time_ms.into()).collect();
    let costs: Vec<Option<i64>> = details().map(|it| it.cost.map(Cost::nanos)).collect();
    let params: Vec<String> = details().map(|it| it.user_params.to_string()).collect();
    let files: Vec<String> = details().map(|it| files_json(&it.output_files).to_string()).collect();
    let created: Vec<OffsetDateTime> = fresh.iter().map(|it| it.created_at.into()).collect();
    query
        .bind(ids)
        .bind(artists)
        .bind(providers)
        .bind(models)
        .bind(statuses)
        .bind(errors)
        .bind(steps)
        .bind(times)
        .bind(tokens(|it| it.tokens.used))
        .bind(tokens(|it| it.tokens.input))
        .bind(tokens(|it| it.tokens.output))
        .bind(tokens(|it| it.tokens.cache_read))
        .bind(tokens(|it| it.tokens.cache_write))
        .bind(tokens(|it| it.tokens.reasoning))
        .bind(costs)
        .bind(params)
        .bind(files)
        .bind(created)
}

fn bind_cells<'q>(query: PostgresQuery<'q>, cells: &[Cell]) -> Result<PostgresQuery<'q>, Failure> {
    let whole = |number: fn(&Cell) -> u64| -> Result<Vec<i64>, Failure> {
        cells.iter().map(|it| i64::try_from(number(it)).map_err(Failure::corrupt)).collect()
    };
    let (mut starts, mut dollars, mut nanos) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        let start = OffsetDateTime::from_unix_timestamp_nanos(i128::from(cell.starts_at) * 1_000);
        starts.push(start.map_err(Failure::corrupt)?);
        let (whole, rest) = cell.cost()?;
        dollars.push(whole);
        nanos.push(rest);
    }
    let text = |text: fn(&Cell) -> &str| -> Vec<String> {
        cells.iter().map(|it| text(it).to_owned()).collect()
    };
    let times: Vec<Option<Vec<u8>>> = cells.iter().map(Cell::stored_times).collect();
    Ok(query
        .bind(starts)
        .bind(text(|it| it.kind.provider.as_str()))
        .bind(text(|it| it.kind.model.as_ref().map_or("", Label::as_str)))
        .bind(text(|it| it.kind.status.as_str()))
        .bind(whole(|it| it.sums.generations)?)
        .bind(whole(|it| it.sums.time_ms)?)
        .bind(times)
        .bind(whole(|it| it.sums.priced)?)
        .bind(dollars)
        .bind(nanos)
        .bind(whole(|it| it.sums.tokens.used)?)
        .bind(whole(|it| it.sums.tokens.input)?)
        .bind(whole(|it| it.sums.tokens.output)?)
        .bind(whole(|it| it.sums.tokens.cache_read)?)
        .bind(whole(|it| it.sums.tokens.cache_write)?)
        .bind(whole(|it| it.sums.tokens.reasoning)?))
}

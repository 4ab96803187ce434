//! Sums as they stand in a row.

use domain::{
    ArtistId, GenerationKind, GenerationStatus, Label, Money, Provider, Sums, Times, TokenSums,
};
use sea_orm::{QueryResult, Value, prelude::Uuid};

use crate::{
    entity::{StoredTime, get},
    error::Failure,
    store::Backend,
};

/// Costs are summed as whole dollars and the rest, so that no sum leaves 64 bits.
pub(super) const NANOS_PER_DOLLAR: i128 = 1_000_000_000;

/// The columns of a cell: when, what kind, and the sums.
pub(crate) const CELL: &str = "starts_at, provider_used, model, status, generations, time_ms, times, priced, \
     cost_dollars, cost_nanos, tokens_used, input_tokens, output_tokens, cache_read_tokens, \
     cache_write_tokens, reasoning_tokens";

/// Sums over generations of one kind, made in one time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// In microseconds after 1970.
    pub(crate) starts_at: i64,
    pub(crate) kind: GenerationKind,
    pub(crate) sums: Sums,
}

impl Cell {
    /// The values of the columns [`CELL`].
    pub(crate) fn values(&self, backend: Backend) -> Result<[Value; 16], Failure> {
        let Self { starts_at, kind, sums } = self;
        let Sums {
            generations,
            failed: _,
            cancelled: _,
            time_ms,
            times: _,
            priced,
            cost: _,
            tokens,
        } = sums;
        let TokenSums { used, input, output, cache_read, cache_write, reasoning } = *tokens;
        let whole = |number: u64| i64::try_from(number).map(Value::from).map_err(Failure::corrupt);
        let [starts_at, provider, model, status] = key_values(backend, *starts_at, kind)?;
        let (dollars, nanos) = self.cost()?;
        Ok([
            starts_at,
            provider,
            model,
            status,
            whole(*generations)?,
            whole(*time_ms)?,
            self.stored_times().into(),
            whole(*priced)?,
            dollars.into(),
            nanos.into(),
            whole(used)?,
            whole(input)?,
            whole(output)?,
            whole(cache_read)?,
            whole(cache_write)?,
            whole(reasoning)?,
        ])
    }

    /// The whole dollars of the cost, and the rest in nano-dollars.
    pub(crate) fn cost(&self) -> Result<(i64, i64), Failure> {
        let nanos = self.sums.cost.nanos();
        let dollars = i64::try_from(nanos / NANOS_PER_DOLLAR).map_err(Failure::corrupt)?;
        let rest = i64::try_from(nanos % NANOS_PER_DOLLAR).map_err(Failure::corrupt)?;
        Ok((dollars, rest))
    }

    /// The column `times`. One time needs no distribution: it is the sum.
    pub(crate) fn stored_times(&self) -> Option<Vec<u8>> {
        (self.sums.generations != 1).then(|| self.sums.times.encode())
    }

    /// Reads the columns [`CELL`], of which the first is at `first`.
    pub(crate) fn read(row: &QueryResult, first: usize) -> Result<Self, Failure> {
        let text = |column: usize| get::<String>(row, first + column);
        let whole = |column: usize| {
            u64::try_from(get::<i64>(row, first + column)?).map_err(Failure::corrupt)
        };
        let starts_at = get::<StoredTime>(row, first)?.unix_micros();
        let kind = read_kind(&text(1)?, &text(2)?, &text(3)?)?;
        let (generations, time_ms) = (whole(4)?, whole(5)?);
        let times = match get::<Option<Vec<u8>>>(row, first + 6)? {
            Some(bytes) => Times::decode(&bytes).map_err(Failure::corrupt)?,
            None => Times::of(u32::try_from(time_ms).map_err(Failure::corrupt)?),
        };
        let cost = i128::from(get::<i64>(row, first + 8)?) * NANOS_PER_DOLLAR
            + i128::from(get::<i64>(row, first + 9)?);
        let tokens = TokenSums {
            used: whole(10)?,
            input: whole(11)?,
            output: whole(12)?,
            cache_read: whole(13)?,
            cache_write: whole(14)?,
            reasoning: whole(15)?,
        };
        let priced = whole(7)?;
        let cost = Money::from_nanos(cost);
        let sums =
            Sums { time_ms, times, priced, cost, tokens, ..Sums::ended(kind.status, generations) };
        Ok(Self { starts_at, kind, sums })
    }

    /// Reads a row that begins with whose sums they are, before the columns [`CELL`].
    pub(crate) fn read_with_artist(row: &QueryResult) -> Result<(Option<ArtistId>, Self), Failure> {
        Ok((read_artist(get::<Uuid>(row, 0)?), Self::read(row, 1)?))
    }
}

/// The values of the first columns of [`CELL`], which tell cells of one width apart.
pub(crate) fn key_values(
    backend: Backend,
    starts_at: i64,
    kind: &GenerationKind,
) -> Result<[Value; 4], Failure> {
    let GenerationKind { provider, model, status } = kind;
    Ok([
        StoredTime::at_micros(backend, starts_at)?.into(),
        provider.as_str().into(),
        model.as_ref().map_or("", Label::as_str).into(),
        status.as_str().into(),
    ])
}

/// The kind that columns name; an empty model is none.
pub(crate) fn read_kind(
    provider: &str,
    model: &str,
    status: &str,
) -> Result<GenerationKind, Failure> {
    let model = if model.is_empty() { None } else { Some(Label::try_from(model)) };
    Ok(GenerationKind {
        provider: Provider::try_from(provider).map_err(Failure::corrupt)?,
        model: model.transpose().map_err(Failure::corrupt)?,
        status: GenerationStatus::try_from(status).map_err(Failure::corrupt)?,
    })
}

/// Whose sums are in a row: nobody's have an identity of zeros, because a key has no null.
pub(crate) fn stored_artist(artist: Option<ArtistId>) -> Uuid {
    artist.map_or(Uuid::nil(), ArtistId::as_uuid)
}

/// The reverse of [`stored_artist`].
fn read_artist(stored: Uuid) -> Option<ArtistId> {
    (!stored.is_nil()).then(|| ArtistId::from_uuid(stored))
}

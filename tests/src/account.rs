//! What a store's generations took together, by its rollups.

use std::collections::BTreeMap;

use domain::{GenerationKind, QuarterSpan, RollupReading, Sums, TimeRange};
use storage::Store;

/// Sums over everything that is recorded, folded or not.
pub async fn sums_by_kind(store: &Store) -> anyhow::Result<BTreeMap<GenerationKind, Sums>> {
    let (all, _) = QuarterSpan::within(TimeRange::ALL);
    let reading = RollupReading { spans: all.into_iter().collect(), ..RollupReading::default() };
    let snapshot = store.generation_rollups().read(&reading).await?;
    let mut sums: BTreeMap<GenerationKind, Sums> = BTreeMap::new();
    let pending = snapshot.pending.into_iter().map(|it| (it.kind, it.sums));
    for (kind, some) in snapshot.spans.into_iter().flatten().chain(pending) {
        sums.entry(kind).or_default().add(&some);
    }
    Ok(sums)
}

/// The sums over all kinds.
pub async fn totals(store: &Store) -> anyhow::Result<Sums> {
    let mut totals = Sums::default();
    for sums in sums_by_kind(store).await?.values() {
        totals.add(sums);
    }
    Ok(totals)
}

//! Ledgers that are right, and ledgers that are wrong in one way each.

use anyhow::Context;
use domain::{Clock, Cost, GenerationId, SystemClock};
use fastrand::Rng;
use groovebase_tests::given;

use super::*;

/// Requests that were acknowledged, and what is stored of them.
fn acknowledged() -> anyhow::Result<(Ledger, Vec<Generation>)> {
    let mut random = Rng::with_seed(1);
    let artists = [given::name("J Dilla")?];
    let mut ledger = Ledger::default();
    let mut stored = Vec::new();
    for number in 0..50 {
        let post = Post::random(number, &artists, &mut random)?;
        let now = SystemClock.now();
        let mut known = Vec::new();
        for entry in &post.entries {
            let id = entry.id.unwrap_or_else(GenerationId::generate);
            let created_at = entry.created_at.unwrap_or(now);
            known.push(Known { id, created_at });
            let (artist, details) = (entry.artist.clone(), entry.details.clone());
            stored.push(Generation { id, artist, created_at, details });
        }
        let fate = Fate::Acknowledged(known);
        ledger.told.push(Told { post, fate, period: (now, now) });
    }
    Ok((ledger, stored))
}

/// The only rules that are broken after this change.
fn broken_by(
    change: impl FnOnce(&mut Ledger, &mut Vec<Generation>) -> anyhow::Result<()>,
) -> anyhow::Result<BTreeSet<Rule>> {
    let (mut ledger, mut stored) = acknowledged()?;
    change(&mut ledger, &mut stored)?;
    Ok(ledger.check(&stored).into_iter().map(|violation| violation.rule).collect())
}

/// Where the first array begins, as a request and among what is stored.
fn array(ledger: &Ledger) -> anyhow::Result<(usize, usize)> {
    let index = ledger.told.iter().position(|told| told.post.is_array).context("an array")?;
    Ok((index, ledger.told[..index].iter().map(|told| told.post.entries.len()).sum()))
}

#[test]
fn what_is_right_breaks_nothing() -> anyhow::Result<()> {
    assert_eq!(broken_by(|_, _| Ok(()))?, [].into());
    let everybody_gave_up = broken_by(|ledger, stored| {
        ledger.told.iter_mut().for_each(|told| told.fate = Fate::Unknown);
        stored.drain(..ledger.told[0].post.entries.len());
        Ok(())
    })?;
    assert_eq!(everybody_gave_up, [].into());
    Ok(())
}

#[test]
fn an_acknowledged_entry_that_is_not_there_is_found() -> anyhow::Result<()> {
    let lost = broken_by(|ledger, stored| {
        let (index, begin) = array(ledger)?;
        stored.drain(begin..begin + ledger.told[index].post.entries.len());
        Ok(())
    })?;

    assert_eq!(lost, [Rule::NothingIsLost].into());
    Ok(())
}

#[test]
fn an_entry_that_is_there_twice_is_found() -> anyhow::Result<()> {
    let twice = |fate: Option<Fate>| {
        broken_by(|ledger, stored| {
            let mut twin = stored[0].clone();
            twin.id = GenerationId::generate();
            stored.push(twin);
            if let Some(fate) = fate {
                ledger.told[0].fate = fate;
            }
            Ok(())
        })
    };

    assert_eq!(twice(None)?, [Rule::NothingCountsTwice].into());
    assert_eq!(twice(Some(Fate::Unknown))?, [Rule::NothingCountsTwice].into());
    Ok(())
}

#[test]
fn half_an_array_is_found() -> anyhow::Result<()> {
    let half = |fate: Option<Fate>| {
        broken_by(|ledger, stored| {
            let (index, begin) = array(ledger)?;
            stored.remove(begin);
            if let Some(fate) = fate {
                ledger.told[index].fate = fate;
            }
            Ok(())
        })
    };

    assert_eq!(half(Some(Fate::Unknown))?, [Rule::ArraysAreWhole].into());
    assert_eq!(half(None)?, [Rule::NothingIsLost, Rule::ArraysAreWhole].into());
    Ok(())
}

#[test]
fn what_was_refused_or_never_sent_is_found() -> anyhow::Result<()> {
    let refused = broken_by(|ledger, _| {
        ledger.told[0].fate = Fate::Refused;
        Ok(())
    })?;
    let unsent = broken_by(|ledger, _| {
        ledger.told.pop();
        Ok(())
    })?;

    assert_eq!(refused, [Rule::NothingIsMadeUp].into());
    assert_eq!(unsent, [Rule::NothingIsMadeUp].into());
    Ok(())
}

#[test]
fn an_entry_with_something_else_in_it_is_found() -> anyhow::Result<()> {
    type Change = fn(&mut Generation) -> anyhow::Result<()>;
    let changes: [Change; 5] = [
        |it| {
            it.details.cost = Some(Cost::from_nanos(it.details.cost.map_or(0, Cost::nanos) ^ 1)?);
            Ok(())
        },
        |it| {
            it.details.tokens.used = Some(it.details.tokens.used.unwrap_or(0) + 1);
            Ok(())
        },
        |it| {
            it.id = GenerationId::generate();
            Ok(())
        },
        |it| {
            it.created_at = Timestamp::from_unix_micros(it.created_at.unix_micros() + 1)?;
            Ok(())
        },
        |it| {
            it.artist = Some(given::name("somebody else")?);
            Ok(())
        },
    ];
    for change in changes {
        let altered = broken_by(|_, stored| change(&mut stored[3]))?;
        assert_eq!(altered, [Rule::NothingIsAltered].into());
    }
    Ok(())
}

#[test]
fn an_artist_who_was_removed_is_nobody_and_nobody_else_is() -> anyhow::Result<()> {
    let nameless = |removed: bool| {
        broken_by(|ledger, stored| {
            for it in stored.iter_mut() {
                it.artist = None;
            }
            if removed {
                ledger.removed.insert(given::key("J Dilla")?);
            }
            Ok(())
        })
    };
    let not_forgotten = broken_by(|ledger, _| {
        ledger.removed.insert(given::key("J Dilla")?);
        Ok(())
    })?;

    assert_eq!(nameless(true)?, [].into());
    assert_eq!(nameless(false)?, [Rule::NothingIsAltered].into());
    assert_eq!(not_forgotten, [Rule::NothingIsAltered].into());
    Ok(())
}

#[test]
fn a_time_outside_of_the_request_is_found() -> anyhow::Result<()> {
    let late = broken_by(|ledger, stored| {
        let index = ledger
            .told
            .iter()
            .position(|told| told.post.entries.iter().any(|it| it.created_at.is_none()))
            .context("one without a time")?;
        let told = &mut ledger.told[index];
        let before = Timestamp::from_unix_micros(told.period.0.unix_micros() - 1)?;
        told.period = (before, before);
        assert!(!stored.is_empty());
        Ok(())
    })?;

    assert_eq!(late, [Rule::NothingIsAltered].into());
    Ok(())
}

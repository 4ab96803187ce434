//! What generations took together, figure by figure.

use std::collections::BTreeMap;

use anyhow::Context;
use domain::{GenerationDetails, Tokens};
use groovebase_tests::http::Answer;
use serde_json::Value;

const COST: &str = "total_cost_usd in nanos";

/// What `GET /api/v1/stats` says of some generations. No figure gets less when generations are added; one that is not in
/// it is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<String, i128>);

impl Tally {
    /// The sums over some generations, one by one.
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a GenerationDetails>) -> Self {
        let mut tally = Self::default();
        for details in all {
            tally.add(details);
        }
        tally
    }

    /// Adds a generation.
    fn add(&mut self, details: &GenerationDetails) {
        self.count("total_generations", 1);
        self.count(details.status.as_str(), 1);
        self.count(&format!("provider_usage/{}", details.provider), 1);
        match details.cost {
            Some(cost) => {
                self.count("priced_generations", 1);
                self.count(COST, cost.nanos().into());
            }
            None => self.count("unpriced_generations", 1),
        }
        let Tokens { used, input, output, cache_read, cache_write, reasoning } = details.tokens;
        for (name, tokens) in [
            ("used", used),
            ("input", input),
            ("output", output),
            ("cache_read", cache_read),
            ("cache_write", cache_write),
            ("reasoning", reasoning),
        ] {
            self.count(&format!("tokens/{name}"), tokens.unwrap_or(0).into());
        }
    }

    /// Adds another one's figures.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (name, figure) in &other.0 {
            self.count(name, *figure);
        }
    }

    /// What was answered.
    pub(crate) fn told(answer: &Answer) -> anyhow::Result<Self> {
        let body = answer.json()?;
        let mut tally = Self::default();
        let mut read = |name: String, value: Option<&Value>| {
            let figure = value.and_then(Value::as_u64).with_context(|| format!("no {name}"))?;
            tally.count(&name, figure.into());
            anyhow::Ok(())
        };
        for name in [
            "total_generations",
            "completed",
            "failed",
            "cancelled",
            "priced_generations",
            "unpriced_generations",
        ] {
            read(name.to_owned(), body.get(name))?;
        }
        for group in ["tokens", "provider_usage"] {
            let members = body.get(group).and_then(Value::as_object);
            for (name, value) in members.with_context(|| format!("no {group}"))? {
                read(format!("{group}/{name}"), Some(value))?;
            }
        }
        tally.count(COST, nanos(answer.spelled("total_cost_usd")?)?);
        Ok(tally)
    }

    /// The figures that are larger than another one's.
    pub(crate) fn excess_over(&self, other: &Self) -> Vec<String> {
        let larger = |(name, figure): (&String, &i128)| {
            let other = other.figure(name);
            (other < *figure).then(|| format!("{name} is {figure} instead of {other}"))
        };
        self.0.iter().filter_map(larger).collect()
    }

    /// The figures that are not another one's.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = self.excess_over(other);
        differences.extend(other.excess_over(self).into_iter().map(|it| format!("reversed: {it}")));
        differences
    }

    fn figure(&self, name: &str) -> i128 {
        self.0.get(name).copied().unwrap_or(0)
    }

    fn count(&mut self, name: &str, more: i128) {
        if more != 0 {
            *self.0.entry(name.to_owned()).or_default() += more;
        }
    }
}

/// Dollars as they are spelled, exactly.
fn nanos(dollars: &str) -> anyhow::Result<i128> {
    let (whole, fraction) = dollars.split_once('.').unwrap_or((dollars, ""));
    format!("{whole}{fraction:0<9}").parse().with_context(|| format!("{dollars:?}"))
}

#[test]
fn money_is_read_to_the_last_digit() -> anyhow::Result<()> {
    assert_eq!(nanos("0")?, 0);
    assert_eq!(nanos("0.000000001")?, 1);
    assert_eq!(nanos("123456789012.5")?, 123_456_789_012_500_000_000);
    assert!(nanos("1e3").is_err());
    Ok(())
}

#[test]
fn every_figure_is_compared() {
    let some = Tally([("a".to_owned(), 2), ("b".to_owned(), 3)].into());
    let other = Tally([("a".to_owned(), 3), ("c".to_owned(), 1)].into());

    assert_eq!(some.excess_over(&other), ["b is 3 instead of 0"]);
    assert_eq!(some.differences(&other).len(), 3);
    assert!(some.differences(&some.clone()).is_empty());
}

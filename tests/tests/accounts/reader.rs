//! Somebody who asks for statistics all the time.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use groovebase_tests::http::{Answer, Request};
use tokio::time::sleep;

use crate::{
    books::Books,
    instance::Instance,
    tally::Tally,
    violation::{Rule, Violation},
};

/// Somebody who asks for statistics all the time, now this instance and now that one.
pub(crate) struct Reader {
    pub(crate) books: Arc<Books>,
    pub(crate) instances: Vec<Arc<Instance>>,
    pub(crate) random: Rng,
}

impl Reader {
    /// Asks until it is enough.
    pub(crate) async fn read(mut self) -> anyhow::Result<()> {
        let mut told_before = Tally::default();
        while !self.books.is_enough() {
            let instance = self.random.choice(&self.instances).context("an instance")?;
            let acknowledged = self.books.acknowledged();
            let answer = instance.ask(&Request::get("/api/v1/stats")).await;
            let sent = self.books.sent();
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let told = Tally::told(&answer)?;
                    self.books.counts.readings.up();
                    self.books.broken(between(&[&acknowledged, &told_before], &told, &sent));
                    told_before = told;
                }
                Ok(Answer { status: 500.., .. }) | Err(_) => {}
                Ok(answer) => {
                    let how = format!("statistics are answered with {answer:?}");
                    self.books.broken([Rule::ServiceBehaves.broken(how)]);
                }
            }
            // Leaves some time to the writers.
            sleep(Duration::from_millis(self.random.u64(0..20))).await;
        }
        Ok(())
    }
}

/// What is wrong with sums that must have all of some others, and no more than all that was sent.
fn between(at_least: &[&Tally], told: &Tally, at_most: &Tally) -> Vec<Violation> {
    let mut violations = Vec::new();
    for least in at_least {
        let missing = least.excess_over(told);
        if !missing.is_empty() {
            violations.push(Rule::SumsKeepUp.broken(format!("known, not told: {missing:?}")));
        }
    }
    let unearned = told.excess_over(at_most);
    if !unearned.is_empty() {
        violations.push(Rule::SumsAreEarned.broken(format!("told, not sent: {unearned:?}")));
    }
    violations
}

#[test]
fn sums_that_lag_or_run_ahead_are_found() -> anyhow::Result<()> {
    let details = groovebase_tests::given::generation("udio")?.details;
    let [none, one, two, three] = [0, 1, 2, 3].map(|count| Tally::of(vec![&details; count]));
    let rules = |violations: Vec<Violation>| {
        violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
    };

    assert_eq!(rules(between(&[&one, &none], &one, &one)), []);
    assert_eq!(rules(between(&[&one, &none], &two, &three)), []);
    assert_eq!(rules(between(&[&two, &one], &one, &three)), [Rule::SumsKeepUp]);
    assert_eq!(rules(between(&[&one, &two], &one, &three)), [Rule::SumsKeepUp]);
    assert_eq!(rules(between(&[&one, &none], &three, &two)), [Rule::SumsAreEarned]);
    Ok(())
}

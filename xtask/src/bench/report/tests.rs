//! What the report says.

use std::num::NonZeroUsize;

use super::*;
use crate::bench::{
    figures::Figures,
    row::{Bound, Unit},
};

fn report(measured: f64) -> Report {
    Report {
        at: "2026-11-22 04:00".to_owned(),
        revision: "abc".to_owned(),
        is_quick: false,
        machine: Machine {
            processor: "Some Processor".to_owned(),
            cores: NonZeroUsize::MIN,
            memory_megabytes: 1_000,
            system: "linux 6.1".to_owned(),
        },
        remarks: vec!["10 artists".to_owned()],
        rows: vec![Row {
            name: "profile-hit",
            what: "profile".to_owned(),
            subject: Figures { p50_ms: Some(0.5), ..Figures::of_rate(900.0) },
            against: "constant body".to_owned(),
            limit: Figures::of_rate(1_000.0),
            promises: vec![
                Promise::new("rate", Some(measured), Bound::AtLeast(0.8), Unit::OfLimit),
                Promise::new("p99", None, Bound::AtMost(2.0), Unit::OfLimit),
            ],
        }],
        failures: Vec::new(),
    }
}

#[test]
fn a_row_says_everything_once() {
    let markdown = report(0.9).markdown();

    let row = "| profile | 0.50 ms | – | – | 900/s | constant body | 1000/s | 0.90 ×; NaN × | rate ≥ 0.80 ×; p99 ≤ 2.00 × \
               | yes; NO |";
    assert!(markdown.contains(row), "{markdown}");
    assert!(
        markdown
            .contains("- Some Processor, 1 cores, 1000 MB of memory, linux 6.1\n- 10 artists\n")
    );
    assert!(!markdown.contains("quick run"));
}

#[test]
fn columns_of_a_terminal_stand_below_each_other() {
    let lines = report(0.9).lines();

    let [header, row] = lines.as_slice() else { panic!("{lines:?}") };
    let column = |line: &str, text: &str| line.find(text).map(|at| line[..at].chars().count());
    assert_eq!(column(header, "rate"), column(row, "900/s"));
    assert_eq!(column(header, "met"), column(row, "yes"));
}

#[test]
fn a_failure_is_told_as_such_and_fails_the_run() {
    let mut report = report(0.9);
    report.rows.clear();
    assert!(report.is_met());

    report.failures.push(Failure {
        name: "profile-hit",
        is_of_the_service: true,
        reason: "3 × 503".to_owned(),
    });

    assert!(!report.is_met());
    assert!(report.markdown().contains("\nFAILED: `profile-hit`: 3 × 503\n"));
    report.failures[0].is_of_the_service = false;
    assert!(report.markdown().contains("\nNot measured: `profile-hit`: 3 × 503\n"));
}

#[test]
fn a_broken_promise_fails_the_run() {
    let mut report = report(0.9);
    report.rows[0].promises.truncate(1);
    assert!(report.is_met());

    report.rows[0].promises[0].measured = 0.7;

    assert!(!report.is_met());
}

#[test]
fn a_quick_run_says_so() {
    let quick = Report { is_quick: true, ..report(0.9) };

    assert!(quick.markdown().contains("quick run"));
}

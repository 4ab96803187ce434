//! What is measured, one after the other.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::anyhow;
use xtask::load::{
    Answers, ClosedLoop, Latencies, Mix, Noted, OpenLoop, Report, closed_loop, open_loop,
};

use crate::{
    measured::{median, say, verdict},
    operated::Operated,
};

/// How many ask in a closed loop to find out how much can be done.
const CLOSED: usize = 32;
/// How many connections the others have.
const CONNECTIONS: usize = 512;

const WARMING: Duration = Duration::from_secs(3);
const MEASURING: Duration = Duration::from_secs(10);
/// So many times so long nobody is in a hurry: a host that takes the processors away for a moment disturbs few of them.
const QUIET_TIMES: usize = 5;
const QUIET: Duration = Duration::from_secs(5);

/// How much of what can be done is asked when there is no hurry, and how much under overload.
const UNLOADED: f64 = 0.1;
const OVERLOAD: f64 = 4.0;

/// How much longer answers may take under overload than without it, and after it than before.
const SLOWER: f64 = 3.0;
const SLOWER_AFTER: f64 = 1.5;
/// How much more memory may be taken than before.
const LARGER: f64 = 1.25;

/// Measures, and says how writes ended.
pub(crate) fn measure(
    service: &Operated,
    mix: &mut Mix,
    overload: Duration,
) -> anyhow::Result<Vec<Noted>> {
    let address = service.address();
    let closed =
        |time, mix: &mut Mix| closed_loop(ClosedLoop { address, connections: CLOSED, time }, mix);
    let mut writes = closed(WARMING, mix)?.noted;
    let report = closed(MEASURING, mix)?;
    let capacity = report.all().accepted.count() as f64 / MEASURING.as_secs_f64();
    say(&format!("capacity: {capacity:.0} accepted a second from {CLOSED} connections"));
    tell("at capacity", &report);
    writes.extend(report.noted);

    let at = |share: f64, time, mix: &mut Mix| {
        let per_second = share * capacity;
        open_loop(OpenLoop { address, connections: CONNECTIONS, per_second, time }, mix)
    };
    let quiet = |when: &str, mix: &mut Mix| {
        let mut reports = Vec::new();
        for _ in 0..QUIET_TIMES {
            let report = at(UNLOADED, QUIET, mix)?;
            tell_all(when, &report);
            reports.push(report);
        }
        anyhow::Ok(reports)
    };
    let before = quiet("unloaded", mix)?;
    // With as many connections as under overload, each of which takes buffers.
    let resident_before = service.resident()?;

    let computed = service.computed()?;
    let (report, most) = watched(service, || at(OVERLOAD, overload, mix))?;
    let computed = service.computed()?.saturating_sub(computed);
    tell("overload", &report);
    let all = report.all();
    say(&format!(
        "overload: {:.0} accepted and {:.0} sent away a second of {:.0}; the service computed {:.2} of the time",
        all.accepted.count() as f64 / overload.as_secs_f64(),
        all.shed.count() as f64 / overload.as_secs_f64(),
        OVERLOAD * capacity,
        computed.as_secs_f64() / report.took.as_secs_f64(),
    ));

    let after = quiet("after", mix)?;
    let resident_after = service.resident()?;
    say(&format!(
        "resident: {:.1} MB before, {:.1} MB at most under overload, {:.1} MB after",
        megabytes(resident_before),
        megabytes(most),
        megabytes(resident_after)
    ));

    let p99 = |report: &Report| millis(&report.all().accepted, 0.99);
    let median_p99 = |reports: &[Report]| median(reports.iter().map(p99).collect());
    let (p99_before, p99_after) = (median_p99(&before), median_p99(&after));
    say(&format!("median p99: {p99_before:.2} ms unloaded, {p99_after:.2} ms after"));
    verdict("p99 of accepted under overload to unloaded", p99(&report) / p99_before, SLOWER, "×");
    verdict("p99 after to before", p99_after / p99_before, SLOWER_AFTER, "×");
    verdict("memory under overload", most as f64 / resident_before as f64, LARGER, "×");
    let reports: Vec<_> = before.into_iter().chain([report]).chain(after).collect();
    let faults: u64 = reports.iter().map(faults).sum();
    verdict("answers of 5xx but 503, and requests without an answer", faults as f64, 0.0, "");
    for report in reports {
        writes.extend(report.noted);
    }
    Ok(writes)
}

/// Does something, and tells how much memory the service took at most meanwhile.
fn watched<T: Send>(
    service: &Operated,
    doing: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, u64)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = service.resident()?;
            while !is_over.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_secs(1));
                most = most.max(service.resident()?);
            }
            anyhow::Ok(most)
        });
        let done = doing();
        is_over.store(true, Ordering::Relaxed);
        watching.thread().unpark();
        let most = watching.join().map_err(|_| anyhow!("whoever watched panicked"))?;
        Ok((done?, most?))
    })
}

fn faults(report: &Report) -> u64 {
    let failed: u64 = report
        .statuses
        .range(500..)
        .filter(|(status, _)| **status != 503)
        .map(|(_, number)| number)
        .sum();
    failed + report.all().failed.count()
}

fn tell(when: &str, report: &Report) {
    tell_all(when, report);
    for (name, answers) in &report.kinds {
        say(&format!(
            "    {name}: accepted {}, sent away {}",
            latencies(&answers.accepted),
            answers.shed.count()
        ));
    }
}

fn tell_all(when: &str, report: &Report) {
    let all = report.all();
    let Answers { accepted, shed, other, failed } = &all;
    say(&format!("{when}: accepted {}", latencies(accepted)));
    if shed.count() != 0 {
        say(&format!("{when}: sent away {}", latencies(shed)));
    }
    if other.count() + failed.count() != 0 {
        let why = report.first_failure.as_deref().unwrap_or("answered otherwise");
        say(&format!(
            "{when}: {} other answers, {} without one ({why}): {:?}",
            other.count(),
            failed.count(),
            report.statuses
        ));
    }
    if report.pacing.count() != 0 {
        say(&format!("{when}: whoever asks was late by {}", latencies(&report.pacing)));
    }
}

fn latencies(latencies: &Latencies) -> String {
    let [half, most, nearly_all] = [0.5, 0.95, 0.99].map(|share| millis(latencies, share));
    format!("{} (p50 {half:.2} ms, p95 {most:.2} ms, p99 {nearly_all:.2} ms)", latencies.count())
}

fn millis(latencies: &Latencies, share: f64) -> f64 {
    latencies.quantile(share).as_secs_f64() * 1e3
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

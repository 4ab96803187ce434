//! Turns of asking over HTTP.
//!
//! A rate is what a closed loop reaches with every connection busy. Latencies are those of an open loop, at half of the
//! lower of the two rates for both sides alike, and count from when a request was due, so that whoever stalls is not spared
//! the questions that it kept from being asked.

use std::{error::Error, fmt, net::SocketAddr, time::Duration};

use xtask::load::{Answers, ClosedLoop, Mix, OpenLoop, Report, closed_loop, open_loop};

use super::{
    figures::{Figures, millis},
    pairs::{Pair, Pairs},
};

/// How busy a server is while latencies are taken.
const SHARE: f64 = 0.5;

/// How many ask, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How many turns each has.
    pub(crate) turns: u32,
    /// How long each loop of a turn lasts.
    pub(crate) time: Duration,
    /// How many connections ask.
    pub(crate) connections: usize,
}

/// Who is asked, and what.
pub(crate) struct Asked {
    address: SocketAddr,
    mix: Mix,
    /// What every answer has to be.
    status: u16,
}

/// Answers that are no measurement.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Refused {}

impl Asked {
    /// Something else each time.
    pub(crate) fn mixed(address: SocketAddr, status: u16, mix: Mix) -> Self {
        Self { address, mix, status }
    }

    /// One of these requests each time.
    pub(crate) fn one_of(address: SocketAddr, status: u16, requests: Vec<Vec<u8>>) -> Self {
        let mix = Mix::seeded(1).with("request", 1, move |chance, into| {
            if let Some(request) = chance.choice(&requests) {
                into.extend_from_slice(request);
            }
            None
        });
        Self::mixed(address, status, mix)
    }

    /// Asks as fast as the answers come.
    fn rate(&mut self, pace: Pace) -> anyhow::Result<(f64, Figures)> {
        let Pace { turns: _, time, connections } = pace;
        let settings = ClosedLoop { address: self.address, connections, time };
        let report = closed_loop(settings, &mut self.mix)?;
        let answers = self.answers(&report)?;
        #[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 answers")]
        let rate = answers.accepted.count() as f64 / report.took.as_secs_f64();
        Ok((rate, figures(&answers)))
    }

    /// A closed loop by itself, latencies included: of one connection, which nobody else keeps waiting, or at full load.
    pub(crate) fn closed(&mut self, pace: Pace) -> anyhow::Result<Figures> {
        let (rate, figures) = self.rate(pace)?;
        Ok(Figures { rate: Some(rate), ..figures })
    }

    /// Asks so often, whatever the answers do.
    fn latencies(&mut self, pace: Pace, per_second: f64) -> anyhow::Result<Figures> {
        let Pace { turns: _, time, connections } = pace;
        let settings = OpenLoop { address: self.address, connections, per_second, time };
        let report = open_loop(settings, &mut self.mix)?;
        Ok(figures(&self.answers(&report)?))
    }

    /// Asks for a while without looking, so that nothing is done for the first time when it is measured.
    pub(crate) fn warm(&mut self, pace: Pace) -> anyhow::Result<()> {
        self.rate(pace).map(drop)
    }

    /// The answers, which must all be what they have to be.
    fn answers(&self, report: &Report) -> Result<Answers, Refused> {
        let answers = report.all();
        let expected = report.statuses.get(&self.status).copied().unwrap_or_default();
        if expected == answers.count() && expected != 0 {
            return Ok(answers);
        }
        let statuses: Vec<_> =
            report.statuses.iter().map(|(it, count)| format!("{count} × {it}")).collect();
        let failure = report.first_failure.as_deref().unwrap_or("none");
        Err(Refused(format!(
            "every answer has to be {}, but of {} there were {}; {} without an answer (the first failure: {failure})",
            self.status,
            answers.count(),
            statuses.join(", "),
            answers.failed.count(),
        )))
    }
}

fn figures(answers: &Answers) -> Figures {
    let at = |share| Some(millis(answers.accepted.quantile(share)));
    Figures { rate: None, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1.0) }
}

/// Asks both in turns, as fast as they answer, and then both at one pace.
pub(crate) fn in_turns(
    pace: Pace,
    subject: &mut Asked,
    limit: &mut Asked,
) -> anyhow::Result<Pairs> {
    subject.warm(pace)?;
    limit.warm(pace)?;
    Pairs::taken(pace.turns, || {
        let (most, _) = subject.rate(pace)?;
        let (beside, _) = limit.rate(pace)?;
        let per_second = SHARE * most.min(beside);
        let figures = subject.latencies(pace, per_second)?;
        let subject = Figures { rate: Some(most), ..figures };
        let figures = limit.latencies(pace, per_second)?;
        Ok(Pair { subject, limit: Figures { rate: Some(beside), ..figures } })
    })
}

/// Asks as fast as the answers come, in turns with something else that is measured.
pub(crate) fn beside(
    pace: Pace,
    subject: &mut Asked,
    mut limit: impl FnMut() -> anyhow::Result<Figures>,
) -> anyhow::Result<Pairs> {
    subject.warm(pace)?;
    Pairs::taken(pace.turns, || Ok(Pair { subject: subject.closed(pace)?, limit: limit()? }))
}

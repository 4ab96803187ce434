//! Who is looked at.

use anyhow::ensure;
use domain::{
    Confidence, DrumFeel, Engine, FeelParameter, FeelRange, Metric, NewStyleProfile,
    QuantitativeParams, ResearchStatus, Search, SearchFilter,
};

use super::{
    around,
    model::{Model, profile},
};
use crate::{fixture::Fixture, given};

/// A profile whose parameters, all different, and confidence follow from the number, which is below 100.
fn varied(number: u8) -> anyhow::Result<NewStyleProfile> {
    let number = f64::from(number);
    let feel = DrumFeel {
        tempo_min: 60.0 + number,
        tempo_avg: 90.25 + number,
        tempo_max: 120.5 + 2.0 * number,
        swing_percent: 99.5 - number / 2.0,
        ghost_note_prob: number / 128.0,
        syncopation_level: 1.0 - number / 256.0,
        velocity_mean: 127.0 - number,
        velocity_std: (number * 7.0) % 64.0,
    };
    let new = profile(&format!("Artist {number:02}"), given::embedding(number.to_bits())?)?;
    Ok(NewStyleProfile {
        quantitative_params: QuantitativeParams::try_from(feel)?,
        confidence: Confidence::try_from(number / 100.0)?,
        ..new
    })
}

/// Artists that differ in all that filters look at.
async fn filled(fixture: &impl Fixture) -> anyhow::Result<Model> {
    let profiles = (0..80).map(varied).collect::<anyhow::Result<Vec<_>>>()?;
    let mut model = Model::filled(fixture, profiles).await?;
    let keys: Vec<_> = model.vectors().map(|(artist, _)| artist.key().clone()).collect();
    for (key, status) in keys.iter().step_by(2).zip(ResearchStatus::ALL.iter().cycle()) {
        fixture.artists().set_status(key, *status, &given::author()).await?;
        model.set_status(key, *status);
    }
    Ok(model)
}

fn range(parameter: FeelParameter, from: f64, to: f64) -> anyhow::Result<FeelRange> {
    Ok(FeelRange::new(parameter, from, to)?)
}

/// Filters with no, one and many conditions.
fn filters() -> anyhow::Result<Vec<SearchFilter>> {
    let everybody = SearchFilter::EVERYBODY;
    let mut filters = vec![everybody.clone()];
    for status in ResearchStatus::ALL {
        filters.push(SearchFilter { statuses: vec![status], ..everybody.clone() });
    }
    let two = vec![ResearchStatus::Failed, ResearchStatus::Pending];
    filters.push(SearchFilter { statuses: two.clone(), ..everybody.clone() });
    for least in [0.0, 0.3, 0.79] {
        let least_confidence = Some(Confidence::try_from(least)?);
        filters.push(SearchFilter { least_confidence, ..everybody.clone() });
    }
    let middle = varied(40)?.quantitative_params;
    for parameter in FeelParameter::ALL {
        let value = parameter.of(middle.feel());
        for (from, to) in [(value, value), (0.0, value), (value, 1_000.0)] {
            let ranges = vec![range(parameter, from, to)?];
            filters.push(SearchFilter { ranges, ..everybody.clone() });
        }
    }
    let ranges = vec![
        range(FeelParameter::TempoAvg, 100.0, 150.0)?,
        range(FeelParameter::VelocityStd, 0.0, 40.0)?,
        range(FeelParameter::TempoAvg, 0.0, 140.0)?,
    ];
    let least_confidence = Some(Confidence::try_from(0.2)?);
    filters.push(SearchFilter { statuses: two, least_confidence, ranges });
    Ok(filters)
}

/// A hundred searches and more: every filter by every metric, around different targets, with different limits.
pub(super) fn of_all_kinds(model: &Model) -> anyhow::Result<Vec<Search>> {
    let mut searches = Vec::new();
    let mut keys = model.vectors().map(|(artist, _)| artist.key().clone()).cycle();
    for filter in filters()? {
        for metric in Metric::ALL {
            let number = u16::try_from(searches.len())?;
            let mut search = around(&given::embedding(number.into())?, metric, 1 + number % 20)?;
            search.filter = filter.clone();
            search.except = keys.by_ref().take(usize::from(number % 4)).collect();
            search.engine = if number % 3 == 0 { Engine::Exact } else { Engine::Auto };
            searches.push(search);
        }
    }
    Ok(searches)
}

/// Every filter admits whom it describes, and the search answers from these alone.
pub async fn conditions_hold_together(fixture: &impl Fixture) -> anyhow::Result<()> {
    let model = filled(fixture).await?;
    let similar = fixture.similar_artists();

    let mut covered = Vec::new();
    for search in of_all_kinds(&model)? {
        covered.push(model.agrees(&*similar, &search).await?.exactness.compared);
    }

    ensure!(covered.contains(&1) && covered.contains(&80), "{covered:?}");
    Ok(())
}

/// Both ends of a range belong to it, and the least confidence is enough, to the last digit.
pub async fn ends_of_ranges_are_included(fixture: &impl Fixture) -> anyhow::Result<()> {
    filled(fixture).await?;
    let similar = fixture.similar_artists();
    let own = varied(41)?;
    let found = async |filter: SearchFilter| {
        let search = Search { filter, ..around(&given::embedding(1)?, Metric::Cosine, 20)? };
        let answer = similar.nearest(&search).await?;
        let names = answer.neighbours.iter().map(|it| it.artist.to_string()).collect::<Vec<_>>();
        anyhow::Ok((names, answer.exactness.compared))
    };

    // Of this one every value is somebody's alone.
    let value = FeelParameter::TempoMax.of(own.quantitative_params.feel());
    for (from, to, admitted) in [
        (value, value, true),
        (value.next_up(), value + 1.0, false),
        (value - 1.0, value.next_down(), false),
        (value - 1.0, value, true),
        (value, value + 1.0, true),
    ] {
        let ranges = vec![range(FeelParameter::TempoMax, from, to)?];
        let (names, compared) = found(SearchFilter { ranges, ..SearchFilter::EVERYBODY }).await?;
        let expected: &[&str] = if admitted { &["Artist 41"] } else { &[] };
        ensure!(names == expected && compared == expected.len() as u64, "{from} {to} {names:?}");
    }
    for (least, compared) in [(0.79, 1), (0.79_f64.next_up(), 0), (0.78, 2), (0.0, 80)] {
        let least_confidence = Some(Confidence::try_from(least)?);
        let filter = SearchFilter { least_confidence, ..SearchFilter::EVERYBODY };
        let found = found(filter).await?;
        ensure!(found.1 == compared && found.0.len() == usize::try_from(compared.min(20))?);
    }
    Ok(())
}

/// A filter that nobody meets is answered by nobody, by whatever engine.
pub async fn nobody_may_be_admitted(fixture: &impl Fixture) -> anyhow::Result<()> {
    filled(fixture).await?;
    let ranges = vec![
        range(FeelParameter::TempoAvg, 0.0, 100.0)?,
        range(FeelParameter::TempoAvg, 101.0, 1_000.0)?,
    ];
    let filter = SearchFilter { ranges, ..SearchFilter::EVERYBODY };

    for engine in Engine::ALL {
        for metric in Metric::ALL {
            let search = around(&given::embedding(1)?, metric, 20)?;
            let search = Search { engine, filter: filter.clone(), ..search };
            let answer = fixture.similar_artists().nearest(&search).await?;
            ensure!(answer.neighbours.is_empty(), "{answer:?}");
        }
    }
    Ok(())
}

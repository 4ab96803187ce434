use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{Cost, GenerationStatus};
use serde_json::Value;

use super::*;

const ROWS: u64 = 40_000;

fn settings() -> Settings {
    let until = Date::from_calendar_date(2026, Month::November, 21).unwrap();
    Settings { rows: ROWS, artists: 500, months: 6, until, seed: 7 }
}

fn all(settings: Settings) -> Vec<NewGeneration> {
    let history = SyntheticHistory::new(settings).unwrap();
    history.generations().collect::<anyhow::Result<_>>().unwrap()
}

/// Of a thousand, how many are so.
fn in_thousand(all: &[NewGeneration], is_so: impl Fn(&NewGeneration) -> bool) -> usize {
    all.iter().filter(|it| is_so(it)).count() * 1_000 / all.len()
}

fn of_day(generation: &NewGeneration) -> (u8, u8) {
    let time = OffsetDateTime::from(generation.created_at.unwrap());
    (time.weekday().number_days_from_monday(), time.hour())
}

#[test]
fn the_same_settings_give_the_same_history() {
    let few = Settings { rows: 2_000, ..settings() };
    let first = all(few);

    assert_eq!(all(few), first);
    // Any of it can be made alone.
    let history = SyntheticHistory::new(few).unwrap();
    assert_eq!(history.generation(1_234).unwrap(), first[1_234]);
    assert!(history.generation(2_000).is_err());
    // It is the same on every machine and in every version.
    let first = first.first().unwrap();
    assert_eq!(first.id.to_string(), "019e495e-197f-7784-bff1-42b906979cb0");
    assert_eq!(first.created_at.unwrap().to_string(), "2026-05-21T07:09:24.223634Z");
}

#[test]
fn other_settings_share_no_identity() {
    let few = Settings { rows: 1_000, ..settings() };
    let until = few.until.next_day().unwrap();
    let mut seen = HashSet::new();
    for other in [
        few,
        Settings { seed: 8, ..few },
        Settings { rows: 1_001, ..few },
        Settings { artists: 501, ..few },
        Settings { months: 7, ..few },
        Settings { until, ..few },
    ] {
        for generation in all(other) {
            assert!(seen.insert(generation.id), "{other:?}");
            assert_eq!(generation.id.as_uuid().get_version_num(), 7);
        }
    }
}

#[test]
fn all_of_it_is_marked() {
    for generation in all(Settings { rows: 2_000, ..settings() }) {
        let mark = generation.details.user_params.members().get("synthetic");
        assert_eq!(mark, Some(&Value::Bool(true)));
        if let Some(artist) = generation.artist {
            assert!(artist.as_str().starts_with("Synthetic Artist 00"), "{artist}");
        }
    }
}

#[test]
fn it_fills_its_months_in_order() {
    let all = all(settings());

    assert!(all.is_sorted_by_key(|it| it.created_at));
    let ends = [all.first().unwrap(), all.last().unwrap()].map(|it| it.created_at.unwrap());
    let [first, last] = ends.map(OffsetDateTime::from);
    assert_eq!(first.date().to_string(), "2026-05-21");
    assert_eq!(last.date().to_string(), "2026-11-20");
    let mut by_hour: BTreeMap<u8, u32> = BTreeMap::new();
    let mut by_day: BTreeMap<u8, u32> = BTreeMap::new();
    for (day, hour) in all.iter().map(of_day) {
        *by_hour.entry(hour).or_default() += 1;
        *by_day.entry(day).or_default() += 1;
    }
    assert_eq!((by_hour.len(), by_day.len()), (24, 7));
    assert!(by_hour[&3] * 8 < by_hour[&15], "{by_hour:?}");
    assert!(by_day[&6] * 2 < by_day[&1], "{by_day:?}");
}

#[test]
fn ends_and_gaps_are_as_often_as_they_should() {
    let all = all(settings());

    let failed = in_thousand(&all, |it| it.details.status == GenerationStatus::Failed);
    let cancelled = in_thousand(&all, |it| it.details.status == GenerationStatus::Cancelled);
    let unpriced = in_thousand(&all, |it| it.details.cost.is_none());
    let nobodys = in_thousand(&all, |it| it.artist.is_none());
    let with_steps = in_thousand(&all, |it| !it.details.steps.is_empty());
    assert!((36..=44).contains(&failed), "{failed}");
    assert!((8..=12).contains(&cancelled), "{cancelled}");
    assert!((75..=85).contains(&unpriced), "{unpriced}");
    assert!((46..=54).contains(&nobodys), "{nobodys}");
    assert!((285..=315).contains(&with_steps), "{with_steps}");
    for it in &all {
        let has_failed = it.details.status == GenerationStatus::Failed;
        assert_eq!(it.details.error.is_some(), has_failed, "{it:?}");
        let steps: u32 = it.details.steps.iter().map(|step| step.time_ms).sum();
        assert!(steps == 0 || steps == it.details.generation_time_ms, "{it:?}");
    }
    let failures = all.iter().filter(|it| it.details.error.is_some());
    let soon = failures.clone().filter(|it| it.details.generation_time_ms < 2_000).count();
    let late = failures.clone().filter(|it| 30_000 <= it.details.generation_time_ms).count();
    assert!(0 < soon && 0 < late && soon + late == failures.count(), "{soon} {late}");
}

#[test]
fn times_have_a_long_tail_and_differ_by_model() {
    let all = all(settings());
    let mut times: Vec<u32> = all.iter().map(|it| it.details.generation_time_ms).collect();
    times.sort_unstable();
    let mut models: HashMap<_, Vec<&NewGeneration>> = HashMap::new();
    for it in &all {
        models.entry((&it.details.provider, &it.details.model)).or_default().push(it);
    }

    let part = |thousandth: usize| times[times.len() * thousandth / 1_000];
    assert!((1_600..=2_000).contains(&part(500)), "{}", part(500));
    assert!((10_000..=40_000).contains(&part(980)), "{}", part(980));
    assert!(60_000 < *times.last().unwrap());
    let providers: HashSet<_> = models.keys().map(|(provider, _)| *provider).collect();
    assert_eq!((providers.len(), models.len()), (5, 12));
    let cost = |it: &&NewGeneration| it.details.cost.map_or(0, Cost::nanos);
    let mean = |all: &Vec<&NewGeneration>| {
        all.iter().map(cost).sum::<i64>() / i64::try_from(all.len()).unwrap()
    };
    let means: Vec<i64> = models.values().map(mean).collect();
    assert!(means.contains(&0) && means.iter().any(|&mean| 50_000_000 < mean), "{means:?}");
}

#[test]
fn some_artists_are_asked_for_most() {
    let all = all(settings());
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for artist in all.iter().filter_map(|it| it.artist.as_ref()) {
        *counts.entry(artist.as_str()).or_default() += 1;
    }

    let of = |number: u32| f64::from(counts[format!("Synthetic Artist {number:05}").as_str()]);
    assert!((1.8..2.2).contains(&(of(1) / of(2))), "{counts:?}");
    assert!((8.0..12.5).contains(&(of(1) / of(10))), "{counts:?}");
    assert_eq!(counts.len(), 500);
}

#[test]
fn refuses_what_is_no_history() {
    for wrong in [
        Settings { artists: 0, ..settings() },
        Settings { artists: 1_000_001, ..settings() },
        Settings { months: 0, ..settings() },
        Settings { months: 12 * 60, ..settings() },
        Settings { months: u32::MAX, ..settings() },
    ] {
        assert!(SyntheticHistory::new(wrong).is_err(), "{wrong:?}");
    }
    let day = |month, day| Date::from_calendar_date(2024, month, day).unwrap();
    assert_eq!(months_before(day(Month::March, 31), 1).unwrap(), day(Month::February, 29));
}

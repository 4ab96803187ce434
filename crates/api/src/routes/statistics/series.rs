//! Figures over time, in buckets of local time.

use domain::{Bucket, BucketWidth, TimeRange, Timestamp, Zone, buckets, last_buckets};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::{
    Period, Which,
    figures::{FiguresView, PercentilesView},
    groups::{Counted, GroupView, Grouping, GroupingBody},
};
use crate::{
    parameters::{FromParameters, Parameters},
    problem::{Code, Problem},
    reading::Answered,
    state::State,
    violation::Violation,
};

/// How many buckets a series has at most.
const MOST_BUCKETS: usize = 1_000;

/// Which series to show.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SeriesParameters {
    /// How wide a bucket is. Weeks begin on Monday.
    #[param(value_type = BucketBody, example = "day")]
    bucket: BucketWidth,
    /// The time zone whose hours, days, weeks or months they are, by its IANA name; `UTC` if not given.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    tz: Zone,
    /// What to tell generations apart by; nothing if not given. Of artists the 100 with most generations have a group of
    /// their own.
    #[param(value_type = Option<GroupingBody>)]
    group_by: Option<Grouping>,
    #[param(ignore)]
    period: Period,
    #[param(ignore)]
    which: Which,
}

impl FromParameters for SeriesParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let bucket = parameters.required("bucket", str::parse::<BucketWidth>);
        let tz = parameters.optional("tz", |text| Zone::try_from(text)).unwrap_or(Zone::UTC);
        let group_by = parameters.optional("group_by", str::parse::<Grouping>);
        let period = Period::from_parameters(parameters);
        let which = Which::from_parameters(parameters);
        Some(Self { bucket: bucket?, tz, group_by, period, which })
    }
}

impl SeriesParameters {
    /// How many buckets there are unless somebody says otherwise.
    const fn usual_count(&self) -> u32 {
        match self.bucket {
            BucketWidth::Hour => 24,
            BucketWidth::Day => 30,
            BucketWidth::Week | BucketWidth::Month => 12,
        }
    }

    /// From when to when it is, where an end that was not given depends on the other one, or on the present.
    pub(super) fn range(&self, now: Timestamp) -> Result<TimeRange, Problem> {
        let until = |time: Timestamp| last_buckets(time, self.bucket, self.usual_count(), &self.tz);
        match (self.period.from, self.period.to) {
            (Some(_), Some(_)) => Ok(self.period.range()),
            (None, None) => Ok(until(now)),
            (None, Some(to)) => {
                // What lies just before the end is in the last bucket, also when the end is between two.
                let last = Timestamp::from_unix_micros(to.unix_micros() - 1).unwrap_or(to);
                Ok(TimeRange::clipped(until(last).from_micros(), to.unix_micros()))
            }
            (Some(from), None) => {
                let end = last_buckets(now, self.bucket, 1, &self.tz).to_micros();
                if end < from.unix_micros() {
                    let detail = "must not be after the current bucket unless 'to' is given";
                    return Err(invalid(vec![Violation::of_parameter("from", detail)]));
                }
                Ok(TimeRange::clipped(from.unix_micros(), end))
            }
        }
    }

    fn buckets(&self, range: TimeRange) -> Result<Vec<Bucket>, Problem> {
        buckets(range, self.bucket, &self.tz, MOST_BUCKETS).map_err(|too_many| {
            // Without any end the series is a short one.
            let ends = [("from", self.period.from), ("to", self.period.to)];
            let given = ends.into_iter().filter(|(_, end)| end.is_some());
            let told = too_many.to_string();
            invalid(given.map(|(name, _)| Violation::of_parameter(name, told.as_str())).collect())
        })
    }

    /// Where the bucket ends that begins last: where the next one would begin.
    fn end_of(&self, last: &Bucket) -> String {
        let end = last_buckets(last.range.from(), self.bucket, 1, &self.tz).to_micros();
        let next = buckets(TimeRange::clipped(end, end + 1), self.bucket, &self.tz, 1);
        let next = next.unwrap_or_default().into_iter().next();
        // Nothing begins after the year 9999.
        next.map_or_else(
            || TimeRange::clipped(i64::MAX, i64::MAX).from().to_string(),
            |next| next.local_start,
        )
    }
}

fn invalid(violations: Vec<Violation>) -> Problem {
    Problem::of_violations(Code::InvalidParameter, violations)
}

/// How a width is documented.
pub(super) struct BucketBody;

impl PartialSchema for BucketBody {
    fn schema() -> RefOr<Schema> {
        let words = BucketWidth::ALL.map(BucketWidth::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for BucketBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "BucketWidth".into()
    }
}

/// Figures over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsSeries, example = json!({
    "bucket": "day",
    "tz": "Europe/Berlin",
    "from": "2026-03-28T23:00:00Z",
    "to": "2026-03-29T22:00:00Z",
    "group_by": "provider",
    "percentiles": {"exact": false, "relative_error": 0.015_625},
    "series": [example_of_a_bucket()]
}))]
pub(super) struct SeriesView {
    /// How wide a bucket is.
    #[schema(value_type = BucketBody)]
    bucket: &'static str,
    /// The time zone, as the IANA spells it.
    tz: String,
    /// Where the series begins.
    #[schema(format = DateTime)]
    from: String,
    /// Where it ends, not included; null at the end of the year 9999.
    #[schema(format = DateTime)]
    to: Option<String>,
    /// What generations are told apart by; null when by nothing.
    #[schema(value_type = Option<GroupingBody>)]
    group_by: Option<&'static str>,
    /// What percentiles can be trusted for.
    pub(super) percentiles: PercentilesView,
    /// The buckets in order, without gaps; each counts what is both in it and between `from` and `to`.
    pub(super) series: Vec<BucketView>,
}

/// One bucket in figures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsBucket)]
pub(super) struct BucketView {
    /// Where it begins, in local time with the offset from UTC, even if that is before `from`.
    #[schema(format = DateTime)]
    pub(super) start: String,
    /// Where it ends and the next begins, in local time with the offset from UTC, even if that is after `to`.
    #[schema(format = DateTime)]
    pub(super) end: String,
    /// The figures.
    #[serde(flatten)]
    pub(super) figures: FiguresView,
    /// The figures of each group with generations, when groups are asked for: the largest first, ties by name, the group
    /// of others last. They add up to those of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(super) groups: Option<Vec<GroupView>>,
}

/// One day with one group.
fn example_of_a_bucket() -> Value {
    let figures = || {
        json!({
            "total_generations": 1,
            "completed": 1,
            "failed": 0,
            "cancelled": 0,
            "avg_generation_time_ms": 1_850.0,
            "p50_generation_time_ms": 1_840,
            "p95_generation_time_ms": 1_840,
            "p99_generation_time_ms": 1_840,
            "total_cost_usd": 0.0125,
            "avg_cost_per_generation": 0.0125,
            "priced_generations": 1,
            "unpriced_generations": 0,
            "tokens": {
                "used": 2_400, "input": 1_900, "output": 500, "cache_read": 0, "cache_write": 0, "reasoning": 0
            },
        })
    };
    let mut group = json!({"provider": "anthropic"});
    merge(&mut group, figures());
    let mut bucket =
        json!({"start": "2026-03-29T00:00:00+01:00", "end": "2026-03-30T00:00:00+02:00"});
    merge(&mut bucket, figures());
    merge(&mut bucket, json!({"groups": [group]}));
    bucket
}

fn merge(object: &mut Value, others: Value) {
    if let (Value::Object(members), Value::Object(others)) = (object, others) {
        members.extend(others);
    }
}

impl SeriesView {
    pub(super) async fn find(
        state: &State,
        parameters: SeriesParameters,
        range: TimeRange,
    ) -> Result<Answered<Self>, Problem> {
        let buckets = parameters.buckets(range)?;
        let ranges = buckets.iter().map(|bucket| bucket.range).collect();
        let end = buckets.last().map(|last| parameters.end_of(last));

        let SeriesParameters { bucket, tz, group_by, period: _, which } = parameters;
        let exact = which.exact;
        let dimensions = group_by.map(Grouping::dimensions).unwrap_or_default();
        let Answered { value: parts, from } = which.sum_up(state, ranges, dimensions).await?;
        let counted = Counted::of(&parts, group_by);

        let starts: Vec<String> = buckets.into_iter().map(|bucket| bucket.local_start).collect();
        let ends = starts.iter().skip(1).cloned().chain(end).collect::<Vec<_>>();
        let times = starts.into_iter().zip(ends);
        let series = times.zip(&counted).map(|((start, end), counted)| BucketView {
            start,
            end,
            figures: FiguresView::from(&*counted.all),
            groups: counted.views(group_by),
        });
        let view = Self {
            bucket: bucket.as_str(),
            tz: tz.name().to_owned(),
            from: range.from().to_string(),
            to: range.to().map(|time| time.to_string()),
            group_by: group_by.map(Grouping::as_str),
            percentiles: PercentilesView::of(exact, counted.iter().map(|counted| &*counted.all)),
            series: series.collect(),
        };
        Ok(Answered { value: view, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn parameters(bucket: BucketWidth, from: Option<&str>, to: Option<&str>) -> SeriesParameters {
        SeriesParameters {
            bucket,
            tz: Zone::try_from("Europe/Berlin").unwrap(),
            group_by: None,
            period: Period { from: from.map(at), to: to.map(at) },
            which: Which::default(),
        }
    }

    /// The number of buckets, where the first begins, and where the last ends.
    fn told(parameters: &SeriesParameters) -> Result<(usize, String, String), String> {
        let now = at("2026-11-21T17:30:00Z");
        let told = |problem: Problem| problem.detail().to_owned();
        let buckets =
            parameters.range(now).and_then(|range| parameters.buckets(range)).map_err(told)?;
        let (first, last) = (buckets.first().unwrap(), buckets.last().unwrap());
        Ok((buckets.len(), first.local_start.clone(), parameters.end_of(last)))
    }

    #[test]
    fn without_ends_the_current_bucket_is_the_last() {
        for (bucket, count, start, end) in [
            (BucketWidth::Hour, 24, "2026-11-20T19:00:00+01:00", "2026-11-21T19:00:00+01:00"),
            (BucketWidth::Day, 30, "2026-10-23T00:00:00+02:00", "2026-11-22T00:00:00+01:00"),
            (BucketWidth::Week, 12, "2026-08-31T00:00:00+02:00", "2026-11-23T00:00:00+01:00"),
            (BucketWidth::Month, 12, "2025-12-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
        ] {
            let expected = Ok((count, start.to_owned(), end.to_owned()));
            assert_eq!(told(&parameters(bucket, None, None)), expected);
        }
    }

    #[test]
    fn one_end_is_enough() {
        let from = parameters(BucketWidth::Day, Some("2026-11-19T12:00:00Z"), None);
        let to = parameters(BucketWidth::Day, None, Some("2026-03-31T22:00:00Z"));
        let within = parameters(BucketWidth::Day, None, Some("2026-03-31T22:00:00.000001Z"));

        let expected =
            |count, start: &str, end: &str| Ok((count, start.to_owned(), end.to_owned()));
        assert_eq!(
            told(&from),
            expected(3, "2026-11-19T00:00:00+01:00", "2026-11-22T00:00:00+01:00")
        );
        assert_eq!(
            told(&to),
            expected(30, "2026-03-02T00:00:00+01:00", "2026-04-01T00:00:00+02:00")
        );
        assert_eq!(
            told(&within),
            expected(30, "2026-03-03T00:00:00+01:00", "2026-04-02T00:00:00+02:00")
        );
        let future = parameters(BucketWidth::Day, Some("2026-11-22T00:00:00Z"), None);
        assert_eq!(
            told(&future),
            Err("from: must not be after the current bucket unless 'to' is given".to_owned())
        );
    }

    #[test]
    fn a_thousand_buckets_are_the_most() {
        let hours = |to: &str| {
            told(&parameters(BucketWidth::Hour, Some("2026-05-01T00:00:00Z"), Some(to)))
                .map(|(count, ..)| count)
        };
        let many = "the time range has more than 1000 buckets of this width";

        assert_eq!(hours("2026-06-11T16:00:00Z"), Ok(1_000));
        assert_eq!(hours("2026-06-11T16:00:00.000001Z"), Err(format!("from: {many}; to: {many}")));
    }

    #[test]
    fn the_end_of_time_is_an_end() {
        let last = parameters(
            BucketWidth::Month,
            Some("9999-12-01T00:00:00Z"),
            Some("9999-12-31T23:59:59.999999Z"),
        );

        let (count, start, end) = told(&last).unwrap();

        assert_eq!((count, start.as_str()), (2, "9999-12-01T00:00:00+01:00"));
        assert_eq!(end, "9999-12-31T23:59:59.999999Z");
    }
}

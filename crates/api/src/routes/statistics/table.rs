//! Figures as a table (RFC 4180): the names of the columns, then a line for each row; what is null is empty.

use std::sync::Arc;

use csv::{Terminator, Writer, WriterBuilder};
use domain::Sums;

use super::{
    figures::{FiguresView, PercentilesView, TokensView},
    groups::Group,
    series::SeriesView,
    summary::StatisticsView,
};
use crate::{money::Dollars, problem::Problem};

/// A column's name and what stands in it.
type Cell = (&'static str, String);

/// One line.
pub(super) fn of_statistics(view: &StatisticsView) -> Result<Vec<u8>, Problem> {
    let StatisticsView { from, to, figures, provider_usage, cached_artists, percentiles } = view;
    // As text of JSON nothing in a name can be taken for something between names.
    let usage = serde_json::to_string(provider_usage).map_err(failed)?;
    let mut row = vec![("from", cell(from.as_ref())), ("to", cell(to.as_ref()))];
    row.extend(cells(figures));
    row.extend([("provider_usage", usage), ("cached_artists", cached_artists.to_string())]);
    row.extend(trust(percentiles));
    written(&row, std::iter::once(row.clone()))
}

/// A line for each bucket, or for each group of each bucket; one in which nothing was generated has a line too. So the
/// lines add up to the whole series.
pub(super) fn of_series(view: &SeriesView) -> Result<Vec<u8>, Problem> {
    let row = |start: &str, end: &str, group: Option<&Group>, figures: &FiguresView| {
        let (name, kind) = match group {
            None => ("", "all"),
            Some(Group::Named(name)) => (name.as_str(), "named"),
            Some(Group::Nameless) => ("", "none"),
            Some(Group::Others) => ("", "others"),
        };
        let mut row = vec![
            ("start", start.to_owned()),
            ("end", end.to_owned()),
            ("group", harmless(name)),
            ("group_kind", kind.to_owned()),
        ];
        row.extend(cells(figures));
        row.extend(trust(&view.percentiles));
        row
    };
    let rows = view.series.iter().flat_map(|bucket| match bucket.groups.as_deref() {
        None | Some([]) => vec![row(&bucket.start, &bucket.end, None, &bucket.figures)],
        Some(groups) => groups
            .iter()
            .map(|it| row(&bucket.start, &bucket.end, Some(&it.group), &it.figures))
            .collect(),
    });
    let nothing = FiguresView::from(&Sums::default());
    written(&row("", "", None, &nothing), rows)
}

fn cells(figures: &FiguresView) -> Vec<Cell> {
    let FiguresView {
        total_generations,
        completed,
        failed,
        cancelled,
        avg_generation_time_ms,
        p50_generation_time_ms,
        p95_generation_time_ms,
        p99_generation_time_ms,
        total_cost_usd: Dollars(total_cost),
        avg_cost_per_generation,
        priced_generations,
        unpriced_generations,
        tokens: TokensView { used, input, output, cache_read, cache_write, reasoning },
    } = figures;
    let avg_cost = avg_cost_per_generation.as_ref().map(|Dollars(cost)| cost);
    vec![
        ("total_generations", total_generations.to_string()),
        ("completed", completed.to_string()),
        ("failed", failed.to_string()),
        ("cancelled", cancelled.to_string()),
        ("avg_generation_time_ms", cell(avg_generation_time_ms.as_ref())),
        ("p50_generation_time_ms", cell(p50_generation_time_ms.as_ref())),
        ("p95_generation_time_ms", cell(p95_generation_time_ms.as_ref())),
        ("p99_generation_time_ms", cell(p99_generation_time_ms.as_ref())),
        ("total_cost_usd", total_cost.to_string()),
        ("avg_cost_per_generation", cell(avg_cost)),
        ("priced_generations", priced_generations.to_string()),
        ("unpriced_generations", unpriced_generations.to_string()),
        ("tokens_used", used.to_string()),
        ("input_tokens", input.to_string()),
        ("output_tokens", output.to_string()),
        ("cache_read_tokens", cache_read.to_string()),
        ("cache_write_tokens", cache_write.to_string()),
        ("reasoning_tokens", reasoning.to_string()),
    ]
}

fn trust(percentiles: &PercentilesView) -> [Cell; 2] {
    let PercentilesView { exact, relative_error } = percentiles;
    [
        ("percentiles_exact", exact.to_string()),
        ("percentiles_relative_error", relative_error.to_string()),
    ]
}

fn cell(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// A name that a spreadsheet does not take for a formula: anybody may have chosen it, and the quotes of RFC 4180 do not
/// keep one from being computed.
fn harmless(name: &str) -> String {
    let is_formula = name.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{name}") } else { name.to_owned() }
}

/// The columns of `header`, and these rows, which all have the same columns.
fn written(header: &[Cell], rows: impl Iterator<Item = Vec<Cell>>) -> Result<Vec<u8>, Problem> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    write(&mut writer, header.iter().map(|(name, _)| *name))?;
    for row in rows {
        write(&mut writer, row.iter().map(|(_, value)| value.as_str()))?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error()))
}

fn write<'a>(
    writer: &mut Writer<Vec<u8>>,
    row: impl Iterator<Item = &'a str>,
) -> Result<(), Problem> {
    writer.write_record(row).map_err(failed)
}

/// Memory takes everything, but the writer does not know that it writes there.
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::internal(Arc::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_commas_quotes_or_breaks_is_quoted() {
        let row =
            vec![("a", "x,y".to_owned()), ("b", "say \"z\"".to_owned()), ("c", String::new())];

        let text = String::from_utf8(written(&row, std::iter::once(row.clone())).unwrap()).unwrap();

        assert_eq!(text, "a,b,c\r\n\"x,y\",\"say \"\"z\"\"\",\r\n");
    }

    #[test]
    fn no_name_is_a_formula() {
        for (name, shown) in [
            ("+/-", "'+/-"),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-x", "'-x"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(name), shown);
        }
    }
}

//! In which form an answer is wanted (`Accept`): JSON, or a table for spreadsheets.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{ACCEPT, HeaderMap},
};

use crate::problem::{Code, Problem};

/// The media type of a table, as it is declared: RFC 4180, the first line of which has the names of the columns.
pub const CSV: &str = "text/csv; charset=utf-8; header=present";

/// The form of an answer that has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wished {
    /// JSON, unless something else is preferred.
    Json,
    /// Comma-separated values.
    Csv,
}

impl Wished {
    /// Elements that cannot be understood are ignored: some clients send `*` or a weight of `.2`.
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let lines = headers.get_all(ACCEPT).filter_map(|line| line.to_str().ok());
        let elements: Vec<&str> = lines
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .collect();
        if elements.is_empty() {
            return Ok(Self::Json);
        }
        let ranges: Vec<MediaRange<'_>> =
            elements.into_iter().filter_map(MediaRange::read).collect();
        let (json, csv) = (weight(&ranges, "application", "json"), weight(&ranges, "text", "csv"));
        match (json, csv) {
            (0, 0) => Err(unacceptable()),
            (json, csv) if json < csv => Ok(Self::Csv),
            _ => Ok(Self::Json),
        }
    }
}

impl FromRequest for Wished {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request.headers()))
    }
}

/// Neither form is acceptable.
pub(crate) fn unacceptable() -> Problem {
    Problem::new(Code::NotAcceptable, "the answer can be application/json or text/csv")
}

/// Media types that a caller takes, and how much each is wanted.
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> MediaRange<'a> {
    fn read(element: &'a str) -> Option<Self> {
        let mut parts = element.split(';').map(str::trim);
        let (kind, subtype) = match parts.next()? {
            "*" => ("*", "*"),
            named => named.split_once('/')?,
        };
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        Some(Self { kind, subtype, weight: weight.map_or(Some(1_000), thousandths)? })
    }

    /// How precisely this media type is meant; `None` when it is not.
    fn precision(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, other)
                if own.eq_ignore_ascii_case(kind) && other.eq_ignore_ascii_case(subtype) =>
            {
                Some(2)
            }
            _ => None,
        }
    }
}

/// How much a media type is wanted: what is said most precisely counts. 0 is not at all.
fn weight(ranges: &[MediaRange<'_>], kind: &str, subtype: &str) -> u16 {
    let meant =
        ranges.iter().filter_map(|range| Some((range.precision(kind, subtype)?, range.weight)));
    meant.max().map_or(0, |(_, weight)| weight)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is cast lies between 0 and 1000"
)]
fn thousandths(text: &str) -> Option<u16> {
    let weight: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&weight).then(|| (weight * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn wished(lines: &[&str]) -> Result<Wished, Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        Wished::of(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn json_unless_something_else_is_preferred() {
        for accept in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json"],
            &["application/*"],
            &["text/csv, application/json"],
            &["text/csv;q=0.5, */*;q=0.5"],
            &["text/html, image/gif, *; q=.2, */*; q=.2"],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            &["text/csv;q=0, */*"],
        ] {
            assert_eq!(wished(accept), Ok(Wished::Json), "{accept:?}");
        }
    }

    #[test]
    fn a_table_when_that_is_preferred() {
        for accept in [
            &["text/csv"][..],
            &["TEXT/CSV; header=present"],
            &["text/*"],
            &["application/json;q=0.5, text/csv"],
            &["application/json;q=0.5", "text/csv;q=0.501"],
            &["application/json;q=0, */*"],
            &["text/csv, */*;q=0.1"],
        ] {
            assert_eq!(wished(accept), Ok(Wished::Csv), "{accept:?}");
        }
    }

    #[test]
    fn refuses_when_neither_will_do() {
        for accept in [
            &["text/html"][..],
            &["application/xml", "text/plain"],
            &["*/*;q=0"],
            &["text/csv;q=0, application/json;q=0.0"],
            &["json"],
            &["text/csv;q=2"],
        ] {
            assert_eq!(wished(accept), Err(Code::NotAcceptable), "{accept:?}");
        }
    }
}

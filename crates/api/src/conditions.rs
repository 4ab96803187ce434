//! Entity tags: which version of a profile a caller has, and which one a write demands.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use domain::Version;

use crate::{
    problem::{Code, Problem},
    violation::Violation,
};

/// What a profile's tag ends with when the representation has the embedding.
const WITH_EMBEDDING: &str = "+embedding";

/// The entity tag of a profile.
#[must_use]
pub fn profile_tag(version: Version, with_embedding: bool) -> String {
    format!("\"{version}{}\"", if with_embedding { WITH_EMBEDDING } else { "" })
}

/// Which representations the caller of a read has already (`If-None-Match`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known(Option<Tags>);

impl Known {
    /// Whether the caller has the representation with this tag. The comparison is weak.
    #[must_use]
    pub fn includes(&self, tag: &str) -> bool {
        match &self.0 {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::Listed(tags)) => {
                tags.iter().any(|known| tag.trim_matches('"') == known.opaque)
            }
        }
    }
}

impl FromRequest for Known {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(tags(request.headers(), &IF_NONE_MATCH).map(Self))
    }
}

/// What a write demands of the stored profile (`If-Match`, `If-None-Match: *`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Anything,
    /// That there is one.
    Present,
    /// That there is none.
    Absent,
    /// That it is at one of these versions; at none of none.
    OneOf(Vec<Version>),
}

impl Demand {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match (tags(headers, &IF_MATCH)?, tags(headers, &IF_NONE_MATCH)?) {
            (None, None) => Ok(Self::Anything),
            (None, Some(Tags::Any)) => Ok(Self::Absent),
            (Some(Tags::Any), None) => Ok(Self::Present),
            (Some(Tags::Listed(tags)), None) => {
                Ok(Self::OneOf(tags.iter().filter_map(Tag::version).collect()))
            }
            (None, Some(Tags::Listed(_))) => {
                Err(invalid(&IF_NONE_MATCH, "a write takes * only: when there is none yet"))
            }
            (Some(_), Some(_)) => Err(invalid(&IF_NONE_MATCH, "does not go with If-Match")),
        }
    }
}

impl FromRequest for Demand {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request.headers()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    Listed(Vec<Tag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

impl Tag {
    /// The version a strong tag stands for, with or without the embedding.
    fn version(&self) -> Option<Version> {
        let digits = self.opaque.strip_suffix(WITH_EMBEDDING).unwrap_or(&self.opaque);
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit());
        if self.weak || !canonical { None } else { digits.parse().ok() }
    }
}

/// Reads all lines of a header as one list.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    let malformed =
        || invalid(name, "must be * or entity tags such as \"7\", with commas between them");
    let mut listed = Vec::new();
    let mut any = false;
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| malformed())?.trim();
        if line == "*" {
            any = true;
        } else {
            read_list(line, &mut listed).ok_or_else(malformed)?;
        }
    }
    match (any, listed.is_empty()) {
        (true, true) => Ok(Some(Tags::Any)),
        (true, false) => Err(malformed()),
        (false, false) => Ok(Some(Tags::Listed(listed))),
        (false, true) if headers.contains_key(name) => Err(malformed()),
        (false, true) => Ok(None),
    }
}

/// Reads tags with commas between them; a comma may also be within a tag.
fn read_list(mut rest: &str, tags: &mut Vec<Tag>) -> Option<()> {
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if opaque.contains(|character: char| character.is_ascii_control() || character == ' ') {
            return None;
        }
        tags.push(Tag { weak, opaque: opaque.to_owned() });
        let after = after.trim_start_matches([' ', '\t']);
        if after.is_empty() {
            return Some(());
        }
        rest = after.strip_prefix(',')?;
    }
}

fn invalid(name: &HeaderName, detail: &str) -> Problem {
    Problem::of_violations(Code::InvalidHeader, vec![Violation::of_header(name.as_str(), detail)])
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(&HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append((*name).clone(), HeaderValue::from_static(value));
        }
        headers
    }

    fn demand(if_match: &'static str) -> Result<Demand, Code> {
        Demand::of(&headers(&[(&IF_MATCH, if_match)])).map_err(|problem| problem.code())
    }

    fn versions<const N: usize>(numbers: [u64; N]) -> Demand {
        Demand::OneOf(numbers.map(Version::new).to_vec())
    }

    #[test]
    fn reads_what_a_write_demands() {
        assert_eq!(demand("*"), Ok(Demand::Present));
        assert_eq!(demand("\"7\""), Ok(versions([7])));
        assert_eq!(demand("\"7+embedding\" , \"9\""), Ok(versions([7, 9])));
        assert_eq!(Demand::of(&HeaderMap::new()).unwrap(), Demand::Anything);
        assert_eq!(Demand::of(&headers(&[(&IF_NONE_MATCH, "*")])).unwrap(), Demand::Absent);
        let two_lines = headers(&[(&IF_MATCH, "\"1\""), (&IF_MATCH, "\"2\"")]);
        assert_eq!(Demand::of(&two_lines).map_err(|problem| problem.code()), Ok(versions([1, 2])));
    }

    #[test]
    fn weak_and_foreign_tags_match_nothing() {
        for tag in ["W/\"7\"", "\"abc\"", "\"\"", "\"+7\"", "\"7+embedding+embedding\"", "\"a,b\""]
        {
            assert_eq!(demand(tag), Ok(versions([])), "{tag}");
        }
    }

    #[test]
    fn refuses_malformed_tags() {
        for tag in ["7", "\"7", "7\"", "\"7\" \"8\"", "\"7\",", "", ",", "w/\"7\"", "\"a b\""] {
            assert_eq!(demand(tag), Err(Code::InvalidHeader), "{tag}");
        }
        let mixed = headers(&[(&IF_MATCH, "*"), (&IF_MATCH, "\"2\"")]);
        assert!(Demand::of(&mixed).is_err());
        let both = headers(&[(&IF_MATCH, "*"), (&IF_NONE_MATCH, "*")]);
        assert!(Demand::of(&both).is_err());
        assert!(Demand::of(&headers(&[(&IF_NONE_MATCH, "\"2\"")])).is_err());
    }

    #[test]
    fn a_read_compares_weakly() {
        let known =
            |text| Known(tags(&headers(&[(&IF_NONE_MATCH, text)]), &IF_NONE_MATCH).unwrap());
        let plain = profile_tag(Version::new(7), false);
        let with_embedding = profile_tag(Version::new(7), true);

        assert_eq!(plain, "\"7\"");
        assert_eq!(with_embedding, "\"7+embedding\"");
        assert!(known("*").includes(&plain));
        assert!(known("\"3\", W/\"7\"").includes(&plain));
        assert!(!known("\"7\"").includes(&with_embedding));
        assert!(!Known(None).includes(&plain));
    }
}

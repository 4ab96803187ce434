//! What a query string says: every parameter checked, none ignored.

use std::{
    fmt,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use domain::{Limit, LimitOutOfRange};
use percent_encoding::percent_decode_str;

use crate::{
    problem::{Code, Problem},
    violation::Violation,
};

/// The parameters of an operation, as an argument of its handler.
pub struct Asked<T>(pub T);

/// What an operation takes from the query string.
pub trait FromParameters: Sized {
    /// Takes what there is and notes what is wrong with it.
    fn from_parameters(parameters: &mut Parameters) -> Option<Self>;
}

/// An operation without parameters.
impl FromParameters for () {
    fn from_parameters(_: &mut Parameters) -> Option<Self> {
        Some(())
    }
}

impl<T: FromParameters> FromRequest for Asked<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Parameters::of(request.query_string()).and_then(Parameters::read).map(Self))
    }
}

/// The parameters nobody has asked for yet.
pub struct Parameters {
    rest: Vec<(String, String)>,
    violations: Vec<Violation>,
}

impl Parameters {
    fn of(query: &str) -> Result<Self, Problem> {
        let mut parameters = Self { rest: Vec::new(), violations: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                let detail = "the query is not percent-encoded UTF-8";
                return Err(Problem::new(Code::InvalidParameter, detail));
            };
            if parameters.rest.iter().any(|(known, _)| *known == name) {
                parameters.refuse(&name, "is given more than once");
            } else {
                parameters.rest.push((name, value));
            }
        }
        Ok(parameters)
    }

    fn read<T: FromParameters>(mut self) -> Result<T, Problem> {
        let wanted = T::from_parameters(&mut self);
        for (name, _) in std::mem::take(&mut self.rest) {
            self.refuse(&name, "is not a known parameter");
        }
        match wanted {
            Some(wanted) if self.violations.is_empty() => Ok(wanted),
            _ => Err(Problem::of_violations(Code::InvalidParameter, self.violations)),
        }
    }

    /// A parameter that may be left out.
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let index = self.rest.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.rest.remove(index);
        parse(&value).map_err(|error| self.refuse(name, error.to_string())).ok()
    }

    /// A parameter that must be there.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.rest.iter().all(|(known, _)| known != name) {
            self.refuse(name, "is missing");
            return None;
        }
        self.optional(name, parse)
    }

    /// Whether something is wanted; not if not given.
    pub fn flag(&mut self, name: &str) -> bool {
        self.optional(name, |text| text.parse().map_err(|_| NotBoolean)).unwrap_or_default()
    }

    /// How many results are wanted.
    pub fn limit<const MAX: u16>(&mut self, default: u16) -> Option<Limit<MAX>> {
        let out_of_range = LimitOutOfRange { max: MAX };
        let wanted = self
            .optional("limit", |text| text.parse().map_err(|_| out_of_range).and_then(Limit::new));
        wanted.or_else(|| Limit::new(default).ok())
    }

    /// Notes that a parameter is wrong.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.violations.push(Violation::of_parameter(name, detail));
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must be true or false")]
struct NotBoolean;

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wanted(u16, Option<String>);

    impl FromParameters for Wanted {
        fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
            let limit = parameters.limit::<20>(5);
            let name = parameters.optional("q", |text| Ok::<_, LimitOutOfRange>(text.to_owned()));
            Some(Self(limit?.get(), name))
        }
    }

    fn told(query: &str) -> String {
        match Parameters::of(query).and_then(Parameters::read::<Wanted>) {
            Ok(Wanted(limit, name)) => format!("{limit} {name:?}"),
            Err(problem) => serde_json::to_value(problem.body("r1", "/p")).unwrap()["detail"]
                .as_str()
                .unwrap()
                .to_owned(),
        }
    }

    #[test]
    fn reads_what_is_asked() {
        assert_eq!(told(""), "5 None");
        assert_eq!(told("limit=20&q=a+b%2Bc%C3%A9&"), "20 Some(\"a b+cé\")");
    }

    struct Needed(u16, bool);

    impl FromParameters for Needed {
        fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
            let number = parameters.required("n", str::parse::<u16>);
            let flag = parameters.flag("flag");
            Some(Self(number?, flag))
        }
    }

    #[test]
    fn some_must_be_there() {
        let needed = |query: &str| {
            let read = Parameters::of(query).and_then(Parameters::read::<Needed>);
            read.map(|Needed(number, flag)| (number, flag))
                .map_err(|problem| problem.detail().to_owned())
        };

        assert_eq!(needed("n=7"), Ok((7, false)));
        assert_eq!(needed("n=7&flag=true"), Ok((7, true)));
        assert_eq!(
            needed("flag=yes"),
            Err("n: is missing; flag: must be true or false".to_owned())
        );
    }

    #[test]
    fn refuses_everything_else() {
        let range = "limit must be a whole number from 1 to 20";
        for wrong in
            ["limit=0", "limit=21", "limit=abc", "limit=", "limit=1.5", "limit=-1", "limit=99999"]
        {
            assert_eq!(told(wrong), range, "{wrong}");
        }
        assert_eq!(told("limi=5"), "limi: is not a known parameter");
        assert_eq!(told("q=a&q=b"), "q: is given more than once");
        assert_eq!(told("q=%ff"), "the query is not percent-encoded UTF-8");
    }
}

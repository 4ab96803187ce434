//! Reading JSON by hand, so that everything wrong with a document is found at once and has a pointer.
//!
//! A derived reader stops at the first problem, drops repeated members and turns decimals into binary fractions. This
//! one keeps the text of every value until somebody says what it should be.

use std::{cell::RefCell, collections::HashSet, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, value::RawValue};

use crate::violation::Violation;

/// How many violations are told at most; a body can hold a thousand bad entries.
const MOST_VIOLATIONS: usize = 100;

/// So much of where a member is that repeats one is told, in bytes: a body can name a hundred of them in one long name.
const MOST_PLACE_BYTES: usize = 1_000;

const REPEATED: &str = "is given more than once";

/// Reads a document with `body`, which notes what is wrong on the nodes it visits.
///
/// # Errors
///
/// When the bytes are no JSON, or anything was noted.
pub fn read<T>(
    bytes: &[u8],
    body: impl FnOnce(&Node<'_>) -> Option<T>,
) -> Result<T, InvalidDocument> {
    let text = str::from_utf8(bytes).map_err(|error| InvalidDocument::not_utf8(bytes, error))?;
    if text.trim().is_empty() {
        return Err(InvalidDocument::Malformed {
            line: 1,
            column: 1,
            reason: "it is empty".into(),
        });
    }
    // The members are found by the same pass that finds out whether the text is JSON.
    let is_object = Kind::of(text.trim_ascii()) == Kind::Object;
    let members = if is_object { serde_json::from_str::<Pairs<'_>>(text).ok() } else { None };
    if members.is_none() {
        let _: &RawValue =
            serde_json::from_str(text).map_err(|error| InvalidDocument::from(&error))?;
    }
    let findings = Findings::default();
    let value = body(&Node {
        raw: text.trim_ascii(),
        members: members.as_ref().map(|Pairs(members)| members.as_slice()),
        pointer: String::new(),
        findings: &findings,
    });
    match (value, findings.0.into_inner()) {
        (Some(value), violations) if violations.is_empty() => Ok(value),
        (_, violations) => Err(InvalidDocument::Violations(violations)),
    }
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// It is no JSON.
    #[error("malformed JSON at line {line}, column {column}: {reason}")]
    Malformed {
        /// Where reading stopped, counted from 1.
        line: usize,
        /// Where in that line, in bytes counted from 1.
        column: usize,
        /// What was wrong there.
        reason: String,
    },
    /// It is JSON, but not what was asked for: everything that is wrong, at most 100.
    #[error("{}", Listed(.0))]
    Violations(Vec<Violation>),
}

impl InvalidDocument {
    fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Self {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or(bytes);
        let line = valid.split(|&byte| byte == b'\n');
        let column = line.clone().next_back().map_or(1, |last| last.len() + 1);
        Self::Malformed { line: line.count(), column, reason: "it is not UTF-8".into() }
    }
}

impl From<&serde_json::Error> for InvalidDocument {
    fn from(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column().max(1));
        Self::Malformed { line, column, reason: reason(error) }
    }
}

/// What a JSON reader complains about, without the place, which it only knows within one value.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned()
}

struct Listed<'a>(&'a [Violation]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{violation}")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Findings(RefCell<Vec<Violation>>);

/// One value of a document, and where it is.
#[derive(Clone)]
pub struct Node<'a> {
    raw: &'a str,
    /// Those of an object, if they are known already.
    members: Option<&'a [(String, &'a RawValue)]>,
    pointer: String,
    findings: &'a Findings,
}

impl<'a> Node<'a> {
    /// Where this value is: a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Notes that this value is wrong. Always `None`, to be returned.
    pub fn refuse<T>(&self, detail: impl Into<String>) -> Option<T> {
        self.note(Violation::at_pointer(self.pointer.clone(), detail));
        None
    }

    /// Notes a failure of a check of this value.
    pub fn checked<T, E: fmt::Display>(&self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.refuse::<T>(error.to_string())).ok()
    }

    /// The value as a string.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.expect(Kind::String)?;
        self.parsed()
    }

    /// The value as a number, to the nearest that a double holds.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self.decimal()?.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => self.refuse("is too large a number"),
        }
    }

    /// The value as a number, spelled as it was written.
    #[must_use]
    pub fn decimal(&self) -> Option<&'a str> {
        self.expect(Kind::Number)?;
        Some(self.raw)
    }

    /// The value as `true` or `false`.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        self.expect(Kind::Boolean)?;
        self.parsed()
    }

    /// The value as a whole number from 0 to `most`; `5.0` is whole.
    #[must_use]
    pub fn whole<N: TryFrom<u64> + Into<u64> + From<u8> + Copy>(&self, most: N) -> Option<N> {
        self.whole_within(N::from(0), most)
    }

    /// The value as a whole number from `least` to `most`; `5.0` is whole.
    #[must_use]
    pub fn whole_within<N: TryFrom<u64> + Into<u64>>(&self, least: N, most: N) -> Option<N> {
        let text = self.decimal()?;
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
            _ => text,
        };
        let (least, most): (u64, u64) = (least.into(), most.into());
        let within = |number: &u64| least <= *number && *number <= most;
        match whole.parse::<u64>().ok().filter(within).map(N::try_from) {
            Some(Ok(number)) => Some(number),
            _ => self.refuse(format!("must be a whole number from {least} to {most}")),
        }
    }

    /// The value as finite single-precision numbers.
    #[must_use]
    pub fn floats(&self) -> Option<Vec<f32>> {
        self.expect(Kind::Array)?;
        if let Some(numbers) = self.only_floats() {
            return Some(numbers);
        }
        // There are none, or something is no number: look at each, to say which.
        let numbers: Vec<Option<f32>> = self.elements()?.iter().map(Self::float).collect();
        numbers.into_iter().collect()
    }

    /// All of an array, if there are some and nothing else. The text is JSON, so what lies between two commas and is a number
    /// is one element, and not a part of another.
    fn only_floats(&self) -> Option<Vec<f32>> {
        let inside = self.raw.strip_prefix('[')?.strip_suffix(']')?;
        let number = |text: &[u8]| {
            let number: f32 = str::from_utf8(text.trim_ascii()).ok()?.parse().ok()?;
            number.is_finite().then_some(number)
        };
        inside.as_bytes().split(|&byte| byte == b',').map(number).collect()
    }

    fn float(&self) -> Option<f32> {
        match self.decimal()?.parse::<f32>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => self.refuse("is too large a number for single precision"),
        }
    }

    /// The value as an array.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Self>> {
        self.expect(Kind::Array)?;
        let elements: Vec<&'a RawValue> = self.parsed()?;
        let node = |(index, raw): (usize, &'a RawValue)| self.inside(&index, raw);
        Some(elements.into_iter().enumerate().map(node).collect())
    }

    /// The value as an object, whose repeated members are noted.
    #[must_use]
    pub fn members(&self) -> Option<Members<'a>> {
        self.expect(Kind::Object)?;
        let pairs = match self.members {
            Some(members) => members.to_vec(),
            None => self.parsed::<Pairs<'a>>()?.0,
        };
        let mut rest: Vec<(String, &'a RawValue)> = Vec::with_capacity(pairs.len());
        // Not a search in those that are there: an object can have a hundred thousand members.
        let mut known = HashSet::with_capacity(pairs.len());
        for (name, raw) in pairs {
            if known.insert(name.clone()) {
                rest.push((name, raw));
            } else {
                self.member(&name).refuse::<()>(REPEATED);
            }
        }
        Some(Members { object: self.clone(), rest })
    }

    /// A member of this object, there or not, to note something about.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        self.at(&escaped(name))
    }

    /// The value in the caller's own form. Members must not repeat in there either; each that does is noted.
    #[must_use]
    pub fn open_ended(&self) -> Option<Value> {
        let repeated = RefCell::default();
        let mut reader = serde_json::Deserializer::from_str(self.raw);
        let read = OpenEnded { inside: None, repeated: &repeated }.deserialize(&mut reader);
        let repeated = repeated.into_inner();
        for pointer in &repeated {
            let pointer = format!("{}{pointer}", self.pointer);
            Self { pointer, ..self.clone() }.refuse::<()>(REPEATED);
        }
        match read {
            Ok(value) if repeated.is_empty() => Some(value),
            Ok(_) => None,
            Err(error) => self.refuse(format!("cannot be read: {}", reason(&error))),
        }
    }

    /// Whether the value is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        Kind::of(self.raw) == Kind::Array
    }

    fn is_null(&self) -> bool {
        Kind::of(self.raw) == Kind::Null
    }

    fn expect(&self, wanted: Kind) -> Option<()> {
        let found = Kind::of(self.raw);
        if found == wanted {
            Some(())
        } else {
            self.refuse(format!("must be {}, not {}", wanted.name(), found.name()))
        }
    }

    fn parsed<T: Deserialize<'a>>(&self) -> Option<T> {
        match serde_json::from_str(self.raw) {
            Ok(value) => Some(value),
            Err(error) => self.refuse(format!("cannot be read: {}", reason(&error))),
        }
    }

    fn at(&self, token: &impl fmt::Display) -> Self {
        Self { pointer: format!("{}/{token}", self.pointer), ..self.clone() }
    }

    fn inside(&self, token: &impl fmt::Display, raw: &'a RawValue) -> Self {
        Self { raw: raw.get(), members: None, ..self.at(token) }
    }

    fn note(&self, violation: Violation) {
        let mut findings = self.findings.0.borrow_mut();
        if findings.len() < MOST_VIOLATIONS {
            findings.push(violation);
        }
    }
}

/// The members of an object that nobody has asked for yet.
pub struct Members<'a> {
    object: Node<'a>,
    rest: Vec<(String, &'a RawValue)>,
}

impl<'a> Members<'a> {
    /// The object itself.
    #[must_use]
    pub const fn object(&self) -> &Node<'a> {
        &self.object
    }

    /// A member that must be there; its absence is noted.
    #[must_use]
    pub fn required(&mut self, name: &str) -> Option<Node<'a>> {
        let member = self.take(name);
        if member.is_none() {
            self.object.refuse::<()>(format!("lacks the member '{name}'"));
        }
        member
    }

    /// A member that may be left out; `null` is as good as absent.
    #[must_use]
    pub fn optional(&mut self, name: &str) -> Option<Node<'a>> {
        self.take(name).filter(|member| !member.is_null())
    }

    /// Whether a member is there that nobody has asked for yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.rest.iter().any(|(known, _)| known == name)
    }

    /// The names of the members that nobody asked for, for a reader that leaves them out.
    #[must_use]
    pub fn rest(self) -> Vec<String> {
        self.rest.into_iter().map(|(name, _)| name).collect()
    }

    /// Notes every member that nobody asked for.
    pub fn end(self) {
        for (name, _) in &self.rest {
            self.object.member(name).refuse::<()>("is not a known member");
        }
    }

    fn take(&mut self, name: &str) -> Option<Node<'a>> {
        let index = self.rest.iter().position(|(known, _)| known == name)?;
        let (name, raw) = self.rest.remove(index);
        Some(self.object.inside(&escaped(&name), raw))
    }
}

fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The text is valid JSON, so that its first byte tells.
    fn of(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Number,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// The members of an object in order, repeated ones included.
pub(crate) struct Pairs<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }

        deserializer.deserialize_map(InOrder).map(Self)
    }
}

/// Reads any value, and where in it members are that repeat one.
#[derive(Clone, Copy)]
struct OpenEnded<'p> {
    inside: Option<&'p Place<'p>>,
    repeated: &'p RefCell<Vec<String>>,
}

/// Where a value is in those around it. A pointer is made of it only when there is something to say.
struct Place<'p> {
    inside: Option<&'p Self>,
    token: Token<'p>,
}

enum Token<'p> {
    Name(&'p str),
    Index(usize),
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut pointer = self.inside.map(Place::pointer).unwrap_or_default();
        if pointer.len() < MOST_PLACE_BYTES {
            pointer.push('/');
            match self.token {
                Token::Name(name) => {
                    let most = name.floor_char_boundary(MOST_PLACE_BYTES);
                    pointer.push_str(&escaped(name.get(..most).unwrap_or(name)));
                }
                Token::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }
}

impl<'p> OpenEnded<'p> {
    const fn place<'q>(&self, token: Token<'q>) -> Place<'q>
    where
        'p: 'q,
    {
        Place { inside: self.inside, token }
    }
}

impl<'de> DeserializeSeed<'de> for OpenEnded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OpenEnded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        loop {
            let place = self.place(Token::Index(elements.len()));
            let element = OpenEnded { inside: Some(&place), repeated: self.repeated };
            match seq.next_element_seed(element)? {
                Some(element) => elements.push(element),
                None => return Ok(Value::Array(elements)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let place = self.place(Token::Name(&name));
            if members.contains_key(&name) {
                let mut repeated = self.repeated.borrow_mut();
                if repeated.len() < MOST_VIOLATIONS {
                    repeated.push(place.pointer());
                }
            }
            let member = OpenEnded { inside: Some(&place), repeated: self.repeated };
            let member = map.next_value_seed(member)?;
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(bytes: &[u8]) -> (usize, usize) {
        match read(bytes, |_| Some(())) {
            Err(InvalidDocument::Malformed { line, column, .. }) => (line, column),
            other => panic!("got {other:?}"),
        }
    }

    fn told(text: &str, body: impl FnOnce(&Node<'_>) -> Option<()>) -> String {
        read(text.as_bytes(), body).unwrap_err().to_string()
    }

    #[test]
    fn tells_the_place_of_malformed_text() {
        assert_eq!(malformed(b""), (1, 1));
        assert_eq!(malformed(b"{\n  \"a\": tru }"), (2, 11));
        assert_eq!(malformed(b"{} x"), (1, 4));
        assert_eq!(malformed(b"{\"a\":\n\"\xff\"}"), (2, 2));
        assert_eq!(malformed(b"[1,]"), (1, 4));
    }

    #[test]
    fn names_the_wrong_kind() {
        assert_eq!(told("7", |node| node.text().map(drop)), "must be a string, not a number");
        assert_eq!(told("[]", |node| node.members().map(drop)), "must be an object, not an array");
        assert_eq!(told("null", |node| node.number().map(drop)), "must be a number, not null");
        assert_eq!(
            told("true", |node| node.elements().map(drop)),
            "must be an array, not a boolean"
        );
    }

    #[test]
    fn finds_unknown_repeated_and_missing_members_together() {
        let told = told(r#"{"a/b": 1, "c": 2, "c": 3}"#, |node| {
            let mut members = node.members()?;
            let missing = members.required("d");
            members.end();
            missing.map(drop)
        });

        assert_eq!(
            told,
            "/c: is given more than once; lacks the member 'd'; /a~1b: is not a known member; \
             /c: is not a known member"
        );
    }

    #[test]
    fn points_at_each_element_that_is_no_number() {
        let told = told(r#"{"e": [1, "2", 3, null, 1e999]}"#, |node| {
            node.members()?.required("e")?.floats().map(drop)
        });

        assert_eq!(
            told,
            "/e/1: must be a number, not a string; /e/3: must be a number, not null; /e/4: is too large a number for single precision"
        );
    }

    #[test]
    fn reads_numbers_however_they_are_written() {
        let floats = |text: &str| {
            read(format!("{{\"e\": {text}}}").as_bytes(), |node| {
                node.members()?.required("e")?.floats()
            })
        };

        assert_eq!(
            floats("[ 1 ,-0.5e-3,\n2E2, 16777217 ]"),
            Ok(vec![1.0, -0.0005, 200.0, 16_777_216.0])
        );
        assert_eq!(floats("[]"), Ok(vec![]));
        // Rounded once: by way of a double it would be the number above.
        assert_eq!(floats("[1.00000017881393432617187499]"), Ok(vec![1.000_000_1]));
        for (wrong, told) in [
            ("[[1,2],3]", "/e/0: must be a number, not an array"),
            (r#"["1,2"]"#, "/e/0: must be a number, not a string"),
            (r#"[{"a":1,"b":2}]"#, "/e/0: must be a number, not an object"),
        ] {
            assert_eq!(floats(wrong).unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn finds_the_members_of_a_document_and_of_what_is_in_it() {
        let text = " {\"a\": {\"b\": [{\"c\": 7}]}}\r\n";
        let found = read(text.as_bytes(), |node| {
            let inner = node.members()?.required("a")?.members()?.required("b")?.elements()?;
            inner.first()?.members()?.required("c")?.number()
        });

        assert_eq!(found, Ok(7.0));
        assert_eq!(malformed(b"{\"a\": 1} {}"), (1, 10));
        assert_eq!(malformed(b"{\"a\": [1, 2}"), (1, 12));
    }

    #[test]
    fn reads_whole_numbers_only() {
        let whole = |text: &str| read(text.as_bytes(), |node| node.whole(65_535_u16)).ok();

        assert_eq!(whole("0"), Some(0));
        assert_eq!(whole("65535.0"), Some(65_535));
        for wrong in ["-1", "65536", "1.5", "1e2", "\"1\"", "99999999999999999999"] {
            assert_eq!(whole(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_whole_numbers_within_bounds() {
        let within = |text: &str| read(text.as_bytes(), |node| node.whole_within(1_u16, 20));

        assert_eq!(within("1"), Ok(1));
        assert_eq!(within("20"), Ok(20));
        for wrong in ["0", "21"] {
            let refused = within(wrong).unwrap_err().to_string();
            assert_eq!(refused, "must be a whole number from 1 to 20");
        }
    }

    #[test]
    fn reads_booleans_only() {
        let both = read(b"[true, false]", |node| {
            node.elements()?.iter().map(Node::boolean).collect::<Option<Vec<_>>>()
        });

        assert_eq!(both, Ok(vec![true, false]));
        assert_eq!(told("1", |node| node.boolean().map(drop)), "must be a boolean, not a number");
    }

    #[test]
    fn refuses_repeated_members_in_open_ended_values() {
        let text = r#"{"own": {"a": [7, {"b/c": 1, "d": {}, "b/c": 2}], "a": {"e": 1, "e": 2}}}"#;
        let told = told(text, |node| node.members()?.required("own")?.open_ended().map(drop));

        assert_eq!(
            told,
            "/own/a/1/b~1c: is given more than once; /own/a: is given more than once; \
             /own/a/e: is given more than once"
        );
    }

    #[test]
    fn a_long_name_is_not_repeated_for_each_violation_in_it() {
        let twice = r#""a": 1, "#.repeat(101);
        let text = format!(r#"{{"{}": {{{twice}"b": 1}}}}"#, "ä/".repeat(100_000));

        let told = told(&text, |node| node.open_ended().map(drop));

        assert!(told.len() < 300_000, "{}", told.len());
    }

    #[test]
    fn refuses_half_of_a_surrogate_pair_and_bottomless_nesting() {
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));

        assert!(read(br#""\ud83d""#, |node| node.text().map(drop)).is_err());
        assert!(read(deep.as_bytes(), |node| node.open_ended().map(drop)).is_err());
    }

    #[test]
    fn stops_noting_at_a_hundred() {
        let body = format!("[{}]", vec!["null"; 1_000].join(","));

        let Err(InvalidDocument::Violations(violations)) =
            read(body.as_bytes(), |node| node.floats().map(drop))
        else {
            panic!("accepted");
        };
        assert_eq!(violations.len(), 100);
    }
}

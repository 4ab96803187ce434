//! An answer's JSON as somebody can read it: in its own order, and only the beginning of what is long.

use std::fmt;

use serde_json::value::RawValue;

use crate::json::Pairs;

/// How many characters of a line there are at most, its indentation included.
const WIDTH: usize = 100;

/// How many characters a string may have, and how many are left of a longer one.
const LONG_STRING: usize = 160;
const LEFT_OF_STRING: usize = 90;

/// How many elements an array may have, and how many are left of a longer one.
const LONG_ARRAY: usize = 8;
const LEFT_OF_ARRAY: usize = 3;

/// JSON to show. What was left out is counted where it was.
#[derive(Debug)]
pub(super) enum Answer {
    /// A number, a string or a word, as it was written.
    Scalar(String),
    /// An array, with a note at its end if there is more.
    Array { elements: Vec<Self>, more: Option<String> },
    /// An object.
    Object(Vec<(String, Self)>),
}

impl Answer {
    /// Reads what was answered.
    pub(super) fn read(text: &str) -> Result<Self, serde_json::Error> {
        Self::of(serde_json::from_str(text)?)
    }

    fn of(raw: &RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Pairs(members) = serde_json::from_str(text)?;
                let members = members.into_iter().map(|(name, raw)| Ok((name, Self::of(raw)?)));
                members.collect::<Result<_, _>>().map(Self::Object)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text)?;
                let count = elements.len();
                let is_number = |raw: &&RawValue| {
                    raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit())
                };
                let (left, more) = if count <= LONG_ARRAY {
                    (count, None)
                } else if elements.iter().all(is_number) {
                    (LEFT_OF_ARRAY, Some(format!("… {count} numbers")))
                } else {
                    (LEFT_OF_ARRAY, Some(format!("… {} more", count - LEFT_OF_ARRAY)))
                };
                let elements = elements.into_iter().take(left).map(Self::of);
                Ok(Self::Array { elements: elements.collect::<Result<_, _>>()?, more })
            }
            Some(b'"') => {
                let string: String = serde_json::from_str(text)?;
                let count = string.chars().count();
                if count <= LONG_STRING {
                    return Ok(Self::Scalar(text.to_owned()));
                }
                let left: String = string.chars().take(LEFT_OF_STRING).collect();
                Ok(Self::Scalar(format!(
                    "{}… {count} characters\"",
                    quoted(&left).trim_end_matches('"')
                )))
            }
            _ => Ok(Self::Scalar(text.to_owned())),
        }
    }

    /// The answer in one line.
    fn line(&self) -> String {
        match self {
            Self::Scalar(text) => text.clone(),
            Self::Array { elements, more } => {
                let elements = elements.iter().map(Self::line).chain(more.clone());
                format!("[{}]", elements.collect::<Vec<_>>().join(", "))
            }
            Self::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("{}: {}", quoted(name), value.line()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The lines after the first begin with `indent` spaces; the first begins after `before` characters.
    fn lay_out(&self, indent: usize, before: usize, text: &mut impl fmt::Write) -> fmt::Result {
        let line = self.line();
        let (open, close, entries, more) = match self {
            _ if before + line.chars().count() < WIDTH => return text.write_str(&line),
            Self::Scalar(scalar) => return text.write_str(scalar),
            Self::Array { elements, more } => {
                let entries = elements.iter().map(|element| (String::new(), element));
                ('[', ']', entries.collect::<Vec<_>>(), more.as_deref())
            }
            Self::Object(members) => {
                let entries =
                    members.iter().map(|(name, value)| (format!("{}: ", quoted(name)), value));
                ('{', '}', entries.collect(), None)
            }
        };
        let inner = indent + 2;
        write!(text, "{open}")?;
        // Past every line's end, so that the first entry begins a line.
        let mut column = WIDTH;
        for (index, (name, value)) in entries.iter().enumerate() {
            let before = name.chars().count();
            let length = before + value.line().chars().count() + 1;
            let comma = if index == 0 { "" } else { "," };
            // Short values share lines; arrays and objects are easier to see on lines of their own.
            let scalar = matches!(value, Self::Scalar(_));
            if scalar && column + length < WIDTH {
                write!(text, "{comma} {name}")?;
                column += length + 1;
            } else {
                write!(text, "{comma}\n{:inner$}{name}", "")?;
                column = if scalar { inner + length } else { WIDTH };
            }
            value.lay_out(inner, inner + before, text)?;
        }
        if let Some(more) = more {
            write!(text, ",\n{:inner$}{more}", "")?;
        }
        write!(text, "\n{:indent$}{close}", "")
    }
}

/// Lays it out in lines of at most 100 characters where strings let it.
impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lay_out(0, 0, formatter)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Answer::read(text).unwrap().to_string()
    }

    #[test]
    fn keeps_order_and_spelling() {
        assert_eq!(
            shown(r#"{"b":1.50,"a":[true,null,"é\n"],"c":{}}"#),
            r#"{"b": 1.50, "a": [true, null, "é\n"], "c": {}}"#
        );
    }

    #[test]
    fn says_how_much_it_leaves_out() {
        let numbers = vec!["0.5"; 384].join(",");
        let objects = [r#"{"a":1}"#; 9].join(",");
        let long = "é".repeat(200);

        assert_eq!(shown(&format!("[{numbers}]")), "[0.5, 0.5, 0.5, … 384 numbers]");
        assert_eq!(shown(&format!("[{objects}]")), r#"[{"a": 1}, {"a": 1}, {"a": 1}, … 6 more]"#);
        assert_eq!(
            shown(&format!("\"{long}\"")),
            format!("\"{}… 200 characters\"", "é".repeat(90))
        );
    }

    #[test]
    fn breaks_what_is_wider_than_a_line() {
        let wide = "x".repeat(60);

        assert_eq!(
            shown(&format!(
                r#"{{"a":1,"b":[{{"c":"{wide}"}},{{"c":"{wide}"}}],"d":2,"e":3,"f":"{wide}","g":"{wide}"}}"#
            )),
            format!(
                "{{\n  \"a\": 1,\n  \"b\": [\n    {{\"c\": \"{wide}\"}},\n    {{\"c\": \"{wide}\"}}\n  ],\n  \
                 \"d\": 2, \"e\": 3, \"f\": \"{wide}\",\n  \"g\": \"{wide}\"\n}}"
            )
        );
    }
}

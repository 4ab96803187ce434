//! One entry or an array of them, in requests and in the answers to them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::json::Node;

/// The entries of a body, and the form they came in.
pub struct Batch<T> {
    /// At least one entry.
    pub items: Vec<T>,
    /// How they were given.
    pub form: Form,
}

/// How entries were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A single one.
    One,
    /// An array.
    Many,
}

/// One entry, or an array of entries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single one.
    One(T),
    /// An array.
    Many(Vec<T>),
}

impl<T> Batch<T> {
    /// Reads an object as one entry, or an array of 1 to `most` objects, with `entry`.
    #[must_use]
    pub fn read(
        node: &Node<'_>,
        most: usize,
        entry: impl Fn(&Node<'_>) -> Option<T>,
    ) -> Option<Self> {
        if !node.is_array() {
            return Some(Self { items: vec![entry(node)?], form: Form::One });
        }
        let nodes = node.elements()?;
        if nodes.is_empty() || most < nodes.len() {
            return node.refuse(format!("must hold 1 to {most} entries, not {}", nodes.len()));
        }
        // Every entry is read, so that everything wrong is found.
        let read: Vec<Option<T>> = nodes.iter().map(entry).collect();
        let items = read.into_iter().collect::<Option<_>>()?;
        Some(Self { items, form: Form::Many })
    }
}

impl Form {
    /// The answer to entries that were given in this form.
    pub fn shape<T>(self, mut items: Vec<T>) -> OneOrMany<T> {
        match self {
            Self::One => items.pop().map_or_else(|| OneOrMany::Many(Vec::new()), OneOrMany::One),
            Self::Many => OneOrMany::Many(items),
        }
    }

    /// Where in the body the entry with this index is: a JSON pointer.
    #[must_use]
    pub fn pointer(self, index: usize) -> String {
        match self {
            Self::One => String::new(),
            Self::Many => format!("/{index}"),
        }
    }
}

//! The binary format of `COPY`, as the PostgreSQL manual describes it: numbers in network order, each field led by its
//! length in bytes.

use domain::Embedding;
use sea_orm::prelude::Uuid;

use crate::error::Failure;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Rows in the making.
pub(super) struct Copy {
    bytes: Vec<u8>,
}

impl Copy {
    #[expect(clippy::cast_possible_truncation, reason = "384 fits")]
    const DIMENSIONS: u16 = Embedding::DIMENSIONS as u16;

    pub(super) fn new() -> Self {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 8]); // No flags, no extension of the header.
        Self { bytes }
    }

    /// Begins a row; exactly so many fields must follow.
    pub(super) fn row(&mut self, fields: u16) {
        self.bytes.extend(fields.to_be_bytes());
    }

    pub(super) fn nulls(&mut self, fields: u16) {
        for _ in 0..fields {
            self.bytes.extend((-1_i32).to_be_bytes());
        }
    }

    pub(super) fn uuid(&mut self, uuid: Uuid) -> Result<(), Failure> {
        self.field(uuid.as_bytes())
    }

    pub(super) fn double(&mut self, number: f64) -> Result<(), Failure> {
        self.field(&number.to_be_bytes())
    }

    pub(super) fn integer(&mut self, number: i32) -> Result<(), Failure> {
        self.field(&number.to_be_bytes())
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.field(text.as_bytes())
    }

    /// A `jsonb`: the number of its format, then text.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> Result<(), Failure> {
        self.field(format!("\u{1}{value}").as_bytes())
    }

    /// A `vector` of pgvector: its dimension, a reserved word, then single-precision numbers.
    pub(super) fn vector(&mut self, embedding: &Embedding) -> Result<(), Failure> {
        let mut value = Vec::with_capacity(4 + 4 * Embedding::DIMENSIONS);
        value.extend(Self::DIMENSIONS.to_be_bytes());
        value.extend([0; 2]);
        value.extend(embedding.as_slice().iter().flat_map(|number| number.to_be_bytes()));
        self.field(&value)
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend((-1_i16).to_be_bytes());
        self.bytes
    }

    fn field(&mut self, value: &[u8]) -> Result<(), Failure> {
        self.bytes.extend(i32::try_from(value.len()).map_err(Failure::corrupt)?.to_be_bytes());
        self.bytes.extend(value);
        Ok(())
    }
}

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

    pub(super) fn uuid(&mut self, uuid: Uuid) {
        self.fixed(*uuid.as_bytes());
    }

    pub(super) fn double(&mut self, number: f64) {
        self.fixed(number.to_be_bytes());
    }

    pub(super) fn integer(&mut self, number: i32) {
        self.fixed(number.to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.length(text.len())?;
        self.bytes.extend(text.as_bytes());
        Ok(())
    }

    /// A `jsonb`: the number of its format, then text.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> Result<(), Failure> {
        let text = value.to_string();
        self.length(text.len() + 1)?;
        self.bytes.push(1);
        self.bytes.extend(text.as_bytes());
        Ok(())
    }

    /// A `vector` of pgvector: its dimension, a reserved word, then single-precision numbers.
    pub(super) fn vector(&mut self, embedding: &Embedding) {
        const BYTES: i32 = 4 + 4 * Embedding::DIMENSIONS as i32;
        const DIMENSIONS: u16 = Embedding::DIMENSIONS as u16;
        self.bytes.extend(BYTES.to_be_bytes());
        self.bytes.extend(DIMENSIONS.to_be_bytes());
        self.bytes.extend([0; 2]);
        self.bytes.extend(embedding.as_slice().iter().flat_map(|number| number.to_be_bytes()));
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend((-1_i16).to_be_bytes());
        self.bytes
    }

    fn fixed<const BYTES: usize>(&mut self, bytes: [u8; BYTES]) {
        self.bytes.extend((BYTES as i32).to_be_bytes());
        self.bytes.extend(bytes);
    }

    fn length(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes.extend(i32::try_from(bytes).map_err(Failure::corrupt)?.to_be_bytes());
        Ok(())
    }
}

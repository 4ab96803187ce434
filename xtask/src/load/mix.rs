//! What is asked.

use fastrand::Rng;

/// Makes a request: writes all of it behind what is there, and returns a number if it should be noted how it ended.
type Make = Box<dyn FnMut(&mut Rng, &mut Vec<u8>) -> Option<u64>>;

/// Kinds of requests, and how often each is asked.
#[derive(Default)]
pub struct Mix {
    kinds: Vec<Kind>,
    weights: u32,
    chance: Rng,
}

struct Kind {
    name: &'static str,
    weight: u32,
    make: Make,
}

/// A request that was drawn.
pub(super) struct Drawn {
    pub(super) kind: usize,
    pub(super) noted: Option<u64>,
}

impl Mix {
    /// Nothing yet. The same seed draws the same requests in the same order.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { kinds: Vec::new(), weights: 0, chance: Rng::with_seed(seed) }
    }

    /// Adds a kind of request, asked as often as its weight is part of all of them.
    ///
    /// `make` writes a whole request of HTTP/1.1, its body included, and returns a number if the
    /// [report](super::Report::noted) should tell how just this request ended.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        weight: u32,
        make: impl FnMut(&mut Rng, &mut Vec<u8>) -> Option<u64> + 'static,
    ) -> Self {
        self.weights += weight;
        self.kinds.push(Kind { name, weight, make: Box::new(make) });
        self
    }

    /// Adds a kind of request that is always the same.
    #[must_use]
    pub fn with_bytes(self, name: &'static str, weight: u32, request: Vec<u8>) -> Self {
        self.with(name, weight, move |_, into| {
            into.extend_from_slice(&request);
            None
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.name)
    }

    /// Draws one; `None` when there is nothing to ask.
    pub(super) fn draw(&mut self, into: &mut Vec<u8>) -> Option<Drawn> {
        into.clear();
        if self.weights == 0 {
            return None;
        }
        let mut at = self.chance.u32(..self.weights);
        for (kind, of) in self.kinds.iter_mut().enumerate() {
            if at < of.weight {
                return Some(Drawn { kind, noted: (of.make)(&mut self.chance, into) });
            }
            at -= of.weight;
        }
        None
    }
}

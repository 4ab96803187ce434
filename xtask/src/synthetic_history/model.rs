//! Who generates, how long that takes, and what it costs.

/// A model, with what is usual for it.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) provider: &'static str,
    pub(super) name: &'static str,
    /// How often it is used.
    pub(super) weight: u32,
    /// Half of its generations take less than that.
    pub(super) median_ms: f64,
    /// How far times lie apart: the deviation of their logarithm.
    pub(super) spread: f64,
    /// What it usually reads and writes; `None` for a model that has no tokens.
    pub(super) tokens: Option<Usage>,
}

/// Tokens, and what they cost.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) input: f64,
    pub(super) output: f64,
    /// Nano-dollars for a token that was read.
    pub(super) input_nanos: u64,
    /// Nano-dollars for a token that was written.
    pub(super) output_nanos: u64,
    /// Whether it thinks before it writes.
    pub(super) reasons: bool,
}

const fn usage(input: f64, output: f64, input_nanos: u64, output_nanos: u64) -> Usage {
    Usage { input, output, input_nanos, output_nanos, reasons: false }
}

const fn reasoning(input: f64, output: f64, input_nanos: u64, output_nanos: u64) -> Usage {
    Usage { input, output, input_nanos, output_nanos, reasons: true }
}

const fn model(
    (provider, name): (&'static str, &'static str),
    weight: u32,
    (median_ms, spread): (f64, f64),
    tokens: Option<Usage>,
) -> Model {
    Model { provider, name, weight, median_ms, spread, tokens }
}

/// All models. Prices are about right and nobody's.
pub(super) const MODELS: [Model; 12] = [
    model(
        ("anthropic", "drums-large-2"),
        12,
        (4_200.0, 0.8),
        Some(reasoning(2_600.0, 900.0, 15_000, 75_000)),
    ),
    model(
        ("anthropic", "drums-medium-2"),
        22,
        (2_100.0, 0.7),
        Some(usage(2_200.0, 650.0, 3_000, 15_000)),
    ),
    model(
        ("anthropic", "drums-small-2"),
        10,
        (900.0, 0.6),
        Some(usage(1_700.0, 500.0, 800, 4_000)),
    ),
    model(
        ("openai", "groove-4"),
        14,
        (2_800.0, 0.9),
        Some(reasoning(2_400.0, 800.0, 2_500, 10_000)),
    ),
    model(("openai", "groove-4-mini"), 12, (1_200.0, 0.7), Some(usage(1_900.0, 550.0, 150, 600))),
    model(
        ("google", "rhythm-pro"),
        8,
        (2_600.0, 0.8),
        Some(reasoning(3_000.0, 700.0, 1_250, 10_000)),
    ),
    model(("google", "rhythm-flash"), 9, (800.0, 0.6), Some(usage(2_500.0, 600.0, 75, 300))),
    model(
        ("mistral", "batterie-large"),
        3,
        (3_200.0, 0.9),
        Some(usage(2_000.0, 700.0, 2_000, 6_000)),
    ),
    model(("mistral", "batterie-small"), 3, (1_300.0, 0.7), Some(usage(1_600.0, 450.0, 100, 300))),
    // On a machine of one's own: slow, and paid for already.
    model(("local", "shuffle-70b"), 2, (14_000.0, 1.0), Some(usage(1_800.0, 500.0, 0, 0))),
    model(("local", "shuffle-8b"), 3, (5_000.0, 0.9), Some(usage(1_500.0, 400.0, 0, 0))),
    model(("local", "patterns-1"), 2, (40.0, 0.5), None),
];

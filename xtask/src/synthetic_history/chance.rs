//! Numbers that look random and follow from others.

/// A row of numbers. It is the same on every machine and in every version of every library, because what was recorded
/// once has to be made again as it was.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The row that belongs to two numbers.
    pub(super) fn of(key: u64, number: u64) -> Self {
        let mut chance = Self(number);
        let mixed = chance.number();
        Self(key ^ mixed)
    }

    /// `SplitMix64` by Steele, Lea and Flood.
    pub(super) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit.
    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        // That the first few come once in 2^64 times more often cannot be seen.
        self.number() % limit
    }

    /// True so many times in a thousand.
    pub(super) const fn is(&mut self, in_thousand: u64) -> bool {
        self.below(1_000) < in_thousand
    }

    /// A number from 0 to 1, 1 not included.
    #[expect(clippy::cast_precision_loss, reason = "these are as many bits as a double has")]
    pub(super) const fn part(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number around 1, half of them below, whose logarithm is spread normally (by Box and Muller).
    pub(super) fn around_one(&mut self, spread: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.part()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.part()).cos();
        (spread * normal).exp()
    }

    /// One of several, each as often as its weight says.
    pub(super) fn weighted<'a, T>(
        &mut self,
        all: &'a [T],
        weight: impl Fn(&T) -> u32,
    ) -> Option<&'a T> {
        let sum: u64 = all.iter().map(|one| u64::from(weight(one))).sum();
        let mut wanted = self.below(sum.max(1));
        all.iter().find(|one| {
            let weight = u64::from(weight(one));
            let is_it = wanted < weight;
            wanted = wanted.saturating_sub(weight);
            is_it
        })
    }

    /// One of several.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        self.weighted(all, |_| 1)
    }
}

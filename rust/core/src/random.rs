//! Random numbers that are the same everywhere.

/// splitmix64 (Steele, Lea and Flood 2014, OOPSLA, 453).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u32
    }

    /// At most `number` of the values, drawn without putting them back.
    pub fn draw<T>(&mut self, mut values: Vec<T>, number: usize) -> Vec<T> {
        for k in 0..number.min(values.len()) {
            let left = (values.len() - k) as u32;
            values.swap(k, k + self.below(left) as usize);
        }
        values.truncate(number);
        values
    }
}

#[cfg(test)]
impl Random {
    /// Between 0 and 1, neither of them.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    pub fn gumbel(&mut self, middle: f64, spread: f64) -> f64 {
        middle - spread * (-self.unit().ln()).ln()
    }

    pub fn normal(&mut self, mean: f64, sd: f64) -> f64 {
        let (radius, angle) = ((-2.0 * self.unit().ln()).sqrt(), 2.0 * std::f64::consts::PI * self.unit());
        mean + sd * radius * angle.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_without_repetition() {
        let mut counts = [0; 5];
        for seed in 0..10_000 {
            let mut drawn = Random::new(seed).draw(vec![0, 1, 2, 3, 4], 3);
            drawn.iter().for_each(|&value: &usize| counts[value] += 1);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 3);
        }
        assert!(counts.iter().all(|count| (5_800..6_200).contains(count)), "{counts:?}");
        assert_eq!(Random::new(7).draw(vec![1], 8), [1]);
    }
}

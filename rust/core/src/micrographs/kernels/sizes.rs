//! Sizes of images whose transforms are fast.

/// The smallest even size of factors 2 and 3 that is at least `size`: the transform of 511 takes 1.8 times that of 512.
pub fn good_size(size: usize) -> usize {
    (size.max(2).div_ceil(2) * 2..).step_by(2).find(|&n| is_good(n)).unwrap_or(size)
}

fn is_good(mut n: usize) -> bool {
    for factor in [2, 3] {
        while n.is_multiple_of(factor) {
            n /= factor;
        }
    }
    n == 1
}

/// The even size of factors 2 and 3 that is nearest in ratio, but not above `max`.
pub fn nearest_good(size: f64, max: usize) -> usize {
    if size >= max as f64 {
        return max;
    }
    let above = good_size(size.ceil() as usize);
    let below = (2..=above).rev().find(|&n| n as f64 <= size && good_size(n) == n).unwrap_or(2);
    (if above as f64 / size < size / below as f64 { above } else { below }).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_sizes() {
        assert_eq!([1, 64, 65, 97, 511, 720, 1025].map(good_size), [2, 64, 72, 108, 512, 768, 1152]);
    }
}

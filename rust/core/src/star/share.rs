//! A column that threads fill together.

/// The part of a column that one span of rows fills: room for as many values as such a span is expected to have, and more where it has more.
///
/// A column of its own a span, joined at the end, held all values twice: 150 bytes a particle at the peak instead of 75.
#[derive(Debug)]
pub(super) struct Share<'a, T> {
    room: &'a mut [T],
    used: usize,
    more: Vec<T>,
}

/// The number of values that a share has in its room, and the values beyond.
#[derive(Debug)]
pub(super) struct Filled<T> {
    used: usize,
    more: Vec<T>,
}

impl<'a, T: Copy> Share<'a, T> {
    pub fn new(room: &'a mut [T]) -> Self {
        Self { room, used: 0, more: Vec::new() }
    }

    #[inline]
    pub fn push(&mut self, value: T) {
        match self.room.get_mut(self.used) {
            Some(place) => {
                *place = value;
                self.used += 1;
            }
            None => self.more.push(value),
        }
    }

    pub fn last(&self) -> Option<T> {
        self.more.last().or_else(|| self.room[..self.used].last()).copied()
    }

    pub fn filled(self) -> Filled<T> {
        Filled { used: self.used, more: self.more }
    }
}

impl<T> Filled<T> {
    pub fn len(&self) -> usize {
        self.used + self.more.len()
    }
}

/// Closes the gaps between shares: `all` holds rooms of equal size, in order.
pub(super) fn close<T: Copy>(mut all: Vec<T>, room: usize, shares: &[Filled<T>]) -> Vec<T> {
    if shares.iter().any(|share| share.len() > room) {
        let values = |(at, share): (usize, &Filled<T>)| [&all[at * room..at * room + share.used], &share.more].concat();
        return shares.iter().enumerate().flat_map(values).collect();
    }
    let mut end = 0;
    for (at, share) in shares.iter().enumerate() {
        all.copy_within(at * room..at * room + share.used, end);
        end += share.used;
        all[end..end + share.more.len()].copy_from_slice(&share.more);
        end += share.more.len();
    }
    all.truncate(end);
    all.shrink_to_fit();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn closed_shares_are_all_values_in_order(counts in prop::collection::vec(0..9_usize, 0..9), room in 1..12_usize) {
            let mut all = vec![0; counts.len() * room];
            let mut next = 0;
            let shares: Vec<_> = all.chunks_mut(room).zip(&counts).map(|(room, &count)| {
                let mut share = Share::new(room);
                for _ in 0..count {
                    share.push(next);
                    next += 1;
                    prop_assert_eq!(share.last(), Some(next - 1));
                }
                Ok(share.filled())
            }).collect::<Result<_, TestCaseError>>()?;
            prop_assert_eq!(shares.iter().map(Filled::len).sum::<usize>(), next);
            prop_assert_eq!(close(all, room, &shares), (0..next).collect::<Vec<_>>());
        }
    }
}

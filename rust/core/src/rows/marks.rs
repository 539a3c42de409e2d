//! Where cells start, found eight bytes at a time.

/// The bytes of a text at which a cell starts, a bit each: those that are not blank and follow a blank.
///
/// True of lines without quotes and comments. 64 bytes take some 25 cycles on any processor, so that a scan is bound by memory; going from cell to cell
/// byte by byte took three times as long as all else.
#[derive(Debug, Default)]
pub struct Marks {
    starts: Vec<u64>,
    /// Whether the text has neither quotes nor comments.
    plain: bool,
}

impl Marks {
    /// Finds those of a text, at whose front a cell may start.
    pub fn fill(&mut self, text: &[u8]) {
        self.plain = is_plain(text);
        self.starts.clear();
        self.starts.reserve(text.len() / 64 + 1);
        let mut before = 0;
        let (blocks, rest) = text.as_chunks::<64>();
        for block in blocks {
            self.push(block, &mut before);
        }
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.push(&last, &mut before);
    }

    /// Whether a line of the text has neither quotes nor comments.
    pub fn are_cells_of(&self, line: &[u8]) -> bool {
        self.plain || is_plain(line)
    }

    fn push(&mut self, block: &[u8; 64], before: &mut u64) {
        let words = block.as_chunks::<8>().0;
        let filled = words.iter().rev().fold(0, |bits, word| bits << 8 | filled(u64::from_le_bytes(*word)));
        self.starts.push(filled & !(filled << 1 | *before));
        *before = filled >> 63;
    }

    /// The number of cells that start from `from` on and before `to`.
    pub fn count(&self, from: usize, to: usize) -> usize {
        let (first, last) = (from / 64, to / 64);
        if first == last {
            return (self.starts[first] & below(to) & !below(from)).count_ones() as usize;
        }
        let between: u32 = self.starts[first + 1..last].iter().map(|word| word.count_ones()).sum();
        ((self.starts[first] & !below(from)).count_ones() + between + (self.starts[last] & below(to)).count_ones()) as usize
    }

    /// The first start from `from` on and before `to`.
    pub fn first(&self, from: usize, to: usize) -> Option<usize> {
        let mut at = from / 64;
        let mut bits = self.starts[at] & !below(from);
        while bits == 0 && (at + 1) * 64 < to {
            at += 1;
            bits = self.starts[at];
        }
        let first = at * 64 + bits.trailing_zeros() as usize;
        (bits != 0 && first < to).then_some(first)
    }

    /// The starts from `from` on.
    pub fn from(&self, from: usize) -> Starts<'_> {
        Starts { words: &self.starts, at: from / 64, bits: self.starts[from / 64] & !below(from) }
    }
}

fn is_plain(text: &[u8]) -> bool {
    memchr::memchr3(b'"', b'\'', b'#', text).is_none()
}

/// The bits of the bytes before `at` in its word.
fn below(at: usize) -> u64 {
    (1 << (at % 64)) - 1
}

/// A bit for each of eight bytes that is greater than a blank.
#[inline]
fn filled(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The sum carries into the highest bit of a byte from 0x21 on; the product gathers these bits in the highest byte.
    let high = (((word & LOW) + 0x5f5f_5f5f_5f5f_5f5f) | word) & !LOW;
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Starts of cells, ascending.
pub struct Starts<'a> {
    words: &'a [u64],
    at: usize,
    bits: u64,
}

impl Starts<'_> {
    /// Passes over `count` of them, and gives the next; there has to be one.
    #[inline]
    pub fn skip(&mut self, mut count: usize) -> usize {
        loop {
            let here = self.bits.count_ones() as usize;
            if count < here {
                (0..count).for_each(|_| self.bits &= self.bits - 1);
                let start = self.at * 64 + self.bits.trailing_zeros() as usize;
                self.bits &= self.bits - 1;
                return start;
            }
            count -= here;
            self.at += 1;
            self.bits = self.words[self.at];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn starts_are_what_a_plain_loop_finds(text in prop::collection::vec(prop_oneof![Just(b' '), Just(b'\n'), any::<u8>()], 0..300), cut in 0..300_usize) {
            let mut marks = Marks::default();
            marks.fill(&text);
            let plain: Vec<usize> = (0..text.len()).filter(|&at| text[at] > b' ' && (at == 0 || text[at - 1] <= b' ')).collect();
            let cut = cut.min(text.len());
            let behind: Vec<usize> = plain.iter().copied().filter(|&at| at >= cut).collect();
            prop_assert_eq!(marks.count(cut, text.len()), behind.len());
            prop_assert_eq!(marks.count(0, cut), plain.len() - behind.len());
            prop_assert_eq!(marks.first(cut, text.len()), behind.first().copied());
            prop_assert_eq!(marks.first(0, cut), plain.first().copied().filter(|&first| first < cut));
            let mut starts = marks.from(cut);
            prop_assert_eq!((0..behind.len()).map(|_| starts.skip(0)).collect::<Vec<_>>(), &behind[..]);
            for (skipped, start) in behind.iter().enumerate() {
                prop_assert_eq!(marks.from(cut).skip(skipped), *start);
            }
        }
    }
}

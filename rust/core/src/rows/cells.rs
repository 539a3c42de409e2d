//! The cells of a line.

/// One cell: its text without quotes, and its span in the line with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The text without quotes.
    pub text: &'a [u8],
    /// First byte, quotes included.
    pub start: usize,
    /// The byte after the last, quotes included.
    pub end: usize,
}

/// The cells of a line from left to right: separated by blanks, or in quotes. A quote ends a cell only before a blank.
#[derive(Clone, Debug)]
pub struct Cells<'a> {
    line: &'a [u8],
    at: usize,
    /// Quotes that nothing closes any more, which were looked for up to the end of the line: of many such each would take as long.
    open: [bool; 2],
}

const QUOTES: [u8; 2] = [b'"', b'\''];

/// Blanks, tabs, line ends, and what else is not printed.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

impl<'a> Cells<'a> {
    /// Goes through one line, given with or without its end.
    pub fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0, open: [false; 2] }
    }

    /// The cells up to a comment, which is what an unquoted cell begins that begins with `#`.
    pub fn before_comment(self) -> impl Iterator<Item = Cell<'a>> {
        let line = self.line;
        self.take_while(move |cell| line[cell.start] != b'#')
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cell<'a>;

    #[inline]
    fn next(&mut self) -> Option<Cell<'a>> {
        let bytes = self.line;
        let mut start = self.at;
        while start < bytes.len() && is_blank(bytes[start]) {
            start += 1;
        }
        if start == bytes.len() {
            self.at = start;
            return None;
        }
        if let Some(kind) = QUOTES.iter().position(|&quote| quote == bytes[start])
            && !self.open[kind]
        {
            if let Some(end) = closing(bytes, start) {
                self.at = end + 1;
                return Some(Cell { text: &bytes[start + 1..end], start, end: end + 1 });
            }
            self.open[kind] = true;
        }
        let mut end = start + 1;
        while end < bytes.len() && !is_blank(bytes[end]) {
            end += 1;
        }
        self.at = end;
        Some(Cell { text: &bytes[start..end], start, end })
    }
}

/// The position of the quote that closes the one at `open`: the first one like it that a blank or the line's end follows.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    (open + 1..bytes.len()).find(|&at| bytes[at] == bytes[open] && bytes.get(at + 1).is_none_or(|&next| is_blank(next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        Cells::new(line.as_bytes()).map(|cell| String::from_utf8_lossy(cell.text).into_owned()).collect()
    }

    #[test]
    fn blanks_tabs_and_quotes() {
        assert_eq!(texts(" 1.0\t2.0 \r\n"), ["1.0", "2.0"]);
        assert_eq!(texts("'a b' \"c d\" e'f"), ["a b", "c d", "e'f"]);
        assert_eq!(texts("'it's one' x"), ["it's one", "x"]);
        assert_eq!(texts("'open [1,2,3] []"), ["'open", "[1,2,3]", "[]"]);
        assert_eq!(texts("'' \"\" x"), ["", "", "x"]);
        assert_eq!(texts(""), Vec::<String>::new());
    }

    #[test]
    fn of_many_quotes_that_nothing_closes_the_line_is_read_once() {
        assert_eq!(texts("'a 'b \"c d\" 'e"), ["'a", "'b", "c d", "'e"]);
        assert_eq!(texts("'a b' 'c 'd"), ["a b", "'c", "'d"]);
        // Each quote to the end of the line: 2.5e12 steps.
        assert_eq!(Cells::new(&b" 'a b\"".repeat(1 << 21)).count(), 1 << 22);
    }

    #[test]
    fn a_comment_is_not_counted() {
        assert_eq!(Cells::new(b"1 2 # three 4").before_comment().count(), 2);
        assert_eq!(Cells::new(b"mic#1.mrc 2").before_comment().count(), 2);
        assert_eq!(Cells::new(b"1 '#2' # 3").before_comment().count(), 2);
    }
}

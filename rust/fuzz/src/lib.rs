//! Shared by the targets: a directory for the files they write, and what has to be true of a STAR file.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use cryodedup_core::rows::{Input, Part, Rewrite, Rows, split};
use cryodedup_core::star::{Column, Table, Wanted, read_cells, scan};
use cryodedup_core::{Error, Monitor};

static DIRECTORY: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

/// The path of a file of this process.
pub fn scratch(name: &str) -> PathBuf {
    DIRECTORY.path().join(name)
}

/// All cells of so many rows are read.
const ROWS_READ: usize = 64;

/// The rows of so many tables are chosen: a text can hold thousands.
const TABLES_CHECKED: usize = 4;

/// Checks that an error is about the content of the file, in one line.
pub fn check_error(error: &Error) {
    assert!(matches!(error, Error::Malformed { .. } | Error::Truncated { .. }), "{error:?}");
    assert!(!error.to_string().contains('\n'), "{error:?}");
}

/// Scans a text as a STAR file: it is refused with an error of ours; or its rows can be chosen, and all of them give the text back.
pub fn check_star(text: &[u8]) {
    let path = scratch("in.star");
    std::fs::write(&path, text).expect("written");
    let names = |all: &[&str]| all.iter().map(ToString::to_string).collect();
    let wanted = Wanted { numbers: names(&["x", "y"]), names: names(&["name"]), varying: names(&["angle"]) };
    let input = Input::open(&path).expect("open");
    match scan(&input, &wanted, &Monitor::default()) {
        Err(error) => check_error(&error),
        Ok(tables) => tables.iter().take(TABLES_CHECKED).for_each(|table| check_table(text, table)),
    }
}

fn check_table(text: &[u8], table: &Table) {
    let rows = &table.rows;
    for (label, column) in &table.columns {
        match column {
            Column::Numbers(numbers) => assert_eq!(numbers.len(), rows.len(), "{label}"),
            Column::Names(indices, names) => {
                assert_eq!(indices.len(), rows.len(), "{label}");
                assert!(indices.iter().all(|&index| (index as usize) < names.len()), "{label}");
            }
            Column::Varying(_) => {}
        }
    }
    let cells = read_cells(&scratch("in.star"), rows, 0..rows.len().min(ROWS_READ)).expect("the rows are there");
    assert!(cells.iter().all(|row| row.len() == table.labels.len()), "{cells:?} of {:?}", table.labels);
    let every: Vec<bool> = vec![true; rows.len()];
    let some: Vec<bool> = (0..rows.len()).map(|row| (row * 7 + row / 3) % 5 < 2).collect();
    let unchanged = || Rewrite::OtherHalf { column: 0, moves: vec![false; rows.len()] };
    for kept in [every, some] {
        for rewrites in [vec![], vec![Arc::new(unchanged())]] {
            check_split(text, rows, &kept, rewrites);
        }
    }
}

/// Compares what is written with what a plain loop over the rows gives.
fn check_split(text: &[u8], rows: &Rows, kept: &[bool], rewrites: Vec<Arc<Rewrite>>) {
    let [path, chosen, others] = ["in.star", "kept.star", "rejected.star"].map(scratch);
    let (start, end) = (rows.start(0), rows.start(rows.len()));
    let part = Part::Rows { path: path.clone(), rows: Arc::new(rows.clone()), kept: kept.to_vec(), rewrites, end_line: false };
    let span = |start, end| Part::Span { path: path.clone(), start, end };
    let parts = [span(0, start), part, span(end, text.len() as u64)];
    split(&parts.iter().collect::<Vec<_>>(), &chosen, &others, &Monitor::default()).expect("written");
    let mut expected = [text[..start as usize].to_vec(), text[..start as usize].to_vec()];
    for (row, &kept) in kept.iter().enumerate() {
        let (from, to) = rows.span(row);
        expected[usize::from(!kept)].extend(&text[from as usize..to as usize]);
        expected.iter_mut().for_each(|side| side.extend(&text[to as usize..rows.start(row + 1) as usize]));
    }
    expected.iter_mut().for_each(|side| side.extend(&text[end as usize..]));
    if kept.iter().all(|&kept| kept) {
        assert_eq!(expected[0], text);
    }
    for (path, expected) in [chosen, others].iter().zip(expected) {
        assert!(std::fs::read(path).expect("read") == expected, "{}: not what a plain loop gives", path.display());
    }
}

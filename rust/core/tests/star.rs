//! Scanning and splitting STAR files: what real files hold, and how the pieces of a large one fit together.

#![allow(clippy::float_cmp, clippy::format_push_string, clippy::format_collect, reason = "plain code is the better oracle")]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::rows::{Input, Part, Rewrite, Rows, split};
use cryodedup_core::star::{Column, Table, Wanted, read_cells, scan};
use cryodedup_core::{Error, Monitor, Result};
use proptest::prelude::*;

fn scanned(text: &[u8]) -> (tempfile::NamedTempFile, Result<Vec<Table>>) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text).expect("written");
    let wanted = Wanted { numbers: vec!["x".into()], names: vec!["name".into()], varying: vec!["angle".into()] };
    let tables = Input::open(file.path()).and_then(|input| scan(&input, &wanted, &Monitor::default()));
    (file, tables)
}

fn tables(text: &str) -> Vec<Table> {
    scanned(text.as_bytes()).1.expect("a STAR file")
}

/// The message about a file, without its name.
fn message(text: &str) -> String {
    let (file, result) = scanned(text.as_bytes());
    let error = result.expect_err("refused");
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    error
        .to_string()
        .strip_prefix(&file.path().display().to_string())
        .expect("names the file")
        .trim_start_matches([',', ':', ' '])
        .to_owned()
}

fn numbers(table: &Table) -> Vec<f64> {
    match &table.columns["x"] {
        Column::Numbers(numbers) => numbers.clone(),
        other => panic!("{other:?}"),
    }
}

fn names(table: &Table) -> Vec<String> {
    match &table.columns["name"] {
        Column::Names(indices, names) => indices.iter().map(|&i| String::from_utf8_lossy(&names[i as usize]).into_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn labels_with_numbers_from_0_or_1_or_none() {
    for head in ["_name #1\n_x #2\n", "_name #0\n_x #1\n", "_name\n_x\n", "_name #1 \t\n\n# between\n_x #2 [Å, of the frame]\n"] {
        let tables = tables(&format!("data_\n\nloop_\n{head}a.mrc 1.5\nb.mrc -2\n"));
        assert_eq!(
            (tables[0].labels.clone(), numbers(&tables[0]), names(&tables[0])),
            (vec!["name".into(), "x".into()], vec![1.5, -2.0], vec!["a.mrc".into(), "b.mrc".into()])
        );
    }
}

#[test]
fn comments_blank_lines_tabs_and_carriage_returns() {
    let tables = tables(
        "\u{feff}# version 30001\r\ndata_p # the particles\r\n# more\r\nloop_ \r\n_name\r\n_x\r\n a\t1 \r\n\r\n# note\r\nb 2\t\r\n \r\ndata_q\r\n_x 5\r\n",
    );
    assert_eq!((tables[0].block.as_str(), numbers(&tables[0]), names(&tables[0])), ("p", vec![1.0, 2.0], vec!["a".into(), "b".into()]));
    assert_eq!((tables[1].block.as_str(), tables[1].pairs.clone()), ("q", vec![("x".into(), b"5".to_vec())]));
}

#[test]
fn quotes_vectors_and_missing_values() {
    let tables = tables("data_\nloop_\n_name\n_x\n_v\n'my mic.mrc' <NA> [1,2,3]\n\"b c\" None []\nit's 3 ''\n");
    assert_eq!(names(&tables[0]), ["my mic.mrc", "b c", "it's"]);
    assert!(numbers(&tables[0])[..2].iter().all(|x| x.is_nan()));
    assert_eq!(numbers(&tables[0])[2], 3.0);
}

#[test]
fn a_name_with_a_blank_is_not_two_cells_of_the_next_row() {
    let tables = tables("data_\nloop_\n_name\n_x\n'1 2' 3\n1 2\n1 2\n12 2\n");
    assert_eq!((names(&tables[0]), numbers(&tables[0])), (["1 2", "1", "1", "12"].map(String::from).to_vec(), vec![3.0, 2.0, 2.0, 2.0]));
}

/// Long enough for several spans, with rows of other lengths than the first ones make expect.
#[test]
fn rows_that_become_shorter_are_all_there() {
    let long: String = (0..400).map(|i| format!("{i} long_{} {}\n", i / 7, "y".repeat(300))).collect();
    let short: String = (400..150_000).map(|i| format!("{i} s{} y\n", i / 7)).collect();
    let found = tables(&format!("data_\nloop_\n_x\n_name\n_y\n{long}{short}"));
    assert_eq!(numbers(&found[0]), (0..150_000).map(f64::from).collect::<Vec<_>>());
    assert_eq!(found[0].rows.len(), 150_000);
    assert_eq!(names(&found[0])[399..402], ["long_57", "s57", "s57"]);
}

#[test]
fn a_file_that_becomes_shorter_is_truncated() {
    let (file, _) = scanned(b"data_\n");
    let input = Input::open(file.path()).expect("open");
    file.as_file().set_len(2).expect("shorter");
    let error = scan(&input, &Wanted::default(), &Monitor::default()).expect_err("refused");
    assert!(matches!(&error, Error::Truncated { path, .. } if path == file.path()), "{error:?}");
}

#[test]
fn halves_are_rewritten_where_rows_move() {
    let text: String = (0..20_000).map(|i| format!("m{i} {}.000 1\n", i % 2 + 1)).collect();
    let (file, tables) = scanned(format!("data_\nloop_\n_name\n_x\n_y\n{text}").as_bytes());
    let rows = Arc::new(tables.expect("a STAR file")[0].rows.clone());
    let (kept, moves) = (vec![true; rows.len()], (0..rows.len()).map(|row| row % 3 == 0).collect::<Vec<_>>());
    let directory = tempfile::tempdir().expect("a directory");
    let outputs = ["kept", "rejected"].map(|name| directory.path().join(name));
    let write = |column| {
        let rewrites = vec![Arc::new(Rewrite::OtherHalf { column, moves: moves.clone() })];
        let part = Part::Rows { path: file.path().to_owned(), rows: Arc::clone(&rows), kept: kept.clone(), rewrites, end_line: false };
        split(&[&part], &outputs[0], &outputs[1], &Monitor::default())
    };
    write(1).expect("written");
    let expected: String = (0..20_000).map(|i| format!("m{i} {}.000 1\n", if i % 3 == 0 { 2 - i % 2 } else { i % 2 + 1 })).collect();
    assert!(std::fs::read_to_string(&outputs[0]).expect("read") == expected);
    let refused = write(0).expect_err("no half-set").to_string();
    assert!(refused.ends_with(", line 6: column 1: found 'm0', expected the half-set 1 or 2"), "{refused}");
}

#[test]
fn names_stay_text() {
    let tables = tables("data_\nloop_\n_name\n_x\n0012 1\n12 1\nmic#1.mrc 1\n1e5 1\n");
    assert_eq!(names(&tables[0]), ["0012", "12", "mic#1.mrc", "1e5"]);
}

#[test]
fn values_that_begin_like_keywords_are_values() {
    let tables = tables("data_a\nloop_\n_name\n_x\ndata_set1/m.mrc 1\nloop_/m.mrc 2\n_m.mrc 3\n\ndata_b\nloop_\n_x\n7\n");
    assert_eq!((names(&tables[0]).len(), numbers(&tables[0])), (3, vec![1.0, 2.0, 3.0]));
    assert_eq!((tables[1].block.as_str(), numbers(&tables[1])), ("b", vec![7.0]));
}

#[test]
fn rows_may_begin_with_an_underscore() {
    let tables = tables("data_a\nloop_\n_name #1\n_x #2 [of the frame]\n_u.mrc 1\n_v.mrc 2\n");
    assert_eq!((names(&tables[0]), numbers(&tables[0])), (vec!["_u.mrc".to_owned(), "_v.mrc".to_owned()], vec![1.0, 2.0]));
}

#[test]
fn a_quoted_number_sign_is_no_comment() {
    let (file, tables) = scanned(b"data_a\nloop_\n_name\n_x\n'#3 x' 1 # a comment\n");
    let table = &tables.expect("a STAR file")[0];
    assert_eq!((names(table), numbers(table)), (vec!["#3 x".to_owned()], vec![1.0]));
    assert_eq!(read_cells(file.path(), &table.rows, [0]).expect("cells"), [[b"#3 x".to_vec(), b"1".to_vec()]]);
}

#[test]
fn tables_without_rows_pairs_and_repeated_blocks() {
    let tables = tables("data_a\nloop_\n_x\n_name\n\ndata_a\n_x 1\n_name 'b c'\nloop_\n_x\n2\nloop_\n_x\n3\n");
    let found: Vec<_> = tables.iter().map(|table| (table.block.as_str(), table.rows.len(), table.pairs.len())).collect();
    assert_eq!(found, [("a", 0, 0), ("a", 1, 2), ("a", 1, 0)]);
}

#[test]
fn whether_angles_vary() {
    let varies = |rows: &str| tables(&format!("data_\nloop_\n_x\n_angle\n{rows}"))[0].columns["angle"].clone();
    assert_eq!(varies("1 0.0\n1 0.000000\n1 -0.0\n"), Column::Varying(false));
    assert_eq!(varies("1 0.0\n1 0.1\n"), Column::Varying(true));
    assert_eq!(varies(""), Column::Varying(false));
}

#[test]
fn what_is_refused_is_named_with_its_line() {
    assert_eq!(message("data_\nloop_\n_x\n_name\n1 a\n2\n3 c\n"), "line 6: found a row of 1 cells, expected 2");
    assert_eq!(message("data_\nloop_\n_x\n_name\n1 a b\n"), "line 5: found a row of 3 cells, expected 2");
    assert_eq!(message("data_\nloop_\n_x\n_name\n1 a\nabc b\n"), "line 6: x: found 'abc', expected a number");
    assert_eq!(message("x,y\n1,2\n"), "line 1: found 'x,y', expected data_, as STAR files begin");
    assert_eq!(message("data_\nnonsense\n"), "line 2: found 'nonsense', expected data_, loop_ or a label");
    assert_eq!(message("data_\nloop_\n1 2\n"), "line 3: found a loop_ without labels, expected a line that begins with _");
    assert_eq!(message("data_\nloop_\n_x\n_x\n1 2\n"), "line 4: found the label _x a second time in one loop, expected each label once");
    assert_eq!(message(""), "found no data_ line, expected a STAR file");
    assert_eq!(message("# only a comment\n"), "found no data_ line, expected a STAR file");
}

/// A table longer than several spans, with comments here and there and a table behind it.
fn long(rows: usize) -> String {
    let mut text = String::from("# head\ndata_big\nloop_\n_x #1\n_name #2\n_filler #3\n");
    for i in 0..rows {
        if i % 5000 == 4999 {
            text += "# a comment\n\n";
        }
        text += &format!("{i} mic_{} {}\n", i / 300, "f".repeat(i % 90));
        if i % 90 == 0 {
            text.truncate(text.len() - 1);
            text += "''\n";
        }
    }
    text + "\ndata_small\nloop_\n_x\n5\n"
}

#[test]
fn a_long_table_is_read_by_many_threads_as_by_one() {
    let text = long(60_000);
    assert!(text.len() > 3 << 20);
    let read = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| tables(&text))
    };
    let found = read(1);
    assert_eq!(numbers(&found[0]), (0..60_000).map(f64::from).collect::<Vec<_>>());
    assert_eq!(names(&found[0]), (0..60_000).map(|i| format!("mic_{}", i / 300)).collect::<Vec<_>>());
    assert_eq!(numbers(&found[1]), [5.0]);
    for (row, line) in (0..60_000).zip(text.lines().skip(6).filter(|line| !line.is_empty() && !line.starts_with('#'))) {
        let (start, end) = found[0].rows.span(row);
        assert_eq!(&text[start as usize..end as usize], format!("{line}\n"));
    }
    let again = read(3);
    assert_eq!(numbers(&again[0]), numbers(&found[0]));
    (0..60_000).for_each(|row| assert_eq!(again[0].rows.span(row), found[0].rows.span(row)));
}

fn split_table(text: &str, keep: impl Fn(usize) -> bool) -> (String, String) {
    let (file, tables) = scanned(text.as_bytes());
    let rows = Arc::new(tables.expect("a STAR file")[0].rows.clone());
    let kept = (0..rows.len()).map(keep).collect();
    let path = file.path().to_owned();
    let directory = tempfile::tempdir().expect("a directory");
    let outputs = ["kept", "rejected"].map(|name| directory.path().join(name));
    let span = |start, end| Part::Span { path: path.clone(), start, end };
    let parts = [
        span(0, rows.start(0)),
        Part::Rows { path: path.clone(), rows: Arc::clone(&rows), kept, rewrites: Vec::new(), end_line: false },
        span(rows.start(rows.len()), text.len() as u64),
    ];
    split(&parts.each_ref(), &outputs[0], &outputs[1], &Monitor::default()).expect("written");
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("read");
    (read(&outputs[0]), read(&outputs[1]))
}

#[test]
fn all_rows_are_the_file_and_none_its_frame() {
    let text = long(30_000);
    let (kept, rejected) = split_table(&text, |_| true);
    assert!(kept == text);
    let frame: String = text.lines().filter(|line| !line.contains("mic_")).map(|line| format!("{line}\n")).collect();
    assert!(rejected == frame);
}

proptest! {
    #[test]
    fn each_row_goes_to_its_side_and_all_else_to_both(
        lines in prop::collection::vec(prop_oneof![4 => "[0-9]{1,4} [a-z]{1,9} ?", 1 => Just(String::new()), 1 => Just("# note".to_owned())], 0..60),
        decisions in any::<u64>(),
        newline in any::<bool>(),
    ) {
        let mut text = format!("data_\nloop_\n_x\n_name\n{}", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        if !newline {
            text.pop();
        }
        let keep = |row: usize| decisions >> (row % 64) & 1 == 1;
        let found = split_table(&text, keep);
        let side = |wanted: bool| {
            let mut row = 0;
            let mut out = String::new();
            for line in text.split_inclusive('\n') {
                let is_row = line.starts_with(|first: char| first.is_ascii_digit());
                if !is_row || keep(row) == wanted {
                    out += line;
                }
                row += usize::from(is_row);
            }
            out
        };
        prop_assert_eq!(found, (side(true), side(false)));
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(prop_oneof![Just(b"data_".to_vec()), Just(b"loop_\n".to_vec()), Just(b"_x\n".to_vec()), Just(b"\n".to_vec()), prop::collection::vec(any::<u8>(), 0..8)], 0..40)) {
        let _ = scanned(&text.concat());
    }
}

#[test]
fn records_are_split_like_lines() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let records: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    file.write_all(b"head").and_then(|()| file.write_all(&records)).expect("written");
    let rows = Rows::records(Input::open(file.path()).expect("opened").version(), 4, 4, 200_000);
    let kept: Vec<bool> = (0..200_000).map(|i| i % 3 != 0).collect();
    let directory = tempfile::tempdir().expect("a directory");
    let outputs = ["kept", "rejected"].map(|name| directory.path().join(name));
    let parts = [
        Part::Text { kept: b"K".to_vec(), rejected: b"R".to_vec() },
        Part::Rows { path: file.path().to_owned(), rows: rows.into(), kept, rewrites: Vec::new(), end_line: false },
    ];
    split(&parts.each_ref(), &outputs[0], &outputs[1], &Monitor::default()).expect("written");
    for (path, head, wanted) in [(&outputs[0], b'K', true), (&outputs[1], b'R', false)] {
        let expected: Vec<u8> =
            std::iter::once(head).chain((0..200_000_u32).filter(|i| (i % 3 != 0) == wanted).flat_map(u32::to_le_bytes)).collect();
        assert!(std::fs::read(path).expect("read") == expected);
    }
}

/// Little of what follows a loop's head is read at first, then more.
#[test]
fn the_end_of_a_loop_is_found_wherever_it_is() {
    for rows in (0..40).chain((40..20_000).step_by(997)) {
        let width = rows % 90;
        let body: String = (0..rows).map(|row| format!("{row} {}\n", "n".repeat(width + 1))).collect();
        let found = tables(&format!("data_a\n\nloop_\n_x\n_name\n{body}\ndata_b\n\nloop_\n_x\n7\n"));
        let numbers = |table: &Table| match table.columns.get("x") {
            Some(Column::Numbers(numbers)) => numbers.clone(),
            _ => Vec::new(),
        };
        assert_eq!(numbers(&found[0]), (0..rows).map(|row| row as f64).collect::<Vec<_>>());
        assert_eq!(numbers(&found[1]), [7.0]);
    }
}

#[test]
fn a_column_varies_where_neither_texts_nor_numbers_are_equal() {
    let varies = |cells: &str| {
        let found = tables(&format!("data_\nloop_\n_angle\n{cells}\n"));
        matches!(found[0].columns.get("angle"), Some(Column::Varying(true)))
    };
    assert!(!varies("0\n0.0\n-0"));
    assert!(!varies("nan\nNaN\n<NA>"), "all stand for no number");
    assert!(varies("0\nnan"));
    assert!(varies("one\ntwo"), "neither is a number");
    assert!(!varies("one\none"));
}

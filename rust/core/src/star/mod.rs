//! STAR files: their tables, the places of their rows, and the values of the wanted columns.
//!
//! The grammar is that of the files RELION and its neighbours write: blocks `data_NAME` of `_label value` pairs or of one `loop_` with a
//! row a line. Real files also contain: labels with or without numbers, comments and blank lines anywhere, tabs, carriage returns,
//! quoted cells, a block after a long table, two blocks of one name, values that begin with `data_`.

mod body;
mod column;
mod lines;
mod row;
mod scan;
mod share;
mod table;

pub use column::{Column, Wanted};
pub use scan::{scan, scan_files, scan_rows, scan_rows_of_files};
pub use table::{Table, read_cells};

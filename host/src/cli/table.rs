//! Plain, aligned tables.

use std::io::{self, Write};

use super::text;

/// Writes rows below a line of column names. The cells are escaped here, so that a table may hold text from
/// outside; an empty cell is shown as `-`.
///
/// # Errors
/// Those of the output.
pub fn write<const N: usize>(out: &mut dyn Write, names: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let cell = |text: &String| if text.is_empty() { "-".to_owned() } else { text::escape(text) };
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(cell)).collect();
    let names = names.map(str::to_owned);
    let all = || std::iter::once(&names).chain(&rows);
    let widths: [usize; N] =
        std::array::from_fn(|column| all().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in all() {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_escaped() {
        let rows =
            [["a".to_owned(), "\u{1b}".to_owned(), String::new()], ["żółć-x".into(), "b".into(), "c".into()]];
        let mut out = Vec::new();
        write(&mut out, ["NAME", "TEXT", "MORE"], &rows).unwrap();
        let expected = "NAME    TEXT    MORE\na       \\u{1b}  -\nżółć-x  b       c\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

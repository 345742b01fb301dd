//! Tables for spreadsheets, after RFC 4180. What customers wrote stands in the cells, and a spreadsheet takes a cell that
//! begins with `=` and its like for a formula, which can read other cells and send them away: it gets an apostrophe in
//! front.

use std::io::{self, Write};

/// Writes rows below a line of column names.
///
/// # Errors
/// Those of the output.
pub fn write<const N: usize>(out: &mut dyn Write, names: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    line(out, names.map(str::to_owned).iter())?;
    rows.iter().try_for_each(|row| line(out, row.iter()))
}

fn line<'a>(out: &mut dyn Write, cells: impl Iterator<Item = &'a String>) -> io::Result<()> {
    let cells: Vec<String> = cells.map(|text| cell(text)).collect();
    write!(out, "{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    // On a terminal they would do something; a spreadsheet has no use for them.
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')).collect();
    // Spreadsheets skip white space before they look for a formula, and some know the full-width forms.
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || text.starts_with(['\t', '\r', '\n']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\r', '\n', ';', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_none_is_a_formula() {
        for (text, expected) in [
            ("Dana", "Dana"),
            ("", ""),
            ("a, \"b\"", "\"a, \"\"b\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+48 123", "'+48 123"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "'  =1"),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "'＝1"),
            ("=HYPERLINK(\"https://x\",\"y\")", "\"'=HYPERLINK(\"\"https://x\"\",\"\"y\"\")\""),
            ("a=b", "a=b"),
            ("\u{1b}]0;title\u{7}\u{9b}2J=1", "\"]0;title2J=1\""),
            ("\u{1b}=1", "'=1"),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }

    #[test]
    fn a_table_has_a_line_of_names() {
        let mut out = Vec::new();
        write(&mut out, ["ID", "NAME"], &[["C1".to_owned(), "Dana".to_owned()]]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "ID,NAME\r\nC1,Dana\r\n");
    }
}

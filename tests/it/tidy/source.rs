//! The files of the repository, and Rust's text without what is no code.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository.
pub(super) struct Source {
    /// From the root of the repository, with slashes.
    pub(super) path: String,
    /// The text.
    pub(super) text: String,
}

/// The root of the repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the repository")
}

/// All files with one of these endings, in order.
pub(super) fn files(endings: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    let wanted = |path: &PathBuf| {
        path.extension().and_then(|ending| ending.to_str()).is_some_and(|e| endings.contains(&e))
    };
    let mut sources: Vec<Source> = paths.into_iter().filter(wanted).map(read).collect();
    assert!(!sources.is_empty(), "no files with {endings:?}: is {} the repository?", root().display());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// One file of the repository.
pub(super) fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match path.is_dir() {
            true if ["target", ".git"].contains(&name) => {}
            true => collect(&path, paths),
            false => paths.push(path),
        }
    }
}

fn read(path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root()).expect("it was found there").to_str().expect("a name in UTF-8");
    Source { path: path.to_owned(), text }
}

/// Rust text with comments, strings and characters blanked, line by line as long as before.
pub(super) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let (mut rest, mut behind_word) = (text, false);
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = match no_code(rest, behind_word) {
            0 => (first.len_utf8(), true),
            length => (length, false),
        };
        let (token, after) = rest.split_at(length);
        let blanked = token.chars().map(|c| if is_code || c == '\n' { c } else { ' ' });
        code.extend(blanked);
        behind_word = is_code && (first.is_alphanumeric() || first == '_');
        rest = after;
    }
    code
}

/// The length of the comment or literal that a text begins with, bytes; 0 if it begins with code.
fn no_code(text: &str, behind_word: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('\'') {
        return character(text);
    }
    let prefix = match behind_word {
        true => 0,
        false => text.find(|c| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(0),
    };
    let (prefix, literal) = text.split_at(prefix);
    let hashes = literal.len() - literal.trim_start_matches('#').len();
    let is_raw = prefix.ends_with('r');
    if prefix.len() > 2 || !literal[hashes..].starts_with('"') || (hashes > 0 && !is_raw) {
        return 0;
    }
    let opening = prefix.len() + hashes + 1;
    opening + string(&text[opening..], is_raw, hashes)
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

/// A character, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let inside = &text[1..];
    if let Some(escaped) = inside.strip_prefix('\\') {
        let skipped = escaped.chars().next().map_or(0, char::len_utf8);
        return escaped[skipped..].find('\'').map_or(0, |end| 2 + skipped + end + 1);
    }
    let length = inside.chars().next().map_or(0, char::len_utf8);
    if inside[length..].starts_with('\'') { length + 2 } else { 0 }
}

/// The rest of a string behind its opening quote, the closing one included.
fn string(text: &str, is_raw: bool, hashes: usize) -> usize {
    let closing = format!("\"{}", "#".repeat(hashes));
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && text[at..].starts_with(&closing) {
            return at + closing.len();
        }
        escaped = !is_raw && !escaped && c == '\\';
    }
    text.len()
}

/// Where a word stands in code, with nothing of a word around it; `use` finds no `reuse`.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !code[..*at].ends_with(part) && !code[at + word.len()..].starts_with(part))
}

/// The number of the line at a place, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The name that a text begins with.
pub(super) fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn comments_and_literals_are_no_code() {
    let check = |text: &str, expected: &str| assert_eq!(code(text), expected, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d */ e", "a                   e");
    check(r#"f("g\"h", i)"#, "f(      , i)");
    check(r###"r#"a"b"# c br"d" r#do"###, r"         c       r#do");
    check("'a' '\\'' '\\u{1}' <'a> b'x'", "                 <'a> b   ");
    check("for\"x\"", "for   ");
    assert_eq!(words("use reuse use_ use", "use").collect::<Vec<_>>(), [0, 15]);
}

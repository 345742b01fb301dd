//! Text files: white space, the contract's comments, words that are not used.

use super::none;
use super::source::{Source, files};

const TEXT: &[&str] = &["rs", "md", "toml", "wit", "json"];

fn untidy_lines(source: &Source) -> Vec<String> {
    let untidy = |line: &str| line.ends_with([' ', '\t', '\r']);
    let lines = source.text.lines().enumerate().filter(|(_, line)| untidy(line));
    let lines = lines.map(|(index, _)| format!("{}:{}: white space at the end", source.path, index + 1));
    let end = (!source.text.ends_with('\n') || source.text.ends_with("\n\n"))
        .then(|| format!("{}: ends with no line break, or with several", source.path));
    lines.chain(end).collect()
}

/// The items of a WIT file that no comment stands above.
fn undocumented(source: &Source) -> Vec<String> {
    let (mut documented, mut bare) = (false, Vec::new());
    for (index, line) in source.text.lines().map(str::trim).enumerate() {
        let free = ["package ", "use ", "import ", "export ", "}"];
        if line.starts_with("///") {
            documented = true;
        } else if !line.starts_with('@') {
            if !line.is_empty() && !line.starts_with("//") && !free.iter().any(|word| line.starts_with(word))
            {
                bare.extend((!documented).then(|| format!("{}:{}: {line}", source.path, index + 1)));
            }
            documented = false;
        }
    }
    bare
}

#[test]
fn lines_end_with_their_text() {
    let untidy: Vec<String> = files(TEXT).iter().flat_map(untidy_lines).collect();
    none("lines end with their text, files with a line break", &untidy);
}

#[test]
fn every_item_of_the_contract_is_documented() {
    let bare: Vec<String> = files(&["wit"]).iter().flat_map(undocumented).collect();
    none("every item of the contract has a comment", &bare);
}

/// It is not what the host does: an attempt is repeated, an action may be.
#[test]
fn nobody_promises_what_cannot_be_kept() {
    let (second, first) = ("once", "exactly");
    let promises = |source: &Source| {
        let words: Vec<String> = source
            .text
            .split(|c: char| !c.is_alphabetic())
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect();
        words.windows(2).any(|pair| pair == [first, second]).then(|| source.path.clone())
    };
    none("delivery is at least once", &files(TEXT).iter().filter_map(promises).collect::<Vec<_>>());
}

#[test]
fn what_breaks_a_rule_of_writing_is_found() {
    let source = |text: &str| Source { path: "x".to_owned(), text: text.to_owned() };
    assert_eq!(untidy_lines(&source("a \nb\t\nc")).len(), 3);
    assert_eq!(untidy_lines(&source("a\n\nb\n")).len(), 0);
    let wit = "package a:b;\n/// Doc.\ninterface i {\n  use t.{e};\n  f: func();\n\n  /// Doc.\n  @since(version = 0.1.0)\n  g: func();\n}\n";
    assert_eq!(undocumented(&source(wit)), ["x:5: f: func();"]);
}

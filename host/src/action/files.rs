//! Files that plugins publish, as the contract's interface `files` has them.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{Code, Error};
use crate::limits;

mod html;

/// The function of the contract.
pub const PUBLISH: &str = "files.publish";

/// What a published file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum MediaType {
    /// A table.
    Csv,
    /// JSON.
    Json,
    /// A page: one that runs no script, and leads and sends nowhere else.
    Html,
    /// Plain text.
    Text,
}

impl MediaType {
    /// All of them.
    pub const ALL: [MediaType; 4] = [MediaType::Csv, MediaType::Json, MediaType::Html, MediaType::Text];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Csv => "text/csv",
            MediaType::Json => "application/json",
            MediaType::Html => "text/html",
            MediaType::Text => "text/plain",
        }
    }

    /// What the name of such a file ends with.
    pub fn ending(self) -> &'static str {
        match self {
            MediaType::Csv => ".csv",
            MediaType::Json => ".json",
            MediaType::Html => ".html",
            MediaType::Text => ".txt",
        }
    }

    /// What a file of this name is.
    pub fn of(name: &str) -> Option<MediaType> {
        MediaType::ALL.into_iter().find(|one| name.ends_with(one.ending()))
    }
}

/// One version of a file, as a plugin publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The file's name, which says what it is.
    pub name: String,
    /// What it says. In the journal's fingerprint it counts by its digest.
    #[serde(serialize_with = "as_digest")]
    pub content: String,
}

impl Call {
    /// The call of a plugin, checked as far as the contract says what may be.
    ///
    /// # Errors
    /// `invalid`, with what is wrong and what to do.
    pub fn new(name: String, media_type: &str, content: Vec<u8>) -> Result<Call, Error> {
        check_name(&name)?;
        let invalid = |text: String| Err(Error::new(Code::Invalid, text));
        let Some(media_type) = MediaType::ALL.into_iter().find(|one| one.as_str() == media_type) else {
            return invalid(format!(
                "`{}` is no media type of a published file: these are text/csv, application/json, text/html and \
                 text/plain",
                media_type.escape_debug()
            ));
        };
        if MediaType::of(&name) != Some(media_type) {
            let (is, ending) = (media_type.as_str(), media_type.ending());
            return invalid(format!("the file `{name}` is {is}: its name has to end with `{ending}`"));
        }
        let Ok(content) = String::from_utf8(content) else {
            return invalid(format!("the file `{name}` is not UTF-8"));
        };
        if media_type == MediaType::Html
            && let Err(wrong) = html::check(&content)
        {
            return invalid(format!(
                "the page `{name}` is not published, as it has {wrong}: {}",
                html::ALLOWED
            ));
        }
        Ok(Call { name, content })
    }
}

/// Until when a page says that it holds: `data-valid-until` of its first element, a time of RFC 3339.
pub fn valid_until(page: &str) -> Option<Timestamp> {
    html::valid_until(page)
}

/// Whether something is the name of a file that can be published.
///
/// # Errors
/// `invalid`, with what a name has to be.
pub fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = name.len() <= limits::FILE_NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(allowed)
        && MediaType::of(name).is_some();
    if is_name {
        return Ok(());
    }
    let shown: String = name.chars().take(limits::FILE_NAME_BYTES_MAX).collect();
    Err(Error::new(
        Code::Invalid,
        format!(
            "`{}` is no name of a published file: it has 1 to {} letters, digits, `.`, `-` and `_`, begins with a letter \
             or digit, and ends with .csv, .json, .html or .txt",
            shown.escape_debug(),
            limits::FILE_NAME_BYTES_MAX
        ),
    ))
}

fn as_digest<S: Serializer>(content: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&Sha256::digest(content.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_other_place() {
        for good in
            ["a.csv", "dashboard.json", "2026-06-01_all.v2.html", "A.txt", &format!("{}.csv", "a".repeat(60))]
        {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long = format!("{}.csv", "a".repeat(61));
        for bad in [
            "", ".csv", "..", "../a.csv", "a/b.csv", "a\\b.csv", "-a.csv", "a b.csv", "ä.csv", "a.exe", "a",
            "a.csv\n", &long,
        ] {
            assert_eq!(check_name(bad).map_err(|error| error.code), Err(Code::Invalid), "{bad}");
        }
    }

    #[test]
    fn a_file_is_text_of_one_of_four_types_and_named_so() {
        let check = |name: &str, media_type: &str, content: &[u8], is_good: bool| {
            let call = Call::new(name.to_owned(), media_type, content.to_vec());
            assert_eq!(call.is_ok(), is_good, "{name} {media_type}: {call:?}");
        };
        check("a.csv", "text/csv", b"a,b", true);
        check("a.json", "application/json", b"{}", true);
        check("a.html", "text/html", "<p>ż".as_bytes(), true);
        check("a.txt", "text/plain", b"", true);
        check("a.txt", "text/html", b"", false);
        check("a.html", "text/plain", b"", false);
        check("a.html", "text/html; charset=utf-16", b"", false);
        check("a.svg", "image/svg+xml", b"", false);
        check("a.txt", "text/plain", &[0xff], false);
    }

    #[test]
    fn a_page_that_leads_elsewhere_is_refused_with_the_reason() {
        let call = |name: &str, media_type: &str, content: &str| {
            Call::new(name.to_owned(), media_type, content.as_bytes().to_vec()).map(|_| ())
        };
        let away = "<meta http-equiv=\"refresh\" content=\"0;url=https://evil.example/?d=mary\">";
        let error = call("a.html", "text/html", away).expect_err("it is refused");
        assert_eq!(error.code, Code::Invalid);
        for part in ["`a.html`", "0;url=https://evil.example/", "content=\"30\""] {
            assert!(error.message.contains(part), "no {part} in {}", error.message);
        }
        assert_eq!(call("a.txt", "text/plain", away), Ok(()), "only a page is a page");
    }

    #[test]
    fn the_journal_tells_contents_apart() {
        use crate::journal::{Kind, Own};
        let of = |content: &str| {
            Own::File(Call { name: "a.txt".to_owned(), content: content.to_owned() })
                .call(Kind::Own)
                .arguments
        };
        assert_eq!(of("one"), of("one"));
        assert_ne!(of("one"), of("two"));
    }
}

//! Pages that say until when they hold. A screen on a wall shows the newest version there is, and goes on with it when the
//! plugin doesn't run any more: once its time is over the page is shown with a notice over it, until there is another one.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::action::files::{MediaType, valid_until};
use crate::store::FileContent;

/// The notice covers the page, so that nobody takes its figures for those of now. What stands behind the end of a page
/// is shown as part of it. No style of the page names its elements.
const NOTICE: &str = "<div role=\"alert\" style=\"position:fixed;inset:0;z-index:2147483647;display:flex;\
    flex-direction:column;align-items:center;justify-content:center;text-align:center;background:rgba(16,21,28,.88);\
    color:#ffcf66;font:600 4vmin/1.5 system-ui,sans-serif\"><strong style=\"font-size:11vmin\">Out of date</strong>";

/// Puts the notice over a page whose time is over. `zone` is that of the times that people read.
pub(super) fn mark(file: &mut FileContent, now: Timestamp, zone: &TimeZone) {
    if MediaType::of(&file.name) != Some(MediaType::Html)
        || valid_until(&file.content).is_none_or(|until| now <= until)
    {
        return;
    }
    let at = Timestamp::from_millisecond(file.at_ms).unwrap_or_default().to_zoned(zone.clone());
    let name = zone.iana_name().unwrap_or("UTC");
    let text = format!(
        "<span>This is of {}, on {} ({name}).</span><span>Nothing newer has been published.</span></div>\n",
        at.strftime("%H:%M"),
        at.date()
    );
    file.content.push_str(NOTICE);
    file.content.push_str(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the notice is put over a page at 10:00, by what the page says.
    #[track_caller]
    fn check(name: &str, content: &str, expected: bool) {
        let now: Timestamp = "2026-06-01T10:00:00Z".parse().expect("a time");
        let zone = TimeZone::get("Europe/Warsaw").expect("a zone");
        let (name, content) = (name.to_owned(), content.to_owned());
        let at_ms = now.as_millisecond() - 600_000;
        let mut file = FileContent { name, version: 1, at_ms, content: content.clone() };
        mark(&mut file, now, &zone);
        assert!(file.content.starts_with(&content));
        assert_eq!(file.content.contains("Out of date"), expected, "{}", file.content);
        let says_when = file.content.contains("This is of 11:50, on 2026-06-01 (Europe/Warsaw).");
        assert_eq!(says_when, expected, "{}", file.content);
    }

    #[test]
    fn a_page_whose_time_is_over_is_marked_and_nothing_else_is() {
        check("a.html", "<html data-valid-until=\"2026-06-01T09:59:59Z\"><p>3</p></html>", true);
        check("a.html", "<!doctype html>\n<html lang=en data-valid-until=2026-06-01T09:59:59Z><p>3", true);
        check("a.html", "<html data-valid-until=\"2026-06-01T11:59:59+02:00\">", true);
        check("a.html", "<html data-valid-until=\"2026-06-01T10:00:00Z\">", false);
        check("a.html", "<html data-valid-until=\"2026-06-01T12:00:00Z\">", false);
        check("a.html", "<html data-valid-until=\"soon\" lang=\"en\">", false);
        check("a.html", "<html lang=\"en\"><p data-valid-until=\"2026-06-01T09:00:00Z\">3</p>", false);
        check("a.html", "no element at all", false);
        check("a.html", "", false);
        check("a.txt", "<html data-valid-until=\"2026-06-01T09:00:00Z\">", false);
    }
}

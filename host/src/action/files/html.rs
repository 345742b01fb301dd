//! What a published page may have in it. The policy that a page is shown with keeps it from loading anything, and no
//! policy keeps it from leading or sending itself elsewhere, with what it shows in the address. So a page is refused
//! unless it consists of what can't do that.
//!
//! A browser reads what stands in `<style>` and `<title>` in a way that depends on where they stand. Only text may stand
//! in them, and no other element like them is allowed: then there is one way to read a page, and here it is read so.

use std::collections::HashSet;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Error, Span, Tokenizer};
use jiff::Timestamp;

use super::check_name;

#[cfg(test)]
mod tests;

/// What a page may have, for those whose page was refused.
pub(super) const ALLOWED: &str = "a page has text, tables, styles, shapes of SVG, pictures as `data:` URLs, links to its \
    own places (`#place`) and to published files by their names, and loads itself again with <meta \
    http-equiv=\"refresh\" content=\"30\">; nothing in it leads, loads or sends elsewhere";

/// The elements that a page may have. None of them but `a`, `img` and `meta` leads or loads by its attributes.
const ELEMENTS: &str = "a abbr address article aside b bdi bdo blockquote body br caption cite code col colgroup data dd \
    del details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 head header hgroup hr html i img ins kbd li \
    main mark meta meter nav ol p pre progress q rp rt ruby s samp section small span strong style sub summary sup table \
    tbody td tfoot th thead time title tr u ul var wbr \
    circle clippath defs desc ellipse g line lineargradient marker mask path pattern polygon polyline radialgradient rect \
    stop svg text tspan";

/// The attributes that any of them may have. What a style or a color refers to is not loaded.
const ATTRIBUTES: &str = "abbr align alt bgcolor border cellpadding cellspacing class color colspan datetime dir headers \
    height hidden high id lang low max media min nowrap open optimum reversed role rowspan scope span start style summary \
    tabindex title translate type valign value width \
    alignment-baseline baseline-shift clippathunits cx cy d direction display dominant-baseline dx dy fill fx fy \
    gradienttransform gradientunits lengthadjust letter-spacing mask maskcontentunits maskunits markerheight markerunits \
    markerwidth offset opacity orient overflow paint-order pathlength patterncontentunits patterntransform patternunits \
    points preserveaspectratio r refx refy rotate rx ry shape-rendering spreadmethod stroke textlength transform \
    transform-origin vector-effect version viewbox visibility word-spacing writing-mode x x1 x2 xml:lang xml:space xmlns \
    xmlns:xlink y y1 y2";

/// What else the name of such an attribute begins with.
const PREFIXES: [&str; 9] =
    ["aria-", "clip-", "data-", "fill-", "font-", "marker-", "stop-", "stroke-", "text-"];

/// The attributes of `meta`.
const META: [&str; 4] = ["charset", "content", "http-equiv", "name"];

/// What `<meta name>` may be about. `referrer` would tell others the address, and with it the token of a link.
const META_NAMES: [&str; 9] = [
    "application-name",
    "author",
    "color-scheme",
    "description",
    "generator",
    "keywords",
    "robots",
    "theme-color",
    "viewport",
];

/// A page loads itself again after so many digits of seconds.
const REFRESH_DIGITS_MAX: usize = 5;

/// Where a page says until when it holds.
const VALID_UNTIL: &[u8] = b"data-valid-until";

/// So much of a name or an address is shown.
const SHOWN_CHARS: usize = 80;

/// Whether a page can be published.
///
/// # Errors
/// What it has that it may not have; [`ALLOWED`] says what it may.
pub(super) fn check(page: &str) -> Result<(), String> {
    let mut reading = Reading::new();
    let look = |event: CallbackEvent<'_>, _: Span<()>| -> Option<String> { reading.look(event).err() };
    // The first thing that is wrong ends it.
    let wrong = Tokenizer::new_with_emitter(page, CallbackEmitter::new(look)).next();
    match wrong {
        Some(Ok(wrong)) => Err(wrong),
        None => reading.check_end(page),
    }
}

/// What the first element says of how long the page holds.
pub(super) fn valid_until(page: &str) -> Option<Timestamp> {
    let mut is_named = false;
    let look = move |event: CallbackEvent<'_>, _: Span<()>| -> Option<Option<Timestamp>> {
        match event {
            CallbackEvent::AttributeName { name } => is_named = name == VALID_UNTIL,
            CallbackEvent::AttributeValue { value } if is_named => {
                return Some(std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()));
            }
            CallbackEvent::CloseStartTag { .. } => return Some(None),
            _ => {}
        }
        None
    };
    match Tokenizer::new_with_emitter(page, CallbackEmitter::new(look)).next() {
        Some(Ok(found)) => found,
        None => None,
    }
}

/// Where in a page somebody reads.
struct Reading {
    elements: HashSet<&'static str>,
    attributes: HashSet<&'static str>,
    /// The start tag that is not at its end yet.
    tag: Option<Tag>,
    /// The element in which only text stands, until its end tag.
    text_of: Option<&'static str>,
    /// Whether a comment or a doctype stood last: there are some that nothing has to end.
    after_comment: bool,
}

/// A start tag.
struct Tag {
    element: &'static str,
    /// What the value of the attribute that was named last has to be.
    value: Value,
    /// What `meta` says.
    meta: Vec<(&'static str, String)>,
}

/// What the value of an attribute has to be.
#[derive(Clone, Copy)]
enum Value {
    Any,
    Link,
    Picture,
    /// It depends on the other attributes of `meta`.
    Meta(&'static str),
}

impl Reading {
    fn new() -> Reading {
        let words = |list: &'static str| list.split_whitespace().collect();
        Reading {
            elements: words(ELEMENTS),
            attributes: words(ATTRIBUTES),
            tag: None,
            text_of: None,
            after_comment: false,
        }
    }

    fn look(&mut self, event: CallbackEvent<'_>) -> Result<(), String> {
        if let Some(element) = self.text_of {
            return self.look_for_end(element, &event);
        }
        self.after_comment = matches!(event, CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. });
        match event {
            CallbackEvent::OpenStartTag { name } => self.tag = Some(self.open(name)?),
            CallbackEvent::AttributeName { name } => self.attribute(name)?,
            CallbackEvent::AttributeValue { value } => {
                if let Some(tag) = &mut self.tag {
                    tag.take(value)?;
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                if let Some(tag) = self.tag.take() {
                    tag.check_meta()?;
                    self.text_of = ["style", "title"].into_iter().find(|one| *one == tag.element);
                }
            }
            // To a browser this ends elsewhere within SVG than without.
            CallbackEvent::Comment { value } if value.starts_with(b"[CDATA[") => {
                return Err("`<![CDATA[`".to_owned());
            }
            CallbackEvent::EndTag { .. }
            | CallbackEvent::String { .. }
            | CallbackEvent::Comment { .. }
            | CallbackEvent::Doctype { .. } => {}
            CallbackEvent::Error(error) => check_is_whole(error)?,
        }
        Ok(())
    }

    /// The tag that the host puts behind a page has to be read as one, not as a part of what stands last.
    fn check_end(&self, page: &str) -> Result<(), String> {
        match self.text_of {
            Some(element) => Err(format!("an end within `<{element}>`")),
            // `<!` and the like begin a comment that nothing has to end, and an error is no sign of it.
            None if self.after_comment && !page.ends_with('>') => Err("an end within a comment".to_owned()),
            None => Ok(()),
        }
    }

    fn look_for_end(&mut self, element: &'static str, event: &CallbackEvent<'_>) -> Result<(), String> {
        match event {
            CallbackEvent::String { .. } | CallbackEvent::Error(_) => Ok(()),
            CallbackEvent::EndTag { name } if *name == element.as_bytes() => {
                self.text_of = None;
                Ok(())
            }
            _ => Err(format!("a tag or a comment within `<{element}>`")),
        }
    }

    fn open(&self, name: &[u8]) -> Result<Tag, String> {
        let known = std::str::from_utf8(name).ok().and_then(|name| self.elements.get(name));
        match known {
            Some(&element) => Ok(Tag { element, value: Value::Any, meta: Vec::new() }),
            None => Err(format!("the element `<{}>`", shown(name))),
        }
    }

    fn attribute(&mut self, name: &[u8]) -> Result<(), String> {
        let Some(tag) = &mut self.tag else { return Err("an end tag with attributes".to_owned()) };
        let known = std::str::from_utf8(name).unwrap_or_default();
        let is_harmless =
            || self.attributes.contains(known) || PREFIXES.iter().any(|prefix| known.starts_with(prefix));
        let value = match (tag.element, known) {
            ("a", "href") => Some(Value::Link),
            ("img", "src") => Some(Value::Picture),
            ("meta", _) => META.into_iter().find(|one| *one == known).map(Value::Meta),
            _ => is_harmless().then_some(Value::Any),
        };
        match value {
            Some(value) => tag.value = value,
            None => return Err(format!("the attribute `{}` of `<{}>`", shown(name), tag.element)),
        }
        Ok(())
    }
}

impl Tag {
    /// Takes the value of the attribute that was named last.
    fn take(&mut self, value: &[u8]) -> Result<(), String> {
        let is_known = |name: &str| self.meta.iter().any(|(one, _)| *one == name);
        match self.value {
            Value::Link if !is_link(value) => Err(format!("a link to `{}`", shown(value))),
            Value::Picture if !is_data(value) => Err(format!("a picture of `{}`", shown(value))),
            Value::Meta(name) if is_known(name) => Err(format!("`<meta>` with two `{name}`")),
            Value::Meta(name) => {
                self.meta.push((name, String::from_utf8_lossy(value).into_owned()));
                Ok(())
            }
            Value::Any | Value::Link | Value::Picture => Ok(()),
        }
    }

    fn check_meta(&self) -> Result<(), String> {
        let of = |name: &str| self.meta.iter().find(|(one, _)| *one == name).map(|(_, value)| value.as_str());
        let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let content = of("content").unwrap_or_default();
        let is_header = |name: &str| {
            is(name, "refresh") && is_seconds(content)
                || is(name, "content-type") && is(content, "text/html; charset=utf-8")
        };
        let is_name = |name: &str| META_NAMES.iter().any(|one| is(one, name));
        if of("http-equiv").is_none_or(is_header)
            && of("name").is_none_or(is_name)
            && of("charset").is_none_or(|charset| is(charset, "utf-8"))
        {
            return Ok(());
        }
        let said = self.meta.iter().map(|(name, value)| format!(" {name}=\"{}\"", shown(value.as_bytes())));
        Err(format!("`<meta{}>`", said.collect::<String>()))
    }
}

/// A page that ends within a tag or a comment goes on in what the host puts behind it.
fn check_is_whole(error: Error) -> Result<(), String> {
    match error {
        Error::EofBeforeTagName | Error::EofInTag => Err("an end within a tag".to_owned()),
        Error::EofInComment => Err("an end within a comment".to_owned()),
        Error::EofInDoctype => Err("an end within the doctype".to_owned()),
        _ => Ok(()),
    }
}

/// Whether it leads to a place of the page, or to another file of the plugin.
fn is_link(value: &[u8]) -> bool {
    value.starts_with(b"#") || std::str::from_utf8(value).is_ok_and(|name| check_name(name).is_ok())
}

fn is_data(value: &[u8]) -> bool {
    value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"))
}

/// Whether it is a time and nothing else, and not one that would have a page load itself without end.
fn is_seconds(content: &str) -> bool {
    content.len() <= REFRESH_DIGITS_MAX
        && content.bytes().all(|byte| byte.is_ascii_digit())
        && content.bytes().any(|byte| byte != b'0')
}

fn shown(text: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(text).chars().take(SHOWN_CHARS).collect();
    start.escape_debug().to_string()
}

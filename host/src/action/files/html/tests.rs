use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What the board of queue-watch consists of.
const BOARD: &str = "<!doctype html>\n<html lang=\"en\" data-valid-until=\"2026-06-01T10:03:00Z\"><head>\
    <meta charset=\"utf-8\">\n\
    <meta http-equiv=\"refresh\" content=\"30\"><meta name=\"viewport\" content=\"width=device-width\">\n\
    <title>Chat queue &amp; more</title><style>\n* { margin: 0; }\nul > li { columns: 3; }\n</style></head><body>\n\
    <header><h1>Chat queue</h1><p>closed · 12:00:00</p></header>\n<main>\n\
    <section class=\"over\"><h2>Longest wait now</h2><b>1:41</b><small></small></section>\n\
    <section class=\"wide\"><ul><li><span>&lt;ann@example.com&gt;</span><i>2</i></li></ul></section>\n\
    </main>\n<small>Times are those of the account.</small></body></html>\n";

/// What the page of quality-report consists of.
const REPORT: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Quality report</title>\n<style>\n\
    @media print { table { break-inside: avoid; } }\n</style>\n</head>\n<body>\n<h1>Quality report</h1>\n\
    <section class=\"tiles\">\n<div><b>9.1</b><span>score</span></div>\n</section>\n<figure>\n\
    <figcaption>Score</figcaption>\n<svg viewBox=\"0 0 640 26\" role=\"img\" aria-label=\"Score\">\n\
    <text x=\"212\" y=\"18\" text-anchor=\"end\">ann</text><rect x=\"220\" y=\"4\" width=\"320.0\" height=\"18\"/>\n\
    </svg>\n</figure>\n<table class=\"narrow\">\n<thead><tr><th>Agent</th></tr></thead>\n\
    <tbody>\n<tr class=\"differs\"><td>ann</td></tr>\n</tbody>\n</table>\n</body>\n</html>\n";

/// Each takes a browser elsewhere, or tells somebody else something, wherever in a page it stands.
const OUTBOUND: [&str; 8] = [
    "<meta http-equiv=\"refresh\" content=\"0;url=https://evil.example/?d=mary\">",
    "<META HTTP-EQUIV=Refresh CONTENT='5; URL=//evil.example/'>",
    "<meta/name=\"referrer\"/content=\"unsafe-url\">",
    "<link rel=preconnect href=https://mary.evil.example>",
    "<a href=\"https://evil.example/?d=mary\">more</a>",
    "<form action=https://evil.example><button>more</button></form>",
    "<iframe src=https://evil.example></iframe>",
    "<svg><a href=\"#x\"><set attributeName=href to=https://evil.example /></a></svg>",
];

fn check_refused(page: &str, part: &str) {
    let wrong = check(page).expect_err(page);
    assert!(wrong.contains(part), "{page}: {wrong}");
}

#[test]
fn honest_pages_are_published() {
    for page in [
        BOARD,
        REPORT,
        "",
        "just text < 3 & more",
        "<p>open<p>ends",
        "<meta http-equiv=Content-Type content='text/html; charset=UTF-8'><meta charset=UTF-8>",
        "<META NAME=Description CONTENT='https://example.com'>",
        "<meta http-equiv=refresh content=5><meta http-equiv=refresh content=99999>",
        "<a href=#top>top</a><a href='agents.csv'>table</a><a href>here</a><a id=top>there</a>",
        "<img src=\"data:image/png;base64,AAAA\" alt=x width=1 height=1><img src=DATA:,>",
        "<svg><title>a bar</title><linearGradient id=g><stop offset=0 stop-color=red /></linearGradient></svg>",
        "<style>@media (width <= 600px) { a > b { background: url(https://evil.example) } }</style>",
        "<p title='<script>' data-x='<meta http-equiv=refresh content=0;url=//x>' style='color: red'>text",
        "<!-- <script> --><p>&lt;script&gt;",
        "<!-- <script> -->",
        "<p>ż 🦀</p>",
    ] {
        assert_eq!(check(page), Ok(()), "{page}");
    }
}

#[test]
fn nothing_outbound_is_published_wherever_it_stands() {
    for page in [BOARD, REPORT] {
        for (end, _) in page.match_indices('>') {
            let (before, after) = page.split_at(end + 1);
            for outbound in OUTBOUND {
                assert!(check(&format!("{before}{outbound}{after}")).is_err(), "{before}{outbound}");
            }
        }
    }
}

#[test]
fn a_page_sends_itself_nowhere() {
    for content in [
        "0;url=https://evil.example",
        "5;",
        "5,x",
        "5 url=//x",
        " 5",
        "5\n",
        "5.5",
        "-1",
        "+1",
        "0",
        "000",
        "123456",
        "&#48;&#x3b;url=//x",
        "&#55&semi;//x",
        "x",
    ] {
        check_refused(
            &format!("<meta http-equiv=refresh content='{content}'>"),
            "`<meta http-equiv=\"refresh\"",
        );
        check_refused(&format!("<meta content=\"{content}\" http-equiv=\"&#82;EFRESH\">"), "REFRESH");
    }
    check_refused("<meta http-equiv=refresh content=5 content='0;url=//x'>", "two `content`");
    check_refused("<meta http-equiv=refresh http-equiv=x content=5>", "two `http-equiv`");
    for header in
        ["x-dns-prefetch-control", "set-cookie", "content-security-policy", "link", " refresh", "refresh "]
    {
        check_refused(
            &format!("<meta http-equiv='{header}' content='5'>"),
            &format!("http-equiv=\"{header}\""),
        );
    }
    check_refused("<meta http-equiv=content-type content='text/html; charset=iso-2022-jp'>", "iso-2022-jp");
    check_refused("<meta charset=utf-7>", "charset=\"utf-7\"");
}

#[test]
fn no_address_goes_along_with_a_request() {
    check_refused("<meta name=referrer content=unsafe-url>", "name=\"referrer\" content=\"unsafe-url\"");
    check_refused("<meta name=REFERRER content=always>", "REFERRER");
    check_refused("<meta name='r&#101;ferrer' content=always>", "referrer");
    check_refused("<meta property=og:url content=x>", "the attribute `property` of `<meta>`");
    check_refused("<a href=#x referrerpolicy=unsafe-url>", "the attribute `referrerpolicy` of `<a>`");
    check_refused("<img src=data:, referrerpolicy=unsafe-url>", "the attribute `referrerpolicy` of `<img>`");
}

#[test]
fn links_lead_to_places_of_the_page_and_to_published_files() {
    for link in [
        "https://evil.example",
        "HtTpS:evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/api/v1/status",
        "java\nscript:1",
        "javascript:1",
        " https://evil.example",
        "\thttps://evil.example",
        "https&#58;//evil.example",
        "https&colon;&sol;&sol;evil.example",
        "mailto:x@evil.example",
        "data:text/html,x.html",
        "a/b.csv",
        "../q/a.csv",
        "?x=y.csv",
        "a.exe",
        " #x",
    ] {
        check_refused(&format!("<a href='{link}'>"), "a link to `");
        check_refused(&format!("<svg><A HREF='{link}'>"), "a link to `");
    }
    check_refused("<a href=#x href=//evil.example>", "a link to `//evil.example`");
    for picture in
        ["https://evil.example/x.png", "//evil.example/x.png", "x.png", "blob:x", " data:,", "da\nta:,"]
    {
        check_refused(&format!("<img src='{picture}'>"), "a picture of `");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    for element in [
        "script",
        "link",
        "base",
        "form",
        "iframe",
        "object",
        "embed",
        "frameset",
        "frame",
        "area",
        "audio",
        "video",
        "source",
        "track",
        "image",
        "input",
        "button",
        "select",
        "portal",
        "fencedframe",
        "template",
        "noscript",
        "math",
        "textarea",
        "xmp",
        "plaintext",
        "noembed",
        "noframes",
        "applet",
        "use",
        "animate",
        "set",
        "foreignobject",
        "x-element",
        "p\u{0}",
        "p<script",
    ] {
        check_refused(&format!("<p><{element}>"), &format!("the element `<{}", &element[..1]));
        check_refused(&format!("<svg><{}/>", element.to_uppercase()), "the element `<");
    }
    for (element, attribute) in [
        ("a", "ping"),
        ("a", "target"),
        ("a", "xlink:href"),
        ("a", "attributionsrc"),
        ("img", "srcset"),
        ("img", "longdesc"),
        ("body", "background"),
        ("body", "onload"),
        ("html", "manifest"),
        ("blockquote", "cite"),
        ("p", "href"),
        ("p", "src"),
        ("p", "action"),
        ("p", "formaction"),
        ("p", "<script"),
    ] {
        let part = format!("the attribute `{attribute}` of `<{element}>`");
        check_refused(&format!("<{element} {}='#x'>", attribute.to_uppercase()), &part);
        check_refused(&format!("<{element} class=x {attribute}>"), &part);
    }
    assert!(check(&format!("<{}>", "x".repeat(1_000))).expect_err("refused").len() < 200, "it is cut");
}

#[test]
fn nothing_hides_where_browsers_read_otherwise() {
    const AWAY: &str = "<meta http-equiv=refresh content=0;url=//evil.example>";
    for (page, part) in [
        (format!("<style><!--</style>{AWAY}<!-- --></style>"), "within `<style>`"),
        (format!("<title><!--</title>{AWAY}<!-- --></title>"), "within `<title>`"),
        (format!("<title><p title='</title>{AWAY}'></title>"), "within `<title>`"),
        (format!("<svg><style>{AWAY}</style></svg>"), "within `<style>`"),
        (format!("<style></title>{AWAY}</style>"), "within `<style>`"),
        (format!("<style></style x=\"{AWAY}\"></style>"), "within `<style>`"),
        (format!("<svg><![CDATA[><p title=']]>{AWAY}'>"), "`<![CDATA[`"),
        (format!("<style></style>{AWAY}"), "`<meta http-equiv=\"refresh\""),
        (format!("<style/>{AWAY}"), "within `<style>`"),
        (format!("<!-->{AWAY}-->"), "`<meta http-equiv=\"refresh\""),
        (format!("<!--x--!>{AWAY}-->"), "`<meta http-equiv=\"refresh\""),
        (format!("<!x>{AWAY}"), "`<meta http-equiv=\"refresh\""),
        (format!("</p {AWAY}"), "an end tag with attributes"),
    ] {
        check_refused(&page, part);
    }
}

#[test]
fn what_the_host_puts_behind_a_page_is_read_as_a_tag() {
    for (page, part) in [
        ("<p>3</p><style>p { color: red }", "an end within `<style>`"),
        ("<title>Queue", "an end within `<title>`"),
        ("<style>p { color: red }</style", "an end within"),
        ("<p>3</p><!-- that's all", "an end within a comment"),
        ("<p>3</p><!-- that's all --", "an end within a comment"),
        ("<!doctype", "an end within the doctype"),
        ("<!doctype html x", "an end within"),
        ("<p>3</p><!", "an end within a comment"),
        ("<p>3</p><!x", "an end within a comment"),
        ("<p>3</p><?x", "an end within a comment"),
        ("<p>3</p></3", "an end within a comment"),
        ("<p>3</p><p title=\"4", "an end within a tag"),
        ("<p>3</p", "an end within a tag"),
        ("<p>3</", "an end within a tag"),
    ] {
        check_refused(page, part);
    }
}

/// The start tags of a page, as they are read where `<style>` and `<title>` have text in them, or tags.
fn start_tags(page: &str, is_text: bool) -> Vec<Vec<u8>> {
    let name = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Vec<u8>> {
        match event {
            CallbackEvent::OpenStartTag { name } => Some(name.to_vec()),
            _ => None,
        }
    };
    let mut emitter = CallbackEmitter::new(name);
    emitter.naively_switch_states(is_text);
    let Ok(names) = Tokenizer::new_with_emitter(page, emitter).collect::<Result<_, _>>();
    names
}

/// Of these, pages are made that are read in several ways.
const PIECES: &[&str] = &[
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<p>",
    "</p>",
    "<svg>",
    "</svg>",
    "<!--",
    "-->",
    "text",
    "<",
    ">",
    "</",
    "<b class=\"",
    "\">",
    "&lt;",
    "</style x>",
    "<title/>",
    "<!",
];

proptest! {
    #[test]
    fn what_is_published_is_read_in_one_way(pieces in prop::collection::vec(select(PIECES), 0..12)) {
        let page = pieces.concat();
        if check(&page).is_ok() {
            prop_assert_eq!(start_tags(&page, true), start_tags(&page, false));
            let behind = start_tags(&format!("{page}<hr>"), true);
            prop_assert_eq!(behind.last().map(Vec::as_slice), Some(&b"hr"[..]), "{}", page);
        }
    }

    #[test]
    fn no_page_makes_it_panic(page in "([<>/=\"'!?&#;x \u{0}\r\n-]|meta|style|title|a href|img src|\\PC){0,40}") {
        let _ = check(&page);
    }
}

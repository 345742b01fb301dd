//! How words of the settings are compared with what customers bring. Upper and lower case are the same;
//! nothing here is a regular expression, so that no customer's text can make a comparison slow.

/// Whether `text` is what `pattern` describes, where `*` stands for any characters or none.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else { return text == first };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in parts {
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether a page's address is what `pattern` describes. A pattern without `://` means any scheme; the part
/// of the address behind `#` doesn't count.
pub fn page(pattern: &str, url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    match url.split_once("://") {
        Some((_, rest)) if !pattern.contains("://") => glob(pattern, rest),
        _ => glob(pattern, url),
    }
}

/// Whether `host` is `domain` or lies below it.
pub fn domain(domain: &str, host: &str) -> bool {
    let (domain, host) = (domain.trim_matches('.').to_lowercase(), host.trim_end_matches('.').to_lowercase());
    host.strip_suffix(&domain).is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// The host in a page's address.
pub fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    // What stands before an @ is a user name, however much it looks like a host.
    let address = authority.rsplit('@').next()?;
    let host = address.split(':').next()?;
    (!host.is_empty()).then_some(host)
}

/// The domain of an e-mail address.
pub fn email_domain(email: &str) -> Option<&str> {
    let (_, domain) = email.trim().rsplit_once('@')?;
    (!domain.is_empty()).then_some(domain)
}

/// Whether `keyword` is in `text` as a whole word (or words); a `*` at its end stands for any ending.
pub fn keyword(keyword: &str, text: &str) -> bool {
    let (keyword, text) = (keyword.trim().to_lowercase(), text.to_lowercase());
    let (word, open_end) = match keyword.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (keyword.as_str(), false),
    };
    let (Some(first), Some(last)) = (word.chars().next(), word.chars().next_back()) else { return false };
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !joined(before, Some(first)) && (open_end || !joined(Some(last), after))
    })
}

/// Whether two neighbours belong to one word. Scripts that are written without spaces have no such joints.
fn joined(left: Option<char>, right: Option<char>) -> bool {
    let in_word = |c: char| c.is_alphanumeric() && c < '\u{2E80}' && !('\u{0E00}'..'\u{0F00}').contains(&c);
    left.is_some_and(in_word) && right.is_some_and(in_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(compare: fn(&str, &str) -> bool, ours: &str, theirs: &str, expected: bool) {
        assert_eq!(compare(ours, theirs), expected, "{ours:?} against {theirs:?}");
    }

    #[test]
    fn a_star_stands_for_anything() {
        check(glob, "abc", "ABC", true);
        check(glob, "abc", "abcd", false);
        check(glob, "a*c", "ac", true);
        check(glob, "a*c", "abbc", true);
        check(glob, "a*c", "abcd", false);
        check(glob, "*b*", "abc", true);
        check(glob, "*b*b*", "abc", false);
        check(glob, "a*a", "a", false);
        check(glob, "*", "", true);
        check(glob, "**", "x", true);
        check(glob, "", "", true);
        check(glob, "", "x", false);
        check(glob, "ab*ba", "aba", false);
        check(glob, "*.pdf", "a.pdf.exe", false);
    }

    #[test]
    fn a_hostile_text_costs_no_more_than_its_length() {
        check(glob, "*a*a*a*a*a*a*a*a*a*a*a*a*b", &"a".repeat(16_384), false);
    }

    #[test]
    fn a_page_pattern_without_a_scheme_means_any() {
        check(page, "shop.example.com/de/*", "https://shop.example.com/de/cart?x=1", true);
        check(page, "shop.example.com/de/*", "http://shop.example.com/de/", true);
        check(page, "https://shop.example.com/*", "http://shop.example.com/", false);
        check(page, "*/checkout", "https://a.example/checkout#top", true);
        check(page, "*/checkout", "https://a.example/#/checkout", false);
        check(page, "*/checkout*", "not an address", false);
        check(page, "*", "", true);
    }

    #[test]
    fn a_domain_includes_what_lies_below() {
        check(domain, "example.com", "example.com", true);
        check(domain, "example.com", "Shop.EXAMPLE.com.", true);
        check(domain, "example.com", "badexample.com", false);
        check(domain, ".example.com", "shop.example.com", true);
        check(domain, "shop.example.com", "example.com", false);
    }

    #[test]
    fn a_host_is_not_a_user_name() {
        for (url, expected) in [
            ("https://shop.example.com/a", Some("shop.example.com")),
            ("https://shop.example.com:8443?x", Some("shop.example.com")),
            ("https://shop.example.com@evil.example/", Some("evil.example")),
            ("https://evil.example\\@shop.example.com/", Some("evil.example")),
            ("https:///path", None),
            ("shop.example.com", None),
            ("", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn an_email_domain_stands_behind_the_last_at() {
        for (email, expected) in [
            ("ada@Big.example", Some("Big.example")),
            ("\"a@b\"@c.example", Some("c.example")),
            ("ada", None),
            ("ada@", None),
        ] {
            assert_eq!(email_domain(email), expected, "{email}");
        }
    }

    #[test]
    fn a_keyword_is_a_whole_word() {
        check(keyword, "refund", "I want a REFUND!", true);
        check(keyword, "refund", "refunds", false);
        check(keyword, "refund*", "refunds, please", true);
        check(keyword, "refund", "norefund", false);
        check(keyword, "credit note", "a credit note for May", true);
        check(keyword, "Rückgabe", "die rückgabe?", true);
        check(keyword, "ab", "abab ab", true);
        check(keyword, "返品", "商品を返品したい", true);
        check(keyword, "חשבונית", "איפה החשבונית", false);
        check(keyword, "c++", "c++ or c", true);
        check(keyword, "*", "anything", false);
        check(keyword, "", "anything", false);
    }
}

//! The data centre that holds the account. LiveChat has two, `dal` and `fra`, and says `misdirected_request` where the
//! wrong one was asked.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use reqwest::RequestBuilder;

/// The data centre, as far as it is known. Clones share what is learnt.
#[derive(Clone, Debug, Default)]
pub(super) struct Region(Arc<ArcSwapOption<String>>);

impl Region {
    pub(super) fn new(known: Option<String>) -> Region {
        Region(Arc::new(ArcSwapOption::from(known.map(Arc::new))))
    }

    pub(super) fn known(&self) -> Option<String> {
        self.0.load().as_deref().cloned()
    }

    /// Whether LiveChat named another one than the one that was asked, which is worth asking once. It is remembered.
    pub(super) fn learn(&self, asked: Option<&str>, named: Option<&str>) -> bool {
        let is_new = named.is_some() && named != asked;
        if is_new {
            self.0.store(named.map(|named| Arc::new(named.to_owned())));
        }
        is_new
    }
}

/// A request that goes to a data centre.
pub(super) fn directed(request: RequestBuilder, region: Option<&str>) -> RequestBuilder {
    match region {
        Some(region) => request.header("X-Region", region),
        None => request,
    }
}

/// Whether text can be the name of a data centre, and stand in a header.
pub(super) fn is_region(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_learnt_where_another_one_was_asked() {
        let region = Region::new(None);
        let shared = region.clone();
        assert!(!region.learn(None, None));
        assert!(region.learn(None, Some("fra")));
        assert_eq!(shared.known().as_deref(), Some("fra"));
        assert!(!region.learn(Some("fra"), Some("fra")), "it was asked already");
        assert!(region.learn(Some("fra"), Some("dal")));
        assert_eq!(shared.known().as_deref(), Some("dal"));
        assert!(!region.learn(Some("dal"), None));
        assert_eq!(shared.known().as_deref(), Some("dal"), "and kept");
    }
}

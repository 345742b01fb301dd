//! Lists that come in pages.

use std::collections::BTreeSet;

use crate::objects::ListPage;
use crate::{Error, ErrorCode};

/// Each item of all pages, as long as each page leads to one that was not there before. Ends after an error.
pub(crate) fn each<T>(
    mut read: impl FnMut(Option<&str>) -> Result<ListPage<T>, Error>,
) -> impl Iterator<Item = Result<T, Error>> {
    let mut seen = BTreeSet::new();
    let mut next = Some(None);
    let pages = std::iter::from_fn(move || {
        let id: Option<String> = next.take()?;
        let page = read(id.as_deref());
        let following = page.as_ref().ok().and_then(|page| page.next_page_id.clone());
        match following {
            Some(id) if !seen.insert(id.clone()) => {
                let message = format!("LiveChat's list goes round: it leads to the page {id} again");
                return Some(Err(Error::new(ErrorCode::Unavailable, message)));
            }
            Some(id) => next = Some(Some(id)),
            None => {}
        }
        Some(page)
    });
    pages.flat_map(|page| {
        let (items, error) = match page {
            Ok(page) => (page.items, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        items.into_iter().map(Ok).chain(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[u32], next: Option<&str>) -> ListPage<u32> {
        ListPage { items: items.to_vec(), next_page_id: next.map(str::to_owned), ..ListPage::default() }
    }

    #[test]
    fn the_pages_are_followed_to_the_last() {
        let mut asked = Vec::new();
        let all: Result<Vec<u32>, Error> = each(|id| {
            asked.push(id.map(str::to_owned));
            Ok(match id {
                None => page(&[1, 2], Some("b")),
                Some("b") => page(&[], Some("c")),
                _ => page(&[3], None),
            })
        })
        .collect();
        assert_eq!(all, Ok(vec![1, 2, 3]));
        assert_eq!(asked, [None, Some("b".to_owned()), Some("c".to_owned())]);
    }

    #[test]
    fn an_error_and_a_list_that_goes_round_end_it() {
        let all: Vec<_> = each(|_| Ok(page(&[1], Some("a")))).collect();
        assert_eq!(all[0], Ok(1));
        assert!(all[1].as_ref().is_err_and(|error| error.message.contains("goes round")), "{all:?}");
        assert_eq!(all.len(), 2);
        let failed = Error::new(ErrorCode::NotFound, "gone");
        let all: Vec<Result<u32, Error>> = each(|_| Err(failed.clone())).collect();
        assert_eq!(all, [Err(failed)]);
    }
}

//! A slice of a run: some pages of LiveChat's archives, and what their chats come to. What it reads is handed in.

use std::collections::BTreeMap;

use chatplug_sdk::objects::{Chat, ListPage};
use chatplug_sdk::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::figures::Tally;
use crate::measure::{Measured, measure};

/// Where a run is in LiveChat's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// Nothing was read.
    #[default]
    Start,
    /// The page of this id comes next.
    Page(String),
    /// Everything was read.
    End,
}

/// The instants that a chat has to begin within, milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    /// The first.
    pub(crate) from_ms: i64,
    /// The last.
    pub(crate) to_ms: i64,
}

/// What a slice came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The figures of the chats of each page that was read.
    pub(crate) pages: Vec<Tally>,
    /// Where the next one begins.
    pub(crate) next: Place,
    /// How long the service wants to be left alone, milliseconds.
    pub(crate) wait_ms: u64,
}

impl Slice {
    /// How many chats it has.
    pub(crate) fn chats(&self) -> u64 {
        self.pages.iter().map(|page| page.all.chats).sum()
    }
}

/// What can be asked of LiveChat.
pub(crate) struct Asking<P, B> {
    /// The first page of the list, or the one with this id.
    pub(crate) page: P,
    /// When threads began, by their ids; those that nobody knows are left out.
    pub(crate) begun: B,
}

/// Reads up to `pages` pages. If a service asks to wait after the first one, what was read counts, and the slice ends.
///
/// # Errors
/// The first page could not be read, or the list goes round.
pub(crate) fn gather<P, B>(
    place: &Place,
    pages: u32,
    within: Within,
    asking: &mut Asking<P, B>,
) -> Result<Slice, Error>
where
    P: FnMut(Option<&str>) -> Result<ListPage<Chat>, Error>,
    B: FnMut(&[&Measured]) -> Result<BTreeMap<String, i64>, Error>,
{
    let mut slice = Slice { pages: Vec::new(), next: place.clone(), wait_ms: 0 };
    for number in 0..pages {
        let id = match &slice.next {
            Place::Start => None,
            Place::Page(id) => Some(id.clone()),
            Place::End => break,
        };
        match read(id.as_deref(), within, asking) {
            Ok((tally, next)) => {
                slice.pages.push(tally);
                slice.next = next;
            }
            Err(error) if number > 0 && error.code.may_pass() => {
                slice.wait_ms = error.retry_after_ms.unwrap_or(1_000);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(slice)
}

/// One page: its figures, and where the next one is.
fn read<P, B>(id: Option<&str>, within: Within, asking: &mut Asking<P, B>) -> Result<(Tally, Place), Error>
where
    P: FnMut(Option<&str>) -> Result<ListPage<Chat>, Error>,
    B: FnMut(&[&Measured]) -> Result<BTreeMap<String, i64>, Error>,
{
    let page = (asking.page)(id)?;
    if page.next_page_id.is_some() && page.next_page_id.as_deref() == id {
        let message = "LiveChat's list of archives goes round: a page leads to itself";
        return Err(Error::new(ErrorCode::Invalid, message));
    }
    // What the list means by its bounds is LiveChat's affair: a chat counts on the day on which it began.
    let is_within = |chat: &Measured| (within.from_ms..=within.to_ms).contains(&chat.begun_ms);
    let chats: Vec<Measured> = page.items.iter().filter_map(measure).filter(is_within).collect();
    let followed: Vec<&Measured> = chats.iter().filter(|chat| chat.next_thread_id.is_some()).collect();
    let begun = if followed.is_empty() { BTreeMap::new() } else { (asking.begun)(&followed)? };
    let mut tally = Tally::default();
    for chat in &chats {
        let next = chat.next_thread_id.as_ref().and_then(|next| begun.get(next));
        tally.add(chat, next.is_some_and(|next_begun_ms| chat.is_reopened_at(*next_begun_ms)));
    }
    Ok((tally, page.next_page_id.map_or(Place::End, Place::Page)))
}

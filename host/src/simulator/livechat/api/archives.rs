//! `list_archives`: the threads that have ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::account::Account;
use super::super::chat::{Chat, Thread};
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::{Answer, Call};

/// A page. The id of another page holds all that the first call said.
#[derive(Serialize, Deserialize)]
struct Page {
    skipped: usize,
    limit: usize,
    newest_first: bool,
    filters: Filters,
}

#[derive(Default, Serialize, Deserialize)]
struct Filters {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    query: Option<String>,
    chat_ids: Vec<String>,
    thread_ids: Vec<String>,
    group_ids: Vec<i64>,
    agents: Vec<String>,
    tags: Vec<String>,
    customer_id: Option<String>,
    customer_email: Option<String>,
}

pub(super) fn list_archives(account: &mut Account, mut call: Call<'_>) -> Answer {
    let page = Page::read(&mut call.fields)?;
    call.fields.end()?;
    let threads =
        account.chats.values().flat_map(|chat| chat.threads.iter().map(move |thread| (chat, thread)));
    let mut found: Vec<(&Chat, &Thread)> =
        threads.filter(|(chat, thread)| page.filters.admit(account, chat, thread)).collect();
    found.sort_by(|(_, a), (_, b)| a.created_at.cmp(&b.created_at));
    if page.newest_first {
        found.reverse();
    }
    let shown = found.iter().skip(page.skipped).take(page.limit);
    let shown: Vec<Value> = shown.map(|(chat, thread)| chat.json(account, thread)).collect();
    let mut answer = json!({"found_chats": found.len(), "chats": shown});
    if page.skipped + page.limit < found.len() {
        answer["next_page_id"] = page.id(page.skipped + page.limit);
    }
    if page.skipped > 0 {
        answer["previous_page_id"] = page.id(page.skipped.saturating_sub(page.limit));
    }
    Ok(answer)
}

impl Page {
    fn read(fields: &mut Fields<'_>) -> Result<Page, Refusal> {
        if let Some(id) = fields.optional_text("page_id")? {
            let others = ["filters", "limit", "sort_order", "highlights"];
            if let Some(other) = others.into_iter().find(|name| fields.has(name)) {
                return Err(fields.refuse(other, "can't be combined with `page_id`"));
            }
            return serde_json::from_str(id).map_err(|_| fields.refuse("page_id", "is not valid"));
        }
        let limit = fields.number("limit")?;
        let has_limit = limit.is_some();
        let limit = limit.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            return Err(fields.refuse("limit", "must be from 1 to 100"));
        }
        let newest_first = fields.word("sort_order", &["desc", "asc"])? == "desc";
        let mut highlights = fields.within("highlights")?;
        highlights.optional_text("pre_tag")?;
        highlights.optional_text("post_tag")?;
        highlights.end()?;
        let filters = Filters::read(fields.within("filters")?)?;
        if !filters.thread_ids.is_empty() && has_limit {
            return Err(fields.refuse("limit", "can't be combined with `filters.thread_ids`"));
        }
        Ok(Page { skipped: 0, limit: limit as usize, newest_first, filters })
    }

    fn id(&self, skipped: usize) -> Value {
        let mut id = json!(self);
        id["skipped"] = json!(skipped);
        json!(id.to_string())
    }
}

impl Filters {
    fn read(mut fields: Fields<'_>) -> Result<Filters, Refusal> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let filters = Filters {
            from: fields.time("from")?,
            to: fields.time("to")?,
            query: owned(fields.optional_text("query")?),
            chat_ids: fields.texts("chat_ids")?,
            thread_ids: fields.texts("thread_ids")?,
            group_ids: fields.numbers("group_ids")?,
            agents: fields.values("agents")?,
            tags: fields.values("tags")?,
            customer_id: owned(fields.optional_text("customer_id")?),
            customer_email: owned(fields.optional_text("customer_email")?),
        };
        let lists = [
            ("chat_ids", filters.chat_ids.len(), 1_000),
            ("thread_ids", filters.thread_ids.len(), 20),
            ("group_ids", filters.group_ids.len(), 200),
        ];
        if let Some((name, _, most)) = lists.into_iter().find(|(_, length, most)| length > most) {
            return Err(fields.refuse(name, &format!("holds more than {most}")));
        }
        if !filters.thread_ids.is_empty() && fields.len() > 1 {
            return Err(fields.refuse("thread_ids", "can't be combined with other filters"));
        }
        fields.end()?;
        Ok(filters)
    }

    fn admit(&self, account: &Account, chat: &Chat, thread: &Thread) -> bool {
        let is_within = |created: Timestamp| {
            self.from.is_none_or(|from| created >= from) && self.to.is_none_or(|to| created <= to)
        };
        let one_of =
            |wanted: &[String], has: &dyn Fn(&String) -> bool| wanted.is_empty() || wanted.iter().any(has);
        let is_said = |text: &String| {
            let events = thread.events.iter();
            events.filter_map(|event| event["text"].as_str()).any(|said| said.contains(text.as_str()))
        };
        !thread.is_active
            && thread.created_at.parse().is_ok_and(is_within)
            && self.query.as_ref().is_none_or(is_said)
            && one_of(&self.chat_ids, &|id| chat.id == *id)
            && one_of(&self.thread_ids, &|id| thread.id == *id)
            && one_of(&self.agents, &|id| thread.user_ids.contains(id))
            && one_of(&self.tags, &|tag| thread.tags.contains(tag))
            && (self.group_ids.is_empty() || thread.group_ids.iter().any(|id| self.group_ids.contains(id)))
            && self.customer_id.as_deref().is_none_or(|id| chat.customer_id() == Some(id))
            && self.customer_email.as_deref().is_none_or(|email| has_email(account, chat, email))
    }
}

fn has_email(account: &Account, chat: &Chat, email: &str) -> bool {
    let customer = chat.customer_id().and_then(|id| account.customers.get(id));
    customer.is_some_and(|customer| customer["email"] == email)
}

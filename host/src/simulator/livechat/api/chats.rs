//! Reading chats and customers, ending chats, chat properties.

use serde_json::{Value, json};

use super::super::account::Account;
use super::super::chat::Chat;
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::{Answer, Call, done};

pub(super) fn get_chat(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("chat_id")?;
    let thread_id = call.fields.optional_text("thread_id")?;
    call.fields.end()?;
    let chat = account.chat(chat_id)?;
    let thread = match thread_id {
        Some(id) => chat.thread(id).ok_or_else(|| Refusal::not_found("Thread not found"))?,
        None => chat.newest(),
    };
    let mut object = chat.json(account, thread);
    object["is_followed"] = json!(false);
    Ok(object)
}

pub(super) fn list_chats(account: &mut Account, mut call: Call<'_>) -> Answer {
    let page = Page::read(&mut call.fields)?;
    call.fields.end()?;
    let mut chats: Vec<&Chat> = account.chats.values().filter(|chat| page.wants(chat)).collect();
    chats.sort_by(|a, b| a.newest().created_at.cmp(&b.newest().created_at));
    if page.newest_first {
        chats.reverse();
    }
    let shown: Vec<Value> =
        chats.iter().skip(page.from).take(page.limit).map(|chat| chat.summary(account)).collect();
    let mut answer = json!({"found_chats": chats.len(), "chats_summary": shown});
    if page.from + page.limit < chats.len() {
        answer["next_page_id"] = json!(page.id(page.from + page.limit));
    }
    if page.from > 0 {
        answer["previous_page_id"] = json!(page.id(page.from.saturating_sub(page.limit)));
    }
    Ok(answer)
}

/// A page of `list_chats`. The id of another page holds all that the first call said.
struct Page {
    from: usize,
    limit: usize,
    newest_first: bool,
    active: Option<bool>,
    group_ids: Vec<i64>,
}

impl Page {
    fn read(fields: &mut Fields<'_>) -> Result<Page, Refusal> {
        if let Some(id) = fields.optional_text("page_id")? {
            let others = ["filters", "limit", "sort_order"];
            if let Some(other) = others.into_iter().find(|name| fields.has(name)) {
                return Err(fields.refuse(other, "can't be combined with `page_id`"));
            }
            return Page::of_id(id).ok_or_else(|| fields.refuse("page_id", "is not valid"));
        }
        let limit = fields.number("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            return Err(fields.refuse("limit", "must be from 1 to 100"));
        }
        let newest_first = fields.word("sort_order", &["desc", "asc"])? == "desc";
        let mut filters = fields.within("filters")?;
        let active = filters.optional_flag("active")?;
        filters.flag("include_chats_without_threads")?;
        let group_ids = filters.numbers("group_ids")?;
        if group_ids.len() > 200 {
            return Err(filters.refuse("group_ids", "holds more than 200"));
        }
        filters.end()?;
        Ok(Page { from: 0, limit: limit as usize, newest_first, active, group_ids })
    }

    fn wants(&self, chat: &Chat) -> bool {
        let in_group =
            self.group_ids.is_empty() || chat.group_ids.iter().any(|id| self.group_ids.contains(id));
        in_group && self.active.is_none_or(|active| chat.is_active() == active)
    }

    fn id(&self, from: usize) -> String {
        json!([from, self.limit, self.newest_first, self.active, self.group_ids]).to_string()
    }

    fn of_id(id: &str) -> Option<Page> {
        let (from, limit, newest_first, active, group_ids) = serde_json::from_str(id).ok()?;
        Some(Page { from, limit, newest_first, active, group_ids })
    }
}

pub(super) fn get_customer(account: &mut Account, mut call: Call<'_>) -> Answer {
    let id = call.fields.text("id")?;
    call.fields.end()?;
    let customer = account.customers.get(id).ok_or_else(|| Refusal::not_found("Customer not found"))?;
    let mut customer = customer.clone();
    customer["chat_ids"] = account.chat_with(id).map(|chat| chat.id.as_str()).into_iter().collect();
    Ok(customer)
}

pub(super) fn deactivate_chat(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("id")?;
    let ignore_presence = call.fields.flag("ignore_requester_presence")?;
    account.active_chat(chat_id)?;
    call.must_be_in(account, chat_id, ignore_presence)?;
    call.fields.end()?;
    account.deactivate(chat_id, Some(&call.requester.id))?;
    Ok(done())
}

pub(super) fn update_chat_properties(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("id")?;
    let properties = call.fields.required_object("properties")?;
    call.fields.end()?;
    account.chat(chat_id)?;
    account.check_properties(properties)?;
    account.set_chat_properties(chat_id, properties)?;
    Ok(done())
}

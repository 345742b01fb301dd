//! One conversation, as a note tells it: plain values, still with foreign text as it came.

use chatplug_sdk::objects::{ChatEventKind, Thread};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

/// A thread of a chat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The chat.
    pub chat_id: String,
    /// The thread.
    pub thread_id: String,
    /// Who asked.
    pub customer: Customer,
    /// The names of the agents who took part, people and bots.
    pub agents: Vec<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When the last thing was said.
    pub ended: Option<Timestamp>,
    /// The address of the page on which it began.
    pub page: Option<String>,
    /// The thread's tags.
    pub tags: Vec<String>,
    /// How the customer rated it.
    pub rating: Option<Rating>,
    /// What was said, in order.
    pub lines: Vec<Line>,
}

impl Conversation {
    /// The conversation in the thread that `chat` came with. `rated` is the rating by the host's word; without
    /// it the thread's own properties count.
    pub fn of(chat: &Chat, rated: Option<Rating>) -> Self {
        let times = || chat.thread.events.iter().filter_map(|event| time(event.created_at.as_deref()));
        Conversation {
            chat_id: chat.id.clone(),
            thread_id: chat.thread.id.clone(),
            customer: customer(chat),
            agents: agents(chat),
            started: time(chat.thread.created_at.as_deref()).or_else(|| times().next()),
            ended: times().max(),
            page: page(chat),
            tags: chat.thread.tags.clone(),
            rating: rated.or_else(|| rating(&chat.thread)),
            lines: chat.thread.events.iter().filter_map(|event| line(chat, event)).collect(),
        }
    }
}

/// A customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Customer {
    /// The name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// Session fields: name and value.
    pub session_fields: Vec<(String, String)>,
}

/// A rating.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// The score.
    pub score: Option<i64>,
    /// The numbers that a score may have: `0-1` or `1-5`.
    pub scale: String,
    /// What the customer wrote.
    pub comment: Option<String>,
}

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Option<Timestamp>,
    /// Who: a name.
    pub who: String,
    /// What.
    pub text: String,
    /// Only agents see it.
    pub internal: bool,
}

impl Rating {
    /// The platform's numbers: 0 is bad, 1 is good.
    pub const PLATFORM: &str = "0-1";
}

fn customer(chat: &Chat) -> Customer {
    let Some(known) = chat.customer() else { return Customer::default() };
    let session_fields = known.session_fields.iter().flatten().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name.clone(), text.clone())),
        Value::Number(number) => Some((name.clone(), number.to_string())),
        _ => None,
    });
    Customer {
        name: known.name.clone(),
        email: known.email.as_deref().and_then(address).or_else(|| address_in_form(&chat.thread)),
        phone: known.phone_number.clone().filter(|phone| !phone.trim().is_empty()),
        session_fields: session_fields.collect(),
    }
}

/// `text` as an e-mail address to look a contact up by; `None` if it can't be one.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c);
    let plausible = !local.is_empty() && !domain.is_empty() && text.len() <= 254 && !text.contains(odd);
    plausible.then(|| text.to_lowercase())
}

fn address_in_form(thread: &Thread) -> Option<String> {
    let forms = thread.events.iter().filter(|event| event.kind == ChatEventKind::FilledForm);
    let mut fields = forms.flat_map(|form| &form.fields).filter(|field| field.kind == "email");
    fields.find_map(|field| address(&field.answer_text()))
}

fn agents(chat: &Chat) -> Vec<String> {
    let here = &chat.thread.user_ids;
    let agents = chat.agents().filter(|agent| here.is_empty() || here.contains(&agent.id));
    agents.map(|agent| agent.name.clone().unwrap_or_else(|| agent.id.clone())).collect()
}

fn page(chat: &Chat) -> Option<String> {
    let start = [&chat.thread.properties, &chat.properties]
        .into_iter()
        .find_map(|properties| properties.text("routing", "start_url"));
    let visited = || chat.customer()?.visit.last_pages.last().map(|page| page.url.as_str());
    start.or_else(visited).filter(|url| !url.is_empty()).map(str::to_owned)
}

fn rating(thread: &Thread) -> Option<Rating> {
    let score = thread.properties.get("rating", "score")?;
    // Numbers arrive as floats after other tools.
    let score = score.as_i64().or_else(|| score.as_f64().map(|score| score as i64))?;
    let comment = thread.properties.text("rating", "comment").map(str::to_owned);
    Some(Rating { score: Some(score), scale: Rating::PLATFORM.to_owned(), comment })
}

/// What the event says to a reader; `None` if nothing.
fn line(chat: &Chat, event: &ChatEvent) -> Option<Line> {
    let text = match event.kind {
        ChatEventKind::Message => event.text.clone()?,
        ChatEventKind::File => {
            let parts = [Some("[file]"), event.name.as_deref(), event.url.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        ChatEventKind::FilledForm => {
            let answers = event.fields.iter().map(|field| (&field.label, field.answer_text()));
            let answers = answers.filter(|(_, answer)| !answer.is_empty());
            answers.map(|(label, answer)| format!("{label} {answer}")).collect::<Vec<_>>().join("\n")
        }
        ChatEventKind::RichMessage => {
            let cards = event.elements.as_array().into_iter().flatten();
            let titles: Vec<&str> = cards.filter_map(|card| card.get("title")?.as_str()).collect();
            format!("[card] {}", titles.join("; "))
        }
        _ => return None,
    };
    if text.trim().is_empty() {
        return None;
    }
    Some(Line {
        at: time(event.created_at.as_deref()),
        who: who(chat, event),
        text,
        internal: event.is_internal(),
    })
}

fn who(chat: &Chat, event: &ChatEvent) -> String {
    let Some(id) = event.author_id.as_deref() else { return "LiveChat".to_owned() };
    match chat.user(id) {
        Some(user) => user.name().unwrap_or(if user.is_customer() { "Customer" } else { id }).to_owned(),
        None => id.to_owned(),
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> Value {
        json!({
            "id": "PJ0MRSHTDG",
            "users": [
                {"id": "b7eff798", "type": "customer", "name": "Dana", "email": " Dana@Example.com "},
                {"id": "kim@us.example", "type": "agent", "name": "Kim"},
                {"id": "earlier@us.example", "type": "agent", "name": "Not in this thread"}
            ],
            "properties": {"routing": {"start_url": "https://a.example/"}},
            "thread": {
                "id": "K600PKZON8", "created_at": "2026-06-01T12:00:00.000000Z", "tags": ["vip"],
                "user_ids": ["b7eff798", "kim@us.example"],
                "properties": {"rating": {"score": 1.0, "comment": "thanks"}},
                "events": [
                    {"type": "filled_form", "author_id": "b7eff798", "created_at": "2026-06-01T12:00:01Z", "fields": [
                        {"type": "email", "label": "E-mail:", "answer": "form@example.com"},
                        {"type": "radio", "label": "Team:", "answer": {"id": "1", "label": "Sales"}},
                        {"type": "question", "label": "Order:"}]},
                    {"type": "message", "author_id": "b7eff798", "created_at": "2026-06-01T12:01:00Z", "text": "hi"},
                    {"type": "message", "author_id": "kim@us.example", "visibility": "agents", "text": "angry"},
                    {"type": "file", "author_id": "kim@us.example", "name": "a.pdf", "url": "https://cdn.example/a.pdf"},
                    {"type": "rich_message", "author_id": "5c98", "elements": [{"title": "One"}, {"title": "Two"}]},
                    {"type": "system_message", "text": "Kim left", "created_at": "2026-06-01T14:05:00+02:00"}
                ]
            }
        })
    }

    fn conversation(chat: Value) -> Conversation {
        Conversation::of(&serde_json::from_value(chat).expect("a chat"), None)
    }

    #[test]
    fn a_thread_becomes_what_a_note_tells() {
        let told = conversation(chat());
        assert_eq!(told.customer.email.as_deref(), Some("dana@example.com"));
        assert_eq!((told.agents, told.tags), (vec!["Kim".to_owned()], vec!["vip".to_owned()]));
        assert_eq!(told.ended, "2026-06-01T12:05:00Z".parse().ok());
        assert_eq!(told.page.as_deref(), Some("https://a.example/"));
        let rating = Rating { score: Some(1), scale: "0-1".into(), comment: Some("thanks".into()) };
        assert_eq!(told.rating, Some(rating));
        let lines: Vec<_> =
            told.lines.iter().map(|l| (l.who.as_str(), l.text.as_str(), l.internal)).collect();
        assert_eq!(
            lines,
            [
                ("Dana", "E-mail: form@example.com\nTeam: Sales", false),
                ("Dana", "hi", false),
                ("Kim", "angry", true),
                ("Kim", "[file] a.pdf https://cdn.example/a.pdf", false),
                ("5c98", "[card] One; Two", false),
            ]
        );
    }

    #[test]
    fn the_hosts_word_on_the_rating_counts_more_than_the_threads() {
        let rated = Rating { score: Some(2), scale: "1-5".into(), comment: None };
        let chat: Chat = serde_json::from_value(chat()).expect("a chat");
        assert_eq!(Conversation::of(&chat, Some(rated.clone())).rating, Some(rated));
    }

    #[test]
    fn the_address_is_the_customers_or_the_forms() {
        let with_email = |email: Value| {
            let mut chat = chat();
            chat["users"][0]["email"] = email;
            conversation(chat).customer.email
        };
        assert_eq!(with_email(json!("ada+shop@example.com")).as_deref(), Some("ada+shop@example.com"));
        for email in [
            json!(null),
            json!(""),
            json!("ada"),
            json!("@x"),
            json!("a b@x"),
            json!("a@x\n"),
            json!("<a@x>"),
        ] {
            let expected = if email == json!("a@x\n") { "a@x" } else { "form@example.com" };
            assert_eq!(with_email(email.clone()).as_deref(), Some(expected), "{email}");
        }
        assert_eq!(
            with_email(json!(format!("{}@x", "a".repeat(16_384)))).as_deref(),
            Some("form@example.com")
        );
    }

    #[test]
    fn an_empty_thread_is_told_too() {
        let told = Conversation::of(&Chat::default(), None);
        assert_eq!((told.lines.len(), told.customer.email, told.started), (0, None, None));
    }
}

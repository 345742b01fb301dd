//! Who does what, in order.

use crate::simulator::livechat::{EndedBy, Opening};

/// One step of the story.
pub struct Step {
    /// What happens, for people: "Dana opens a chat on /pricing".
    pub sentence: &'static str,
    /// Whose chat it is.
    pub customer: &'static str,
    /// What happens, for the simulation.
    pub act: Act,
    /// The expectations that the next steps build on: wait for them before going on.
    pub awaits: &'static [&'static str],
}

/// What somebody does.
pub enum Act {
    /// The customer opens a chat.
    Opens(Opening),
    /// The customer writes.
    Says(&'static str),
    /// An agent writes.
    AgentSays {
        /// Who.
        agent_id: &'static str,
        /// What.
        text: &'static str,
    },
    /// The customer rates: 0 is bad, 1 is good.
    Rates(i64),
    /// The customer explains the rating.
    Comments(&'static str),
    /// The thread ends.
    Ends(EndedBy),
}

const SMITH: &str = "smith@example.com";
const SAM: &str = "sam@example.com";

/// The story.
pub fn steps() -> Vec<Step> {
    [dana_and_omar_open(), omar_is_unhappy(), mia_is_happy(), dana_rates_late(), mallory(), visitor()]
        .into_iter()
        .flatten()
        .collect()
}

fn dana_and_omar_open() -> Vec<Step> {
    let dana = Opening {
        first_message: Some("How much is the team plan?".to_owned()),
        ..opening("Dana", "https://shop.example.com/pricing")
    };
    vec![
        Step {
            awaits: &[
                "LiveChat: Dana's chat is in the group Sales (2)",
                "LiveChat: tag sales on Dana's thread",
            ],
            ..step("Dana", "Dana opens a chat on /pricing and asks for the price", Act::Opens(dana))
        },
        says("Dana", SAM, "Sam of Sales answers Dana", "It is 20 a month for each seat."),
        step(
            "Omar",
            "Omar opens a chat on /help",
            Act::Opens(opening("Omar", "https://shop.example.com/help")),
        ),
        Step {
            awaits: &["LiveChat: tag urgent on Omar's thread"],
            ..step(
                "Omar",
                "Omar writes that it is urgent",
                Act::Says("My parcel arrived broken, this is urgent!"),
            )
        },
        says("Omar", SMITH, "Agent Smith answers Omar", "Let me look. Which parcel?"),
    ]
}

fn omar_is_unhappy() -> Vec<Step> {
    vec![
        Step {
            awaits: &[
                "Slack: alert for Omar's bad rating",
                "LiveChat: tag low-rating on Omar's thread",
                "LiveChat: internal note in Omar's chat",
            ],
            ..step("Omar", "Omar rates the chat as bad while it goes on", Act::Rates(0))
        },
        step("Omar", "Agent Smith ends Omar's chat", Act::Ends(EndedBy::Agent(SMITH.to_owned()))),
    ]
}

fn mia_is_happy() -> Vec<Step> {
    let mia = Opening {
        session_fields: vec![("plan".to_owned(), "enterprise".to_owned())],
        first_message: Some("Hello, where do I find my invoices?".to_owned()),
        ..opening("Mia", "https://shop.example.com/account")
    };
    vec![
        Step {
            awaits: &["LiveChat: Mia's chat carries the property of enterprise customers"],
            ..step("Mia", "Mia, an enterprise customer, opens a chat on /account", Act::Opens(mia))
        },
        says("Mia", SMITH, "Agent Smith answers Mia", "Under Account, Billing."),
        step("Mia", "Mia rates the chat as good", Act::Rates(1)),
        step("Mia", "Mia ends the chat", Act::Ends(EndedBy::Customer)),
    ]
}

fn dana_rates_late() -> Vec<Step> {
    vec![
        step("Dana", "Sam ends Dana's chat", Act::Ends(EndedBy::Agent(SAM.to_owned()))),
        Step {
            awaits: &["Slack: alert for Dana's bad rating"],
            ..step("Dana", "Dana rates the chat as bad, after it ended", Act::Rates(0))
        },
        step("Dana", "Dana explains the rating", Act::Comments("I waited twenty minutes for one number")),
    ]
}

/// Whoever shows foreign text has to escape it.
fn mallory() -> Vec<Step> {
    let name =
        format!("=HYPERLINK(\"Mallory\") <!channel> <b>bold</b> \u{202e}gpj.exe {}", "x".repeat(2_000));
    let opening = Opening {
        name,
        email: Some("mallory+test@example.com".to_owned()),
        first_message: Some("<script>alert(1)</script> <!here> <@U0001> @everyone & co".to_owned()),
        ..opening("Mallory", "https://shop.example.com/help?next=<script>&q=%3C!channel%3E")
    };
    vec![
        step("Mallory", "Mallory opens a chat, with markup and mentions in every field", Act::Opens(opening)),
        step(
            "Mallory",
            "Mallory writes from right to left",
            Act::Says("\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd} <#C1>"),
        ),
        step("Mallory", "Mallory rates the chat as bad", Act::Rates(0)),
        step("Mallory", "Mallory comments", Act::Comments("<!channel> *pay* me <https://evil.example|here>")),
        step("Mallory", "Mallory goes away; the router ends the chat", Act::Ends(EndedBy::Router)),
    ]
}

fn visitor() -> Vec<Step> {
    let opening = Opening {
        email: None,
        first_message: Some("Do you ship to Norway?".to_owned()),
        ..opening("Visitor", "https://shop.example.com/help")
    };
    vec![
        step("Visitor", "A visitor without an e-mail address opens a chat", Act::Opens(opening)),
        step("Visitor", "Agent Smith ends the visitor's chat", Act::Ends(EndedBy::Agent(SMITH.to_owned()))),
    ]
}

fn opening(name: &str, page_url: &str) -> Opening {
    Opening { page_url: page_url.to_owned(), ..Opening::by(name) }
}

fn step(customer: &'static str, sentence: &'static str, act: Act) -> Step {
    Step { sentence, customer, act, awaits: &[] }
}

fn says(customer: &'static str, agent_id: &'static str, sentence: &'static str, text: &'static str) -> Step {
    step(customer, sentence, Act::AgentSays { agent_id, text })
}

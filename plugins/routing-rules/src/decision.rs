//! Which rule decides over a chat, and what it says.

use crate::facts::Facts;
use crate::settings::{Otherwise, Rule, Target};

/// What is done with a chat.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The rule that matched.
    pub rule: &'a Rule,
    /// Where the chat goes; `None` if it stays where it is.
    pub transfer: Option<Transfer<'a>>,
}

/// Where a chat goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// Who gets it.
    pub target: Target<'a>,
    /// Nobody accepts chats there now: it waits in the queue.
    pub queued: bool,
}

/// The first rule that matches, and what it says; `None` if none does.
/// `available` tells whether anybody accepts chats now; it is asked only about rules that match otherwise.
pub fn decide<'a, E>(
    rules: &'a [Rule],
    facts: &Facts,
    mut available: impl FnMut(Target<'a>) -> Result<bool, E>,
) -> Result<Option<Decision<'a>>, E> {
    for rule in rules {
        if !facts.satisfy(&rule.when) || !any_group_available(rule, &mut available)? {
            continue;
        }
        let Some(target) = rule.target() else {
            return Ok(Some(Decision { rule, transfer: None }));
        };
        let queued = !available(target)?;
        match rule.otherwise {
            Otherwise::Next if queued => continue,
            Otherwise::Leave if queued => return Ok(Some(Decision { rule, transfer: None })),
            _ => return Ok(Some(Decision { rule, transfer: Some(Transfer { target, queued }) })),
        }
    }
    Ok(None)
}

fn any_group_available<'a, E>(
    rule: &'a Rule,
    available: &mut impl FnMut(Target<'a>) -> Result<bool, E>,
) -> Result<bool, E> {
    let groups = rule.when.group_available.as_slice();
    let mut open = groups.is_empty();
    for group in groups {
        open = open || available(Target::Group(*group))?;
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"[
        {"name": "german shop", "when": {"page_domain": "shop.example.de"}, "to_group": 1, "otherwise": "next"},
        {"name": "key account", "when": {"email_domain": ["big.example", "huge.example"]}, "to_agent": "kim@us.example",
         "otherwise": "leave", "tag": "key"},
        {"name": "gold", "when": {"session_fields": {"Plan": "gold*", "seats": ["10", "20"]}}, "to_group": 2},
        {"name": "night", "when": {"outside_hours": {"timezone": "UTC", "from": "08:00", "to": "20:00"}}, "tag": "night"},
        {"name": "refund from Austria", "when": {"country": "at", "keywords": ["refund*", "Storno"]}, "to_group": 3},
        {"name": "sales are there", "when": {"keywords": "buy", "group_available": [8, 9]}, "to_group": 8},
        {"name": "french pages", "when": {"page_url": "www.example.com/fr/*"}, "to_group": 4, "otherwise": "leave"}
    ]"#;

    fn nothing() -> Facts {
        let at = "2026-06-01T12:00:00Z".parse().expect("a timestamp");
        Facts { page_url: None, email: None, session_fields: vec![], country: vec![], said: vec![], at }
    }

    fn fields(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// `free` are the groups in which somebody accepts chats; agents never do, unless group 0 is named.
    #[track_caller]
    fn check(facts: Facts, free: &[i64], expected: Option<(&str, Option<Transfer>)>) {
        let rules: Vec<Rule> = serde_json::from_str(RULES).expect("rules");
        let available = |target: Target| match target {
            Target::Group(group) => Ok::<_, String>(free.contains(&group)),
            Target::Agent(_) => Ok(free.contains(&0)),
        };
        let decision = decide(&rules, &facts, available).expect("a decision");
        let decided = decision.map(|decision| (decision.rule.name.as_str(), decision.transfer));
        assert_eq!(decided, expected, "{facts:?}, free: {free:?}");
    }

    fn to_group(group: i64, queued: bool) -> Option<Transfer<'static>> {
        Some(Transfer { target: Target::Group(group), queued })
    }

    #[test]
    fn a_chat_that_nothing_describes_is_left_alone() {
        check(nothing(), &[0, 1, 2, 3, 4, 8, 9], None);
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let german = Facts { page_url: Some("https://shop.example.de/x".into()), ..nothing() };
        check(german.clone(), &[1], Some(("german shop", to_group(1, false))));
        let both = Facts { email: Some("ada@big.example".into()), ..german };
        check(both, &[0, 1], Some(("german shop", to_group(1, false))));
    }

    #[test]
    fn nobody_available_is_what_otherwise_says() {
        let german = Facts { page_url: Some("https://shop.example.de/x".into()), ..nothing() };
        check(german.clone(), &[], None);
        let key = Facts { email: Some("ada@huge.example".into()), ..german };
        check(key.clone(), &[], Some(("key account", None)));
        let kim = Transfer { target: Target::Agent("kim@us.example"), queued: false };
        check(key, &[0], Some(("key account", Some(kim))));
        let gold = Facts { session_fields: fields(&[("plan", "Gold yearly"), ("seats", "20")]), ..nothing() };
        check(gold.clone(), &[], Some(("gold", to_group(2, true))));
        check(gold, &[2], Some(("gold", to_group(2, false))));
    }

    #[test]
    fn every_key_of_a_rule_must_hold() {
        check(Facts { session_fields: fields(&[("plan", "gold")]), ..nothing() }, &[2], None);
        check(
            Facts { session_fields: fields(&[("plan", "gold"), ("seats", "15")]), ..nothing() },
            &[2],
            None,
        );
        let austrian = Facts { country: vec!["AT".into(), "Austria".into()], ..nothing() };
        check(austrian.clone(), &[3], None);
        let wants_refund = Facts { said: vec!["hi".into(), "Refunds?".into()], ..austrian };
        check(wants_refund.clone(), &[3], Some(("refund from Austria", to_group(3, false))));
        check(Facts { country: vec!["DE".into()], ..wants_refund }, &[3], None);
    }

    #[test]
    fn the_clock_and_a_groups_availability_are_conditions_too() {
        let at = "2026-06-01T22:00:00Z".parse().expect("a timestamp");
        check(Facts { at, ..nothing() }, &[], Some(("night", None)));
        let buyer = Facts { said: vec!["I want to buy it".into()], ..nothing() };
        check(buyer.clone(), &[1, 2], None);
        check(buyer.clone(), &[9], Some(("sales are there", to_group(8, true))));
        check(buyer, &[8], Some(("sales are there", to_group(8, false))));
    }

    #[test]
    fn the_availability_of_a_rule_that_does_not_match_costs_no_call() {
        let rules: Vec<Rule> = serde_json::from_str(RULES).expect("rules");
        let refuse = |target: Target| Err(format!("asked about {target:?}"));
        assert!(decide(&rules, &nothing(), refuse).expect("no call").is_none());
    }

    #[test]
    fn a_hostile_customer_matches_nothing_that_does_not_describe_them() {
        let long = "<!channel> =HYPERLINK(\"https://shop.example.de\") \u{202E}refund*".repeat(300);
        let hostile = Facts {
            page_url: Some(format!("https://shop.example.de@evil.example/{long}")),
            email: Some("ada@big.example@evil.example".into()),
            session_fields: fields(&[("plan", "*"), ("seats", "*"), (&long, &long)]),
            country: vec!["*".into(), long.clone()],
            said: vec![long],
            ..nothing()
        };
        check(hostile, &[0, 1, 2, 3, 4, 8, 9], None);
    }
}

//! The body of a note: a summary, the transcript, and a mark by which the note is known again.

use crate::conversation::{Conversation, Line, Rating};
use crate::settings::Settings;
use crate::text::{html, one_line, units, without_tags};
use crate::transcript;

/// The longest body that HubSpot takes, in characters; whether markup counts is not documented, so it does.
pub const LIMIT: usize = 65_536;

/// The body of the note about `conversation`, HTML of at most [`LIMIT`] UTF-16 units.
pub fn body(conversation: &Conversation, settings: &Settings) -> String {
    let link = link(conversation, &settings.chat_link);
    let lines: Vec<&Line> =
        conversation.lines.iter().filter(|line| settings.include_internal || !line.internal).collect();
    let head = summary(conversation, lines.len(), &link);
    let foot = format!("<p>{}</p>", html(&mark(&conversation.thread_id)));
    let room = LIMIT.saturating_sub(units(&head) + units(&foot));
    let whole = transcript::render(&lines, room);
    if whole.shown == lines.len() {
        return format!("{head}{}{foot}", whole.html);
    }
    // No number of complete messages makes the sentence longer than the total does.
    let most = units(&cut_sentence(lines.len(), lines.len(), &link));
    let cut = transcript::render(&lines, room.saturating_sub(most));
    format!("{head}{}{}{foot}", cut.html, cut_sentence(cut.shown, lines.len(), &link))
}

/// The mark that stands at the end of the note about a thread.
pub fn mark(thread_id: &str) -> String {
    format!("chatplug:thread:{thread_id}")
}

/// Whether `body` is the body of the note about this thread. HubSpot may have changed its markup; and what
/// a customer wrote doesn't count, for it never stands at the end.
pub fn is_about(body: &str, thread_id: &str) -> bool {
    without_tags(body).trim_end().ends_with(&html(&mark(thread_id)))
}

fn link(conversation: &Conversation, template: &str) -> String {
    let filled =
        template.replace("{chat_id}", &conversation.chat_id).replace("{thread_id}", &conversation.thread_id);
    html(&one_line(&filled, 500))
}

fn cut_sentence(shown: usize, total: usize, link: &str) -> String {
    format!(
        "<p><em>The transcript was cut here: {shown} of {total} messages are complete. \
         The whole chat: <a href=\"{link}\">{link}</a></em></p>"
    )
}

fn summary(conversation: &Conversation, messages: usize, link: &str) -> String {
    let mut rows = vec![("Customer", customer(conversation))];
    rows.push(("Agents", list(&conversation.agents, 10)));
    rows.push(("Time", time(conversation)));
    rows.push(("Page", field(conversation.page.as_deref(), 500)));
    rows.push(("Rating", conversation.rating.as_ref().map(rating).unwrap_or_default()));
    rows.push(("Comment", field(conversation.rating.as_ref().and_then(|r| r.comment.as_deref()), 1_000)));
    rows.push(("Tags", list(&conversation.tags, 20)));
    rows.push(("Messages", messages.to_string()));
    let rows: String = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}<br>"))
        .collect();
    format!("<p><strong>LiveChat conversation</strong></p><p>{rows}<a href=\"{link}\">{link}</a></p>")
}

fn customer(conversation: &Conversation) -> String {
    let customer = &conversation.customer;
    let parts = [&customer.name, &customer.email, &customer.phone];
    let parts: Vec<String> = parts.into_iter().map(|part| field(part.as_deref(), 100)).collect();
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn time(conversation: &Conversation) -> String {
    let Some(started) = conversation.started else { return String::new() };
    let from = started.strftime("%Y-%m-%d %H:%M");
    match conversation.ended {
        Some(ended) if ended > started => {
            let minutes = (ended.as_second() - started.as_second() + 30) / 60;
            format!("{from} to {} UTC ({minutes} min)", ended.strftime("%H:%M"))
        }
        _ => format!("{from} UTC"),
    }
}

fn rating(rating: &Rating) -> String {
    let Some(score) = rating.score else { return String::new() };
    match (rating.scale.as_str(), score) {
        ("0-1", 0) => "bad".to_owned(),
        ("0-1", 1) => "good".to_owned(),
        ("1-5", _) => format!("{score} of 5"),
        _ => score.to_string(),
    }
}

fn field(text: Option<&str>, limit: usize) -> String {
    text.map(|text| html(&one_line(text, limit))).unwrap_or_default()
}

fn list(names: &[String], most: usize) -> String {
    let mut shown: Vec<String> = names.iter().take(most).map(|name| field(Some(name), 60)).collect();
    if names.len() > most {
        shown.push(format!("{} more", names.len() - most));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Customer;

    fn line(who: &str, text: &str, internal: bool) -> Line {
        Line { at: None, who: who.to_owned(), text: text.to_owned(), internal }
    }

    fn conversation() -> Conversation {
        Conversation {
            chat_id: "PJ0MRSHTDG".into(),
            thread_id: "K600PKZON8".into(),
            customer: Customer {
                name: Some("Dana".into()),
                email: Some("dana@example.com".into()),
                ..Customer::default()
            },
            agents: vec!["Kim".into()],
            started: "2026-06-01T12:00:00Z".parse().ok(),
            ended: "2026-06-01T12:04:40Z".parse().ok(),
            rating: Some(Rating { score: Some(0), scale: "0-1".into(), comment: Some("slow reply".into()) }),
            tags: vec!["refund".into(), "vip".into()],
            lines: vec![line("Dana", "where is it?", false), line("Kim", "she is angry", true)],
            ..Conversation::default()
        }
    }

    #[track_caller]
    fn check(conversation: &Conversation, settings: &Settings, parts: &[&str], absent: &[&str]) -> String {
        let body = body(conversation, settings);
        for part in parts {
            assert!(body.contains(part), "no {part:?} in {body}");
        }
        for part in absent {
            assert!(!body.contains(part), "{part:?} in {body}");
        }
        assert!(units(&body) <= LIMIT, "{} units", units(&body));
        assert!(is_about(&body, &conversation.thread_id), "no mark at the end");
        body
    }

    #[test]
    fn a_note_tells_all_that_matters() {
        let body = check(&conversation(), &Settings::default(), &[], &[]);
        let link = "https://my.livechatinc.com/archives/K600PKZON8";
        assert_eq!(
            body,
            format!(
                "<p><strong>LiveChat conversation</strong></p><p>Customer: Dana, dana@example.com<br>\
                 Agents: Kim<br>Time: 2026-06-01 12:00 to 12:04 UTC (5 min)<br>Rating: bad<br>\
                 Comment: slow reply<br>Tags: refund, vip<br>Messages: 1<br>\
                 <a href=\"{link}\">{link}</a></p>\
                 <p><strong>Dana</strong>: where is it?</p><p>chatplug:thread:K600PKZON8</p>"
            )
        );
    }

    #[test]
    fn internal_notes_are_in_it_only_if_the_operator_wants_them() {
        check(&conversation(), &Settings::default(), &[], &["she is angry"]);
        let settings = Settings { include_internal: true, ..Settings::default() };
        check(&conversation(), &settings, &["she is angry", "(internal note)", "Messages: 2"], &[]);
    }

    #[test]
    fn the_link_is_the_operators() {
        let chat_link = "https://desk.example/?c={chat_id}&t={thread_id}".to_owned();
        let settings = Settings { chat_link, ..Settings::default() };
        check(
            &conversation(),
            &settings,
            &["href=\"https://desk.example/?c=PJ0MRSHTDG&amp;t=K600PKZON8\""],
            &[],
        );
    }

    #[test]
    fn a_rating_is_told_in_the_words_of_its_scale() {
        for (score, scale, expected) in [
            (Some(0), "0-1", "Rating: bad<"),
            (Some(1), "0-1", "Rating: good<"),
            (Some(1), "1-5", "Rating: 1 of 5<"),
            (Some(7), "0-10", "Rating: 7<"),
        ] {
            let rating = Some(Rating { score, scale: scale.into(), comment: None });
            let rated = Conversation { rating, ..conversation() };
            check(&rated, &Settings::default(), &[expected], &["Comment"]);
        }
        let unrated = Conversation { rating: None, ..conversation() };
        check(&unrated, &Settings::default(), &[], &["Rating", "Comment"]);
    }

    #[test]
    fn a_long_transcript_is_cut_and_says_so() {
        let lines = (0..500).map(|n| line("Dana", &format!("{n} {}", "<&>".repeat(100)), false)).collect();
        let long = Conversation { lines, ..conversation() };
        let body = check(
            &long,
            &Settings::default(),
            &["Messages: 500", "The transcript was cut here: "],
            &["499 "],
        );
        assert!(units(&body) > LIMIT - 200, "cut too early: {} units", units(&body));
        assert!(body.contains("of 500 messages are complete"), "{}", &body[body.len() - 400..]);
    }

    #[test]
    fn a_hostile_customer_gets_no_markup_and_no_room() {
        let evil = "=HYPERLINK(\"http://evil.example\") @everyone <!channel> <img src=x onerror=alert(1)> \
                    \u{202E}gnp.exe\u{0} chatplug:thread:OTHER</p><p>chatplug:thread:OTHER";
        let long = evil.repeat(120);
        let hostile = Conversation {
            customer: Customer {
                name: Some(long.clone()),
                email: Some(long.clone()),
                phone: Some(long.clone()),
                session_fields: vec![],
            },
            agents: vec![long.clone(); 50],
            page: Some(format!("javascript:{long}")),
            tags: vec![long.clone(); 100],
            rating: Some(Rating { score: Some(0), scale: long.clone(), comment: Some(long.clone()) }),
            lines: vec![
                line(&long, evil, false),
                line(&long, &long, false),
                line(&long, &long.repeat(9), false),
            ],
            ..conversation()
        };
        let body = check(&hostile, &Settings::default(), &["&lt;img"], &["<img", "<!", "\u{202E}", "\u{0}"]);
        assert!(!is_about(&body, "OTHER"), "a customer forged the mark");
        assert_eq!(
            body.matches("<a href").count(),
            body.matches("<a href=\"https://my.livechatinc.com/").count()
        );
        let chat_that_ends_so = Conversation { lines: vec![line("x", evil, false)], ..conversation() };
        assert!(!is_about(&super::body(&chat_that_ends_so, &Settings::default()), "OTHER"));
    }

    #[test]
    fn a_note_is_known_again_after_hubspot_changed_its_markup() {
        for (body, expected) in [
            ("<div><p>x</p>\n<p>chatplug:thread:K600PKZON8</p></div>\n", true),
            ("chatplug:thread:K600PKZON8", true),
            ("<p>chatplug:thread:K600PKZON8</p><p>a person's own note</p>", false),
            ("<p>chatplug:thread:XK600PKZON8</p>", false),
            ("", false),
        ] {
            assert_eq!(is_about(body, "K600PKZON8"), expected, "{body:?}");
        }
    }
}

//! What a webhook says about a rating: in properties of the namespace `rating`, in a system message, or, in
//! the tutorial's bodies, outright.

use serde_json::Value;

use super::facts::Facts;
use super::flat::RATING_ADDED;
use super::json::Object;
use super::payload::Payload;
use super::reading::Reading;
use crate::event::rating::{Part, Said, Scale, Signal};

/// A platform time this far ahead of ours is none.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// `None` if the webhook says nothing about a rating, or nothing that can be understood.
pub(super) fn signal(
    reading: &Reading,
    payload: &Payload,
    facts: &Facts,
    received_at_ms: i64,
) -> Option<Signal> {
    let (scale, (score, comment)) = match reading.event_type.as_str() {
        "thread_properties_updated" | "chat_properties_updated" | "event_properties_updated" => {
            (Scale::ZeroToOne, set(&payload.root.object("properties").object("rating"), Scale::ZeroToOne))
        }
        "thread_properties_deleted" | "chat_properties_deleted" | "event_properties_deleted" => {
            (Scale::ZeroToOne, deleted(payload.root.object("properties").raw("rating")?))
        }
        "incoming_event" => (Scale::ZeroToOne, system_message(&payload.event)?),
        RATING_ADDED => (Scale::OneToFive, set(&payload.root.object("rating"), Scale::OneToFive)),
        _ => return None,
    };
    if (&score, &comment) == (&Part::Unmentioned, &Part::Unmentioned) {
        return None;
    }
    // Properties carry no time.
    let said = match facts.occurred_at_ms {
        Some(at) if at <= received_at_ms.saturating_add(DAY_MS) => Said::At(at),
        _ => Said::Before(received_at_ms),
    };
    Some(Signal {
        organization: reading.organization.clone(),
        chat_id: facts.chat_id.clone()?,
        thread_id: facts.thread_id.clone(),
        scale,
        score,
        comment,
        said,
    })
}

type Parts = (Part<i64>, Part<String>);

fn set(rating: &Object, scale: Scale) -> Parts {
    let score = rating.raw("score").and_then(|raw| score(raw, scale)).map_or(Part::Unmentioned, Part::Set);
    let comment = match rating.text("comment").or_else(|| rating.object("comment").text("value")) {
        None => Part::Unmentioned,
        Some(text) if text.is_empty() => Part::Removed,
        Some(text) => Part::Set(text.into_owned()),
    };
    (score, comment)
}

fn deleted(names: &str) -> Parts {
    let names: Vec<Value> = serde_json::from_str(names).unwrap_or_default();
    let removed = |name: &str| names.iter().any(|removed| removed == name);
    (
        if removed("score") { Part::Removed } else { Part::Unmentioned },
        if removed("comment") { Part::Removed } else { Part::Unmentioned },
    )
}

/// The text of a system message is in the agent's language; `text_vars` says the same to machines.
fn system_message(chat_event: &Object) -> Option<Parts> {
    if chat_event.text("type")? != "system_message" {
        return None;
    }
    let (score, comment) = set(&chat_event.object("text_vars"), Scale::ZeroToOne);
    match chat_event.text("system_message_type")?.as_ref() {
        "rating.chat_rated" if score != Part::Unmentioned => Some((score, comment)),
        "rating.chat_commented" if comment != Part::Unmentioned => Some((score, comment)),
        "rating.chat_rating_canceled" => Some((Part::Removed, Part::Removed)),
        _ => None,
    }
}

/// A score on its scale. Tools on the way turn numbers into floats, texts and booleans.
fn score(raw: &str, scale: Scale) -> Option<i64> {
    let value: Value = serde_json::from_str(raw).ok()?;
    let number = match value.get("value").unwrap_or(&value) {
        Value::Number(number) => number.as_f64()?,
        Value::Bool(good) if scale == Scale::ZeroToOne => f64::from(u8::from(*good)),
        Value::String(text) => match (text.trim(), scale) {
            ("good" | "true", Scale::ZeroToOne) => 1.0,
            ("bad" | "false", Scale::ZeroToOne) => 0.0,
            (digits, _) => digits.parse().ok()?,
        },
        _ => return None,
    };
    let whole = (0.0..=5.0).contains(&number) && number.fract() == 0.0;
    let number = whole.then_some(number as i64)?;
    scale.has(number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_however_they_are_written() {
        let platform = [
            ("0", Some(0)),
            ("1.0", Some(1)),
            ("true", Some(1)),
            ("\"bad\"", Some(0)),
            ("\" 1 \"", Some(1)),
            ("{\"value\":0}", Some(0)),
            ("0.5", None),
            ("2", None),
            ("-1", None),
            ("1e999", None),
            ("\"NaN\"", None),
            ("null", None),
            ("[1]", None),
        ];
        for (raw, expected) in platform {
            assert_eq!(score(raw, Scale::ZeroToOne), expected, "{raw}");
        }
        let tutorial = [("5", Some(5)), ("\"4\"", Some(4)), ("0", None), ("6", None), ("true", None)];
        for (raw, expected) in tutorial {
            assert_eq!(score(raw, Scale::OneToFive), expected, "{raw}");
        }
    }
}

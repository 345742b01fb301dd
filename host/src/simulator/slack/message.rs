//! What a message may hold. Stricter than Slack in one point: an unescaped mention is refused, since none
//! of our texts means to mention anybody; at Slack it would ring everyone in the channel.

use serde_json::Value;

const TEXT_LIMIT: usize = 40_000;
const BLOCKS: usize = 50;
const SECTION_LIMIT: usize = 3_000;
const HEADER_LIMIT: usize = 150;
/// Characters over all blocks: seen in the field, not documented.
const BLOCKS_LIMIT: usize = 13_200;

/// Why a message is refused.
pub(super) struct Refused {
    /// Slack's code.
    pub(super) code: &'static str,
    /// What the client did that it never should; `None` for what an operator can cause.
    pub(super) violation: Option<String>,
}

/// Checks a message's text and blocks.
pub(super) fn check(body: &Value) -> Result<(), Refused> {
    let text = body["text"].as_str().unwrap_or_default();
    let blocks = body["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if text.is_empty() && blocks.is_empty() {
        return Err(Refused { code: "no_text", violation: None });
    }
    if text.chars().count() > TEXT_LIMIT {
        return Err(violated("msg_too_long", "a text of more than 40,000 characters"));
    }
    if blocks.len() > BLOCKS {
        return Err(violated("invalid_blocks", "more than 50 blocks"));
    }
    if body["link_names"] == true || body["link_names"] == 1 {
        return Err(violated("invalid_blocks", "link_names makes names in foreign text mentions"));
    }
    refuse_mentions(text)?;
    blocks.iter().try_for_each(check_block)?;
    if blocks.iter().map(length).sum::<usize>() > BLOCKS_LIMIT {
        return Err(violated("msg_blocks_too_long", "more than 13,200 characters in all blocks"));
    }
    Ok(())
}

fn check_block(block: &Value) -> Result<(), Refused> {
    let Some(kind) = block["type"].as_str() else {
        return Err(violated("invalid_blocks", "a block without a type"));
    };
    let text = block["text"]["text"].as_str().unwrap_or_default();
    let limit = match kind {
        "section" => SECTION_LIMIT,
        "header" => HEADER_LIMIT,
        _ => usize::MAX,
    };
    if text.chars().count() > limit {
        return Err(violated("invalid_blocks", &format!("a {kind} of more than {limit} characters")));
    }
    if block.get("text").is_some() && text.is_empty() {
        return Err(violated("invalid_blocks", &format!("a {kind} with an empty text")));
    }
    refuse_mentions_within(block)
}

/// The elements of rich text that mention somebody.
const MENTIONS: [&str; 4] = ["broadcast", "channel", "user", "usergroup"];

/// Looks at each text of a block, except plain text, in which a mention is only letters.
fn refuse_mentions_within(value: &Value) -> Result<(), Refused> {
    match value {
        Value::String(text) => refuse_mentions(text),
        Value::Array(items) => items.iter().try_for_each(refuse_mentions_within),
        Value::Object(object) if object.get("type").is_some_and(|kind| kind == "plain_text") => Ok(()),
        Value::Object(object) if MENTIONS.iter().any(|kind| value["type"] == *kind) => {
            Err(violated("invalid_blocks", &format!("a mention in rich text: {}", object["type"])))
        }
        Value::Object(object) => object.values().try_for_each(refuse_mentions_within),
        _ => Ok(()),
    }
}

fn refuse_mentions(text: &str) -> Result<(), Refused> {
    let mention = ["<!", "<@", "<#"].into_iter().find(|opening| text.contains(opening));
    match mention {
        Some(opening) => Err(violated("invalid_blocks", &format!("an unescaped mention: {opening}…"))),
        None => Ok(()),
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(length).sum(),
        Value::Object(object) => {
            object.iter().filter(|(name, _)| *name != "type").map(|(_, v)| length(v)).sum()
        }
        _ => 0,
    }
}

fn violated(code: &'static str, what: &str) -> Refused {
    Refused { code, violation: Some(what.to_owned()) }
}

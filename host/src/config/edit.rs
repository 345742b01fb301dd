//! Changes of the operator's file that keep its comments and its form.

use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

use crate::event::types;

/// What is changed in the section of a plugin.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// The plugin is enabled, and these event types are added, by their own names. A section that isn't there is made.
    Enable(&'a [String]),
    /// These event types are taken out; `None`: the plugin is not enabled, and its types stay for later.
    Disable(Option<&'a [String]>),
    /// These are added to what is granted, and to what is denied.
    Decide {
        /// Granted.
        grants: &'a [String],
        /// Denied.
        denies: &'a [String],
    },
}

/// The text of a config with a change.
///
/// # Errors
/// If the text has another form than can be changed.
pub fn edit(text: &str, plugin: &str, change: Change<'_>) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| format!("the config is no valid TOML: {error}"))?;
    let may_make = matches!(change, Change::Enable(_));
    let section = section(&mut document, plugin, may_make)?;
    match change {
        Change::Enable(events) => {
            section.remove("enabled");
            let list = list(section, "events")?;
            for event in events {
                if !list.iter().any(|entry| is_type(entry, event)) {
                    push(list, event);
                }
            }
        }
        Change::Disable(None) => {
            section.insert("enabled", toml_edit::value(false));
        }
        Change::Disable(Some(events)) => {
            let list = list(section, "events")?;
            let goes = |entry: &Value| events.iter().any(|event| is_type(entry, event));
            let places: Vec<usize> =
                list.iter().enumerate().filter(|(_, entry)| goes(entry)).map(|(place, _)| place).collect();
            // From the last one on: the places before it stay what they are.
            places.into_iter().rev().for_each(|place| take_out(list, place));
        }
        Change::Decide { grants, denies } => {
            for (key, entries) in [("grants", grants), ("denies", denies)] {
                for entry in entries {
                    push(list(section, key)?, entry);
                }
            }
        }
    }
    Ok(document.to_string())
}

/// Whether an entry names an event type, by its own name or an older one.
fn is_type(entry: &Value, event: &str) -> bool {
    entry.as_str().is_some_and(|name| name == event || types::resolve(name).is_ok_and(|name| name == event))
}

fn section<'a>(
    document: &'a mut DocumentMut,
    plugin: &str,
    may_make: bool,
) -> Result<&'a mut dyn TableLike, String> {
    let mut group = Table::new();
    group.set_implicit(true);
    let trailing = text(Some(document.trailing())).to_owned();
    let found = document.get("plugin");
    let is_known = found.and_then(|plugins| plugins.get(plugin)).is_some();
    if may_make && !is_known && !found.is_some_and(Item::is_inline_table) {
        // What stands at the end of the file stays above what is added.
        document.set_trailing("");
    }
    let plugins = document.entry("plugin").or_insert(Item::Table(group));
    let new = match plugins.is_inline_table() {
        true => Item::Value(Value::InlineTable(InlineTable::new())),
        false => {
            let mut table = Table::new();
            table.decor_mut().set_prefix(format!("{trailing}\n"));
            Item::Table(table)
        }
    };
    let plugins = plugins.as_table_like_mut().ok_or("`plugin` is no table in the config")?;
    if !may_make && !plugins.contains_key(plugin) {
        return Err(format!("the config has no section [plugin.{plugin}]"));
    }
    let section = plugins.entry(plugin).or_insert(new);
    section.as_table_like_mut().ok_or_else(|| format!("`plugin.{plugin}` is no table in the config"))
}

fn list<'a>(section: &'a mut dyn TableLike, key: &str) -> Result<&'a mut Array, String> {
    let item = section.entry(key).or_insert(toml_edit::value(Array::new()));
    item.as_array_mut().ok_or_else(|| format!("`{key}` is no list in the config"))
}

/// Adds an entry to a list as its others stand: on a line of its own, or behind the last one.
fn push(list: &mut Array, entry: &str) {
    let mut value = Value::from(entry);
    let last = list.iter().last().map(|last| text(last.decor().prefix()).to_owned());
    let after_last = list.iter().last().map(|last| text(last.decor().suffix()).to_owned());
    let trailing = text(Some(list.trailing())).to_owned();
    let indent =
        last.as_deref().and_then(|prefix| prefix.rsplit_once('\n')).map(|(_, indent)| indent.to_owned());
    match indent {
        Some(indent) => {
            // What is said behind the last entry stays on its line.
            let comment = format!("{}{trailing}", after_last.unwrap_or_default());
            let (comment, end) = comment.rsplit_once('\n').unwrap_or((&comment, ""));
            value.decor_mut().set_prefix(format!("{comment}\n{indent}"));
            list.set_trailing(format!("\n{end}"));
            if let Some(last) = list.len().checked_sub(1).and_then(|place| list.get_mut(place)) {
                last.decor_mut().set_suffix("");
            }
            list.push_formatted(value);
            list.set_trailing_comma(true);
        }
        None => list.push(value),
    }
}

/// Takes an entry out of a list; comments stay.
fn take_out(list: &mut Array, place: usize) {
    let gone = list.remove(place);
    let said = format!("{}{}", text(gone.decor().prefix()), text(gone.decor().suffix()));
    let is_first = place == 0;
    match list.get_mut(place) {
        Some(next) => {
            let prefix = text(next.decor().prefix()).to_owned();
            if said.contains('#') {
                next.decor_mut().set_prefix(joined(&said, &prefix));
            } else if is_first && !prefix.contains('#') {
                next.decor_mut().set_prefix(said);
            }
        }
        None if said.contains('#') => {
            let trailing = text(Some(list.trailing())).to_owned();
            list.set_trailing(joined(&said, &trailing));
        }
        None => {}
    }
}

/// What stood before an entry that is gone, and what stands behind it: each comment keeps a line of its own.
fn joined(said: &str, next: &str) -> String {
    let said = said.trim_end_matches([' ', '\t', '\n']);
    match next.trim_start_matches([' ', '\t']).starts_with('\n') {
        true => format!("{said}{next}"),
        false => format!("{said}\n{next}"),
    }
}

fn text(raw: Option<&RawString>) -> &str {
    raw.and_then(RawString::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    fn check(before: &str, change: Change<'_>, after: &str) {
        let edited = edit(before, "p", change).expect("it can be changed");
        assert_eq!(edited, after, "{change:?} of\n{before}");
    }

    #[test]
    fn types_are_switched_on_and_off_and_everything_else_stays() {
        let before = "# Ours.\n[plugin.p] # keen\nevents = [\"chat_rated\"] # for now\ngrants = []\n";
        let rated = own(&["chat_rated"]);
        let both = own(&["chat_rated", "incoming_chat"]);
        let after = before.replace("\"chat_rated\"]", "\"chat_rated\", \"incoming_chat\"]");
        check(before, Change::Enable(&both), &after);
        check(before, Change::Enable(&rated), before);
        let off = format!("{before}enabled = false\n");
        check(before, Change::Disable(None), &off);
        check(&off, Change::Disable(None), &off);
        check(&off, Change::Enable(&[]), before);
        check(&off, Change::Enable(&both), &after);
        check(&after, Change::Disable(Some(&rated)), &before.replace("chat_rated", "incoming_chat"));
        check("[plugin.p]\n", Change::Enable(&rated), "[plugin.p]\nevents = [\"chat_rated\"]\n");
    }

    #[test]
    fn older_names_are_the_same_types() {
        let (before, rated) = ("[plugin.p]\nevents = [\"rating_added\"]\n", own(&["chat_rated"]));
        check(before, Change::Enable(&rated), before);
        check(before, Change::Disable(Some(&rated)), "[plugin.p]\nevents = []\n");
    }

    #[test]
    fn lists_over_several_lines_stay_so_and_comments_keep_their_lines() {
        let before = "[plugin.p]\ngrants = [\n  \"chats.tag\", # vip\n  \"chats.untag\", # not vip\n]\n";
        let after = "[plugin.p]\ngrants = [\n  \"chats.tag\", # vip\n  \"chats.untag\", # not vip\n  \"http:crm\",\n]\ndenies = [\"chats.assign\"]\n";
        let (grants, denies) = (own(&["http:crm"]), own(&["chats.assign"]));
        check(before, Change::Decide { grants: &grants, denies: &denies }, after);
        let before = "[plugin.p]\nevents = [\n  \"chat_rated\", # one\n  \"incoming_chat\" # two\n]\n";
        let edited = edit(before, "p", Change::Disable(Some(&own(&["chat_rated"])))).unwrap();
        assert!(edited.contains("# one") && edited.contains("# two"), "{edited}");
        assert!(edited.parse::<DocumentMut>().is_ok(), "{edited}");
    }

    #[test]
    fn sections_are_made_beside_the_others_however_these_are_written() {
        let events = own(&["chat_rated"]);
        let change = Change::Enable(&events);
        check("", change, "\n[plugin.p]\nevents = [\"chat_rated\"]\n");
        check("# Mine.\n", change, "# Mine.\n\n[plugin.p]\nevents = [\"chat_rated\"]\n");
        check(
            "[plugin.q]\nevents = []\n",
            change,
            "[plugin.q]\nevents = []\n\n[plugin.p]\nevents = [\"chat_rated\"]\n",
        );
        check("[plugin]\np.grants = []\n", change, "[plugin]\np.grants = []\np.events = [\"chat_rated\"]\n");
        for text in ["plugin = { q = { events = [] } }\n", "[plugin]\np = { grants = [] }\n"] {
            let edited: DocumentMut = edit(text, "p", change).unwrap().parse().unwrap();
            assert_eq!(edited["plugin"]["p"]["events"][0].as_str(), Some("chat_rated"), "{edited}");
        }
        assert!(edit("[plugin.q]\n", "p", Change::Disable(None)).unwrap_err().contains("[plugin.p]"));
        assert!(edit("plugin = 1\n", "p", change).is_err());
        assert!(edit("[plugin.p]\nevents = \"chat_rated\"\n", "p", change).is_err());
    }

    proptest! {
        /// Whatever is written in a list and around it: the entries come and go as asked, and each comment stays.
        #[test]
        fn comments_are_kept_whatever_is_changed(
            entries in prop::collection::vec((0..6_usize, any::<bool>(), any::<bool>()), 0..6),
            wanted in prop::collection::btree_set(0..6_usize, 0..6),
            comma in any::<bool>(),
            enable in any::<bool>(),
        ) {
            const TYPES: [&str; 6] =
                ["chat_rated", "incoming_chat", "incoming_event", "chat_transferred", "thread_tagged", "event_updated"];
            let mut seen = std::collections::BTreeSet::new();
            let entries: Vec<_> = entries.into_iter().filter(|(place, ..)| seen.insert(*place)).collect();
            let mut text = "[plugin.p]\nevents = [\n".to_owned();
            for (number, (place, above, behind)) in entries.iter().enumerate() {
                if *above {
                    text += &format!("  # above {number}\n");
                }
                let comma = if comma || number + 1 < entries.len() { "," } else { "" };
                let behind = if *behind { format!(" # behind {number}") } else { String::new() };
                text += &format!("  \"{}\"{comma}{behind}\n", TYPES[*place]);
            }
            text += "] # end\nown_events = true # last\n";
            let wanted: Vec<String> = wanted.into_iter().map(|place| TYPES[place].to_owned()).collect();
            let change = if enable { Change::Enable(&wanted) } else { Change::Disable(Some(&wanted)) };
            let edited = edit(&text, "p", change).unwrap();
            let document: DocumentMut = edited.parse().map_err(|error| TestCaseError::fail(format!("{error}\n{edited}")))?;
            let now: Vec<&str> = document["plugin"]["p"]["events"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let had: Vec<&str> = entries.iter().map(|(place, ..)| TYPES[*place]).collect();
            let is_wanted = |name: &&str| wanted.iter().any(|one| one == name);
            let expected: Vec<&str> = match enable {
                true => had.iter().copied().chain(wanted.iter().map(String::as_str).filter(|name| !had.contains(name))).collect(),
                false => had.iter().copied().filter(|name| !is_wanted(name)).collect(),
            };
            prop_assert_eq!(now, expected, "{}", edited);
            let comments = |text: &str| {
                let mut found: Vec<String> =
                    text.lines().filter_map(|line| line.split_once('#')).map(|(_, said)| said.trim().to_owned()).collect();
                found.sort();
                found
            };
            prop_assert_eq!(comments(&text), comments(&edited), "{}\n{}", text, edited);
        }
    }
}

//! The fuse: one version of a plugin may take so many actions in one chat within a minute, in all its attempts together.
//! It ends what would go on for ever: plugins that answer each other. Each version has a count of its own: the one that
//! stands by is to run where a new one has used its own up.
//!
//! What is about no chat can go round as well: agents who are set to and fro, a chat that is started for each new chat.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use super::Outgoing;
use super::livechat::Call;

const WINDOW: Duration = Duration::from_secs(60);
/// Actions that are remembered, of all plugins and chats.
const REMEMBERED_MAX: usize = 50_000;
/// The longest id that is one, bytes; what is longer comes from a plugin and would only fill memory.
const ID_BYTES_MAX: usize = 255;
/// How many times as many actions there may be in the account, where all chats that are started count together.
const IN_ACCOUNT: u32 = 3;

/// What actions are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A chat.
    Chat(&'a str),
    /// An agent.
    Agent(&'a str),
    /// A customer.
    Customer(&'a str),
    /// The account: chats that are started, and whatever else has no subject of its own.
    Account,
}

impl<'a> Subject<'a> {
    /// What an action counts on that is taken for an event, which may have a chat; `is_job` if the host has made the
    /// event for its time or an operator, which no action brings about. `None`: it doesn't count.
    pub fn of(outgoing: &'a Outgoing, event_chat: Option<&'a str>, is_job: bool) -> Option<Subject<'a>> {
        let event_chat = event_chat.map(Subject::Chat);
        let Outgoing::Livechat(call) = outgoing else { return event_chat };
        match call.subject() {
            chat @ Subject::Chat(_) => Some(chat),
            _ if is_job => event_chat,
            // Not in the event's chat: the next one is started for the event of the one that was started now.
            Subject::Account if matches!(call, Call::Direct(call) if call.starts_chat()) => {
                Some(Subject::Account)
            }
            other => event_chat.or(Some(other)),
        }
    }

    /// What it is counted under. Ids of chats, agents and customers are all different.
    pub fn key(self) -> &'a str {
        match self {
            Subject::Chat(id) | Subject::Agent(id) | Subject::Customer(id) => cut(id),
            Subject::Account => "(account)",
        }
    }

    /// How many actions it may have in a minute, where one chat may have `in_chat`.
    fn limit(self, in_chat: u32) -> u32 {
        match self {
            Subject::Account => in_chat.saturating_mul(IN_ACCOUNT),
            _ => in_chat,
        }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.key();
        match self {
            Subject::Chat(_) => write!(f, "in the chat {id}"),
            Subject::Agent(_) => write!(f, "on the agent {id}"),
            Subject::Customer(_) => write!(f, "on the customer {id}"),
            Subject::Account => f.write_str("in the account"),
        }
    }
}

/// What was done in which chat, or on what else, within the last minute. When there is too much to remember, that on which
/// nothing was done for longest is forgotten: it is in no danger of never ending.
#[derive(Debug)]
pub struct Fuse {
    /// When each action was taken, by plugin, version and subject, oldest first; never empty.
    actions: HashMap<String, VecDeque<Duration>>,
    /// All of them.
    remembered: usize,
    most: usize,
}

impl Default for Fuse {
    fn default() -> Fuse {
        Fuse::of_size(REMEMBERED_MAX)
    }
}

impl Fuse {
    fn of_size(most: usize) -> Fuse {
        Fuse { actions: HashMap::new(), remembered: 0, most }
    }

    /// Whether a version of a plugin may take another action on something, of which one chat may have `in_chat` a
    /// minute; if so, it counts. `now` is the time since a moment that is the same in all calls.
    ///
    /// # Errors
    /// A sentence for the operator that names the limit and its setting.
    pub fn check(
        &mut self,
        plugin: &str,
        version: &str,
        subject: Subject<'_>,
        in_chat: u32,
        now: Duration,
    ) -> Result<(), String> {
        let limit = subject.limit(in_chat);
        let key = key(plugin, version, subject.key());
        let recent = self.actions.get_mut(&key).map_or(0, |actions| {
            self.remembered -= forget_old(actions, now);
            actions.len()
        });
        if recent >= limit as usize {
            return Err(format!(
                "more than {limit} actions of {plugin} {subject} within a minute ({}limits.actions_per_chat_minute): do \
                 plugins answer each other?",
                if limit > in_chat { format!("{IN_ACCOUNT} times ") } else { String::new() },
            ));
        }
        self.actions.entry(key).or_default().push_back(now);
        self.remembered += 1;
        if self.remembered > self.most {
            self.sweep(now);
        }
        Ok(())
    }

    /// Takes back the newest action that was counted under [`Subject::key`]: it was not begun after all.
    pub fn take_back(&mut self, plugin: &str, version: &str, subject: &str) {
        let key = key(plugin, version, cut(subject));
        let Some(actions) = self.actions.get_mut(&key) else { return };
        self.remembered -= usize::from(actions.pop_back().is_some());
        if actions.is_empty() {
            self.actions.remove(&key);
        }
    }

    /// How many actions are remembered.
    pub fn remembered(&self) -> usize {
        self.remembered
    }

    /// Makes room, for a quarter of what fits at least, so that it is not needed again at once.
    fn sweep(&mut self, now: Duration) {
        self.actions.retain(|_, actions| {
            forget_old(actions, now);
            !actions.is_empty()
        });
        let last = |actions: &VecDeque<Duration>| actions.back().copied().unwrap_or_default();
        let mut chats: Vec<(Duration, String)> =
            self.actions.iter().map(|(key, actions)| (last(actions), key.clone())).collect();
        chats.sort_unstable();
        self.remembered = self.actions.values().map(VecDeque::len).sum();
        for (_, key) in chats {
            if self.remembered <= self.most / 4 * 3 {
                break;
            }
            self.remembered -= self.actions.remove(&key).map_or(0, |actions| actions.len());
        }
    }
}

fn key(plugin: &str, version: &str, subject: &str) -> String {
    // Names of plugins and content hashes have no spaces.
    format!("{plugin} {version} {subject}")
}

/// As much of an id as is remembered.
fn cut(id: &str) -> &str {
    &id[..id.floor_char_boundary(ID_BYTES_MAX)]
}

/// Drops what is older than the window; answers how many.
fn forget_old(actions: &mut VecDeque<Duration>, now: Duration) -> usize {
    let old = actions.iter().take_while(|at| now.saturating_sub(**at) >= WINDOW).count();
    actions.drain(..old).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Subject::Chat;
    use super::*;
    use crate::action::livechat::direct::Direct;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn the_limit_and_its_setting_are_named() {
        let mut fuse = Fuse::default();
        for second in 0..3 {
            assert_eq!(fuse.check("p", "1", Chat("C"), 3, seconds(second)), Ok(()));
        }
        let reason = fuse.check("p", "1", Chat("C"), 3, seconds(59)).unwrap_err();
        assert!(reason.contains("more than 3 actions of p in the chat C"), "{reason}");
        assert!(reason.contains("limits.actions_per_chat_minute"), "{reason}");
        assert_eq!(fuse.check("q", "1", Chat("C"), 3, seconds(59)), Ok(()), "another plugin");
        assert_eq!(fuse.check("p", "2", Chat("C"), 3, seconds(59)), Ok(()), "another version");
        assert_eq!(fuse.check("p", "1", Chat("D"), 3, seconds(59)), Ok(()), "another chat");
        assert_eq!(fuse.check("p", "1", Chat("C"), 3, seconds(60)), Ok(()), "a minute after the first");
        assert!(fuse.check("p", "1", Chat("C"), 3, seconds(60)).is_err(), "the others still count");
    }

    #[test]
    fn an_action_counts_in_a_chat_if_there_is_one_and_else_on_what_it_changes() {
        let agent_id = || "jo".to_owned();
        let status = Call::SetRoutingStatus { agent_id: agent_id(), status: "offline".to_owned() };
        let note = Call::SendNote { chat_id: "C".to_owned(), text: "Hi".to_owned() };
        let ban = Call::BanCustomer { customer_id: "Ada".to_owned(), days: 1 };
        let direct = |action: &str, body: &str| {
            Call::Direct(Direct::new("agent", action, body, None).expect("a call"))
        };
        let check = |call: &Call, event_chat: Option<&str>, is_job: bool, expected: Option<Subject<'_>>| {
            let outgoing = Outgoing::Livechat(call.clone());
            assert_eq!(
                Subject::of(&outgoing, event_chat, is_job),
                expected,
                "{call:?} {event_chat:?} {is_job}"
            );
        };
        check(&note, Some("D"), false, Some(Chat("C")));
        check(&note, None, true, Some(Chat("C")));
        check(&status, Some("D"), false, Some(Chat("D")));
        check(&status, None, false, Some(Subject::Agent("jo")));
        check(&status, None, true, None);
        check(&ban, None, false, Some(Subject::Customer("Ada")));
        let start = direct("start_chat", "{}");
        check(&start, Some("D"), false, Some(Subject::Account));
        check(&start, None, false, Some(Subject::Account));
        check(&start, None, true, None);
        check(&direct("resume_chat", r#"{"chat":{"id":"C"}}"#), Some("D"), false, Some(Chat("C")));
        let set = direct("set_routing_status", r#"{"agent_id":"jo"}"#);
        check(&set, None, false, Some(Subject::Agent("jo")));
        check(&direct("update_customer", r#"{"id":"Ada"}"#), None, false, Some(Subject::Customer("Ada")));
        check(&direct("set_routing_status", "{}"), None, false, Some(Subject::Account));
    }

    #[test]
    fn in_the_account_there_may_be_more() {
        let mut fuse = Fuse::default();
        for second in 0..6 {
            assert_eq!(fuse.check("p", "1", Subject::Account, 2, seconds(second)), Ok(()));
        }
        let reason = fuse.check("p", "1", Subject::Account, 2, seconds(6)).unwrap_err();
        assert!(reason.contains("more than 6 actions of p in the account"), "{reason}");
        assert!(reason.contains("3 times limits.actions_per_chat_minute"), "{reason}");
        fuse.take_back("p", "1", Subject::Account.key());
        assert_eq!(fuse.check("p", "1", Subject::Account, 2, seconds(6)), Ok(()));
    }

    #[test]
    fn what_is_refused_does_not_count() {
        let mut fuse = Fuse::default();
        assert_eq!(fuse.check("p", "1", Chat("C"), 1, seconds(0)), Ok(()));
        for second in 1..60 {
            assert!(fuse.check("p", "1", Chat("C"), 1, seconds(second)).is_err());
        }
        assert_eq!(fuse.check("p", "1", Chat("C"), 1, seconds(60)), Ok(()));
        assert!(fuse.check("p", "1", Chat("D"), 0, seconds(60)).is_err());
    }

    #[test]
    fn what_was_taken_back_does_not_count() {
        let mut fuse = Fuse::default();
        for second in 0..10 {
            assert_eq!(fuse.check("p", "1", Chat("C"), 1, seconds(second)), Ok(()));
            fuse.take_back("p", "1", "C");
        }
        fuse.take_back("p", "1", "C");
        assert_eq!((fuse.remembered, fuse.actions.len()), (0, 0));
    }

    #[test]
    fn a_chat_in_which_much_is_done_is_not_forgotten_for_many_others() {
        let mut fuse = Fuse::of_size(100);
        let mut calm = 0;
        for second in 0..20 {
            assert_eq!(fuse.check("p", "1", Chat("busy"), 20, seconds(second)), Ok(()));
            for _ in 0..30 {
                calm += 1;
                assert_eq!(fuse.check("p", "1", Chat(&format!("calm {calm}")), 20, seconds(second)), Ok(()));
            }
        }
        assert!(fuse.check("p", "1", Chat("busy"), 20, seconds(20)).is_err());
    }

    #[test]
    fn a_chat_id_of_a_plugins_making_takes_little_room() {
        let mut fuse = Fuse::default();
        fuse.check("p", "1", Chat(&"é".repeat(1 << 20)), 20, seconds(0)).unwrap();
        assert!(fuse.actions.keys().all(|key| key.len() <= ID_BYTES_MAX + 4));
    }

    /// Every action that was let through.
    #[derive(Default)]
    struct Model(Vec<(&'static str, &'static str, Duration)>);

    impl Model {
        fn allows(&self, plugin: &str, chat: &str, limit: u32, now: Duration) -> bool {
            let same =
                |(p, c, at): &&(&str, &str, Duration)| *p == plugin && *c == chat && now - *at < WINDOW;
            self.0.iter().filter(same).count() < limit as usize
        }
    }

    fn steps() -> impl Strategy<Value = Vec<(&'static str, &'static str, u64)>> {
        let step =
            (prop::sample::select(vec!["p", "q"]), prop::sample::select(vec!["A", "B", "C"]), 0..20_000_u64);
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_count_of_everything(steps in steps(), limit in 0..6_u32) {
            let (mut fuse, mut model, mut now) = (Fuse::default(), Model::default(), Duration::ZERO);
            for (plugin, chat, wait_ms) in steps {
                now += Duration::from_millis(wait_ms);
                let allowed = model.allows(plugin, chat, limit, now);
                prop_assert_eq!(fuse.check(plugin, "1", Chat(chat), limit, now).is_ok(), allowed);
                if allowed {
                    model.0.push((plugin, chat, now));
                }
            }
        }

        #[test]
        fn it_holds_no_more_than_fits_and_forgetting_only_permits(steps in steps(), most in 1..12_usize) {
            let (mut fuse, mut model, mut now) = (Fuse::of_size(most), Model::default(), Duration::ZERO);
            for (plugin, chat, wait_ms) in steps {
                now += Duration::from_millis(wait_ms);
                let passed = fuse.check(plugin, "1", Chat(chat), 4, now).is_ok();
                prop_assert!(passed || !model.allows(plugin, chat, 4, now));
                if passed {
                    model.0.push((plugin, chat, now));
                }
                prop_assert!(fuse.remembered <= most);
                prop_assert_eq!(fuse.remembered, fuse.actions.values().map(VecDeque::len).sum::<usize>());
                prop_assert!(fuse.actions.values().all(|actions| !actions.is_empty()));
            }
        }
    }
}

//! The fuse: one version of a plugin may take so many actions in one chat within a minute, in all its attempts together.
//! It ends what would go on for ever: plugins that answer each other. Each version has a count of its own: the one that
//! stands by is to run where a new one has used its own up.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);
/// Actions that are remembered, of all plugins and chats.
const REMEMBERED_MAX: usize = 50_000;
/// The longest chat id that is one, bytes; what is longer comes from a plugin and would only fill memory.
const CHAT_BYTES_MAX: usize = 255;

/// What was done in which chat within the last minute. When there is too much to remember, the chats in which
/// nothing was done for longest are forgotten: those are in no danger of never ending.
#[derive(Debug)]
pub struct Fuse {
    /// When each action was taken, by plugin, version and chat, oldest first; never empty.
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

    /// Whether a version of a plugin may take another action in a chat; if so, it counts. `now` is the time since a
    /// moment that is the same in all calls.
    ///
    /// # Errors
    /// A sentence for the operator that names the limit and its setting.
    pub fn check(
        &mut self,
        plugin: &str,
        version: &str,
        chat_id: &str,
        limit: u32,
        now: Duration,
    ) -> Result<(), String> {
        let chat_id = cut(chat_id);
        let key = key(plugin, version, chat_id);
        let recent = self.actions.get_mut(&key).map_or(0, |actions| {
            self.remembered -= forget_old(actions, now);
            actions.len()
        });
        if recent >= limit as usize {
            return Err(format!(
                "more than {limit} actions of {plugin} in the chat {chat_id} within a minute \
                 (limits.actions_per_chat_minute): do plugins answer each other?"
            ));
        }
        self.actions.entry(key).or_default().push_back(now);
        self.remembered += 1;
        if self.remembered > self.most {
            self.sweep(now);
        }
        Ok(())
    }

    /// Takes back the newest action in a chat: it was not begun after all.
    pub fn take_back(&mut self, plugin: &str, version: &str, chat_id: &str) {
        let key = key(plugin, version, cut(chat_id));
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

fn key(plugin: &str, version: &str, chat_id: &str) -> String {
    // Names of plugins and content hashes have no spaces.
    format!("{plugin} {version} {chat_id}")
}

/// As much of a chat id as is remembered.
fn cut(chat_id: &str) -> &str {
    &chat_id[..chat_id.floor_char_boundary(CHAT_BYTES_MAX)]
}

/// Drops what is older than the window; answers how many.
fn forget_old(actions: &mut VecDeque<Duration>, now: Duration) -> usize {
    let old = actions.iter().take_while(|at| now.saturating_sub(**at) >= WINDOW).count();
    actions.drain(..old).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn the_limit_and_its_setting_are_named() {
        let mut fuse = Fuse::default();
        for second in 0..3 {
            assert_eq!(fuse.check("p", "1", "C", 3, seconds(second)), Ok(()));
        }
        let reason = fuse.check("p", "1", "C", 3, seconds(59)).unwrap_err();
        assert!(reason.contains("more than 3 actions of p in the chat C"), "{reason}");
        assert!(reason.contains("limits.actions_per_chat_minute"), "{reason}");
        assert_eq!(fuse.check("q", "1", "C", 3, seconds(59)), Ok(()), "another plugin");
        assert_eq!(fuse.check("p", "2", "C", 3, seconds(59)), Ok(()), "another version");
        assert_eq!(fuse.check("p", "1", "D", 3, seconds(59)), Ok(()), "another chat");
        assert_eq!(fuse.check("p", "1", "C", 3, seconds(60)), Ok(()), "a minute after the first");
        assert!(fuse.check("p", "1", "C", 3, seconds(60)).is_err(), "the others still count");
    }

    #[test]
    fn what_is_refused_does_not_count() {
        let mut fuse = Fuse::default();
        assert_eq!(fuse.check("p", "1", "C", 1, seconds(0)), Ok(()));
        for second in 1..60 {
            assert!(fuse.check("p", "1", "C", 1, seconds(second)).is_err());
        }
        assert_eq!(fuse.check("p", "1", "C", 1, seconds(60)), Ok(()));
        assert!(fuse.check("p", "1", "D", 0, seconds(60)).is_err());
    }

    #[test]
    fn what_was_taken_back_does_not_count() {
        let mut fuse = Fuse::default();
        for second in 0..10 {
            assert_eq!(fuse.check("p", "1", "C", 1, seconds(second)), Ok(()));
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
            assert_eq!(fuse.check("p", "1", "busy", 20, seconds(second)), Ok(()));
            for _ in 0..30 {
                calm += 1;
                assert_eq!(fuse.check("p", "1", &format!("calm {calm}"), 20, seconds(second)), Ok(()));
            }
        }
        assert!(fuse.check("p", "1", "busy", 20, seconds(20)).is_err());
    }

    #[test]
    fn a_chat_id_of_a_plugins_making_takes_little_room() {
        let mut fuse = Fuse::default();
        fuse.check("p", "1", &"é".repeat(1 << 20), 20, seconds(0)).unwrap();
        assert!(fuse.actions.keys().all(|key| key.len() <= CHAT_BYTES_MAX + 4));
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
                prop_assert_eq!(fuse.check(plugin, "1", chat, limit, now).is_ok(), allowed);
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
                let passed = fuse.check(plugin, "1", chat, 4, now).is_ok();
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

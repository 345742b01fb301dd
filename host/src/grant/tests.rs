use super::*;

fn policy(grants: &[&str], denies: &[&str]) -> Policy {
    let grants = grants.iter().map(|allow| Grant::whole(*allow)).collect();
    Policy { grants, denies: denies.iter().map(|entry| (*entry).to_owned()).collect() }
}

fn asks(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_version_waits_until_each_ask_is_decided() {
    let asked = asks(&["chats.tag", "http:slack"]);
    assert_eq!(policy(&["chats.tag"], &["http:slack"]).standing(&asked), Standing::Decided);
    assert_eq!(policy(&["chats.*"], &[]).standing(&asked), Standing::Undecided(vec!["http:slack".into()]));
    assert_eq!(policy(&[], &[]).standing(&asks(&[])), Standing::Decided);
}

#[test]
fn what_stands_there_decides_for_a_version_that_asks_for_more_than_the_one_before() {
    let (old, new) = (asks(&["chats.tag"]), asks(&["chats.send-message", "chats.tag"]));
    for grants in [&["chats.*"][..], &["chats.tag", "chats.send-message"]] {
        assert_eq!(policy(grants, &[]).standing(&old), Standing::Decided);
        assert_eq!(policy(grants, &[]).standing(&new), Standing::Decided, "{grants:?}");
    }
    let open = vec!["chats.send-message".to_owned()];
    assert_eq!(policy(&["chats.tag"], &[]).standing(&new), Standing::Undecided(open));
}

fn call(capability: &str) -> Asked<'_> {
    Asked { capability: capability.into(), facts: Facts::None }
}

fn check(grants: &[&str], denies: &[&str], capability: &str, allowed: bool) {
    let asked = asks(&["chats.tag", "http:slack"]);
    let decision = policy(grants, denies).allows("p", &asked, &call(capability));
    assert_eq!(decision.is_ok(), allowed, "{capability} with {grants:?} and {denies:?}: {decision:?}");
}

#[test]
fn a_call_needs_ask_and_grant_and_no_deny() {
    check(&["chats.tag"], &[], "chats.tag", true);
    check(&["chats.*"], &[], "chats.tag", true);
    check(&["chats.*"], &["chats.tag"], "chats.tag", false);
    check(&["chats.tag"], &["chats.*"], "chats.tag", false);
    check(&[], &[], "chats.tag", false);
    check(&["chats.untag"], &[], "chats.untag", false);
    check(&["http:slack"], &[], "http:slack", true);
    check(&["http:*"], &[], "http:slack", false);
    check(&["*"], &[], "chats.tag", false);
    check(&["http:slackers"], &[], "http:slack", false);
}

#[test]
fn a_misspelt_entry_is_answered_with_the_nearest() {
    let connections = ["slack".to_owned()];
    assert_eq!(check_entry("chats.*", &connections), Ok(()));
    assert_eq!(check_entry("http:slack", &connections), Ok(()));
    let error = check_entry("chats.send_note", &connections).unwrap_err();
    assert_eq!(error, "`chats.send_note` is no capability; did you mean `chats.send-note`?");
    let error = check_entry("http:warehouse", &connections).unwrap_err();
    assert!(error.contains("[connections.warehouse]"), "{error}");
}

#[track_caller]
fn admits(grant: &Grant, facts: Facts<'_>, expected: bool) {
    let capability = grant.allow.clone();
    let policy = Policy { grants: vec![grant.clone()], denies: Vec::new() };
    let asked = Asked { capability: capability.as_str().into(), facts };
    let decision = policy.allows("p", &asks(&[&capability]), &asked);
    let why = decision.as_ref().err().map(|refusal| refusal.why);
    assert_eq!(why, (!expected).then_some(Why::OutOfBounds), "{grant} and {asked:?}: {decision:?}");
}

fn agents(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn a_transfer_goes_only_to_whom_the_grant_names() {
    let (ann, bob) = (agents(&["ann"]), agents(&["ann", "bob"]));
    let target = |groups: &'static [i64], agents| Facts::Target { groups, agents };
    let whole = Grant::whole("chats.transfer");
    admits(&whole, target(&[], &[]), true);
    admits(&whole, target(&[9], &[]), true);
    let groups = Grant { groups: Some(vec![5, 7]), ..whole.clone() };
    admits(&groups, target(&[5], &[]), true);
    admits(&groups, target(&[7, 5], &[]), true);
    admits(&groups, target(&[5, 8], &[]), false);
    admits(&groups, target(&[], &ann), false);
    admits(&groups, target(&[5], &ann), false);
    admits(&groups, target(&[], &[]), false);
    let both = Grant { agents: Some(ann.clone()), ..groups };
    admits(&both, target(&[5], &[]), true);
    admits(&both, target(&[], &ann), true);
    admits(&both, target(&[], &bob), false);
}

#[test]
fn tags_methods_and_paths_bound_a_call() {
    let tags = Grant { tags: Some(agents(&["vip"])), ..Grant::whole("chats.tag") };
    admits(&tags, Facts::Tag("vip"), true);
    admits(&tags, Facts::Tag("VIP"), false);
    let request = |method, path| Facts::Request { method, path };
    let methods = Grant { methods: Some(agents(&["GET"])), ..Grant::whole("http:crm") };
    admits(&methods, request("GET", "/anything"), true);
    admits(&methods, request("POST", "/anything"), false);
    admits(&methods, request("get", "/anything"), false);
    let paths = Some(vec![PathPattern::parse("/crm/v3/*").expect("a pattern")]);
    let paths = Grant { paths, ..methods };
    admits(&paths, request("GET", "/crm/v3/notes"), true);
    admits(&paths, request("POST", "/crm/v3/notes"), false);
    admits(&paths, request("GET", "/settings"), false);
    admits(&paths, request("GET", "/crm/v3/%2e%2e/settings"), false);
    // A call that shows nothing to narrow by is not within bounds.
    admits(&paths, Facts::None, false);
}

#[test]
fn a_grant_is_shown_as_it_is_written() {
    assert_eq!(Grant::whole("chats.tag").to_string(), "chats.tag");
    let grant = Grant {
        methods: Some(agents(&["GET", "POST"])),
        paths: Some(vec![PathPattern::parse("/crm/v3/*").expect("a pattern")]),
        per_minute: Some(10),
        ..Grant::whole("http:crm")
    };
    let text = r#"{ allow = "http:crm", methods = ["GET", "POST"], paths = ["/crm/v3/*"], per_minute = 10 }"#;
    assert_eq!(grant.to_string(), text);
}

#[test]
fn a_call_has_the_rates_of_the_grants_that_admit_it() {
    let slow = Grant { per_minute: Some(1), ..Grant::whole("chats.tag") };
    let vip = Grant { per_minute: Some(9), tags: Some(agents(&["vip"])), ..Grant::whole("chats.tag") };
    let rates = |grants: &[&Grant], tag| -> Vec<u32> {
        let grants = grants.iter().map(|grant| (*grant).clone()).collect();
        let asked = Asked { capability: "chats.tag".into(), facts: Facts::Tag(tag) };
        let rated = Policy { grants, denies: Vec::new() }.rated(&asked);
        rated.into_iter().map(|rated| rated.per_minute).collect()
    };
    assert_eq!(rates(&[&slow, &vip], "vip"), [1, 9]);
    assert_eq!(rates(&[&slow, &vip], "other"), [1]);
    assert_eq!(rates(&[&slow, &Grant::whole("chats.*")], "vip"), [0; 0], "one without a rate is enough");
}

#[test]
fn decisions_are_counted_without_what_a_plugin_made_up() {
    let mut decisions = Decisions::default();
    decisions.note("http:mary@example.com", Why::NotAsked);
    decisions.note("http:john@example.com", Why::NotAsked);
    decisions.note("http:crm", Why::OutOfBounds);
    let all: Vec<_> = decisions.iter().collect();
    assert_eq!(all, [("http:(undeclared)", Why::NotAsked, 2), ("http:crm", Why::OutOfBounds, 1)]);
}

/// Policies and calls of a small world, and a model that decides by looking through lists.
mod model {
    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    const CAPABILITIES: [&str; 5] =
        ["chats.tag", "chats.send-note", "chats.transfer", "http:crm", "http:slack"];
    const ENTRIES: [&str; 7] = [
        "chats.*",
        "customers.*",
        "chats.tag",
        "chats.send-note",
        "chats.transfer",
        "http:crm",
        "http:slack",
    ];
    const GROUPS: [i64; 3] = [0, 5, 7];
    const AGENTS: [&str; 2] = ["ann", "bob"];
    const TAGS: [&str; 3] = ["vip", "spam", "late"];
    const METHODS: [&str; 2] = ["GET", "POST"];
    const PATTERNS: [&str; 4] = ["/a", "/a/*", "/*/b", "/*"];
    const PATHS: [&str; 7] = ["/a", "/a/b", "/a/c", "/c/b", "/a/b/c", "/a/../b", "/a%2Fb"];
    /// Which patterns mean which paths, written down by hand.
    const MEANT: [(&str, &[&str]); 4] = [
        ("/a", &["/a"]),
        ("/a/*", &["/a/b", "/a/c", "/a/b/c"]),
        ("/*/b", &["/a/b", "/c/b"]),
        ("/*", &["/a", "/a/b", "/a/c", "/c/b", "/a/b/c"]),
    ];

    #[derive(Clone, Debug)]
    struct Call {
        capability: &'static str,
        groups: Vec<i64>,
        agents: Vec<String>,
        tag: &'static str,
        method: &'static str,
        path: &'static str,
    }

    impl Call {
        fn asked(&self) -> Asked<'_> {
            let facts = match self.capability {
                "chats.transfer" => Facts::Target { groups: &self.groups, agents: &self.agents },
                "chats.tag" => Facts::Tag(self.tag),
                "chats.send-note" => Facts::None,
                _ => Facts::Request { method: self.method, path: self.path },
            };
            Asked { capability: self.capability.into(), facts }
        }
    }

    fn calls() -> impl Strategy<Value = Call> {
        let groups = subsequence(GROUPS.to_vec(), 0..=2);
        let names = subsequence(AGENTS.to_vec(), 0..=1);
        (
            select(&CAPABILITIES[..]),
            groups,
            names,
            select(&TAGS[..]),
            select(&METHODS[..]),
            select(&PATHS[..]),
        )
            .prop_map(|(capability, groups, names, tag, method, path)| Call {
                capability,
                groups,
                agents: agents(&names),
                tag,
                method,
                path,
            })
    }

    fn texts(of_all: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
        of(subsequence(of_all.to_vec(), 1..=2).prop_map(|some| agents(&some)))
    }

    /// A grant as the config reads it: only what fits the capability.
    fn grants() -> impl Strategy<Value = Grant> {
        let groups = of(subsequence(GROUPS.to_vec(), 1..=2));
        let bounds = (groups, texts(&AGENTS), texts(&TAGS), texts(&METHODS), texts(&PATTERNS));
        (select(&ENTRIES[..]), bounds).prop_map(|(allow, (groups, agents, tags, methods, paths))| {
            let fits = |key: &str| Grant::keys(allow).contains(&key);
            let pattern = |text: String| PathPattern::parse(&text).expect("a pattern");
            Grant {
                groups: groups.filter(|_| fits("groups")),
                agents: agents.filter(|_| fits("agents")),
                tags: tags.filter(|_| fits("tags")),
                methods: methods.filter(|_| fits("methods")),
                paths: paths.filter(|_| fits("paths")).map(|all| all.into_iter().map(pattern).collect()),
                ..Grant::whole(allow)
            }
        })
    }

    fn names(entry: &str, capability: &str) -> bool {
        entry == capability || entry == "chats.*" && capability.starts_with("chats.")
    }

    fn means(grant: &Grant, call: &Call) -> bool {
        let lists = |list: &Option<Vec<String>>, text: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|one| one == text))
        };
        match call.capability {
            "chats.tag" => lists(&grant.tags, call.tag),
            "chats.transfer" if grant.groups.is_some() || grant.agents.is_some() => {
                let (groups, agents) = (grant.groups.clone(), grant.agents.clone());
                let (groups, agents) = (groups.unwrap_or_default(), agents.unwrap_or_default());
                let strange = call.groups.iter().filter(|id| !groups.contains(id)).count()
                    + call.agents.iter().filter(|id| !agents.contains(id)).count();
                strange == 0 && call.groups.len() + call.agents.len() > 0
            }
            "chats.transfer" | "chats.send-note" => true,
            _ => {
                let meant = |pattern: &PathPattern| {
                    let (_, paths) =
                        MEANT.iter().find(|(text, _)| *text == pattern.to_string()).expect("it is listed");
                    paths.contains(&call.path)
                };
                lists(&grant.methods, call.method)
                    && grant.paths.as_ref().is_none_or(|patterns| patterns.iter().any(meant))
            }
        }
    }

    fn expected(grants: &[Grant], denies: &[String], asked: &[&str], call: &Call) -> Option<Why> {
        let covering: Vec<&Grant> =
            grants.iter().filter(|grant| names(&grant.allow, call.capability)).collect();
        if !asked.contains(&call.capability) {
            Some(Why::NotAsked)
        } else if denies.iter().any(|entry| names(entry, call.capability)) {
            Some(Why::Denied)
        } else if covering.is_empty() {
            Some(Why::NotGranted)
        } else if !covering.iter().any(|grant| means(grant, call)) {
            Some(Why::OutOfBounds)
        } else {
            None
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_policy_decides_as_the_model_does(
            grants in vec(grants(), 0..4),
            denies in vec(select(&ENTRIES[..]), 0..2),
            asked in subsequence(CAPABILITIES.to_vec(), 2..=5),
            call in calls(),
        ) {
            let denies = agents(&denies);
            let policy = Policy { grants: grants.clone(), denies: denies.clone() };
            let decision = policy.allows("p", &asks(&asked), &call.asked());
            let why = decision.err().map(|refusal| refusal.why);
            prop_assert_eq!(why, expected(&grants, &denies, &asked, &call));
        }
    }
}

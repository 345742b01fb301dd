//! What a replay does again of what was done outside: nothing if the journal is kept, all of it if it isn't. In no case is
//! the replay taken for a duplicate by a plugin that handles each event once.

use chatplug_tests::Host;
use serde_json::Value;

use crate::client::{accept, message};
use crate::poster::Poster;

/// The ids of the dead letters, the newest first.
fn dead(host: &Host) -> Vec<String> {
    let Value::Array(letters) = host.json(&["dead", "list"]) else { panic!("a list") };
    letters.iter().filter_map(|letter| letter["id"].as_str()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_does_again_what_it_says_and_is_never_mistaken_for_a_duplicate() {
    // Who finds the event claimed does nothing and succeeds; all others post, and are dead letters after that.
    let poster = Poster::start("posts = 1, claims = true, rejects = true").await;
    let host = &poster.host;
    accept(host, message("C1", 1)).await;
    host.wait_until_done(1);
    assert_eq!((dead(host), poster.asked("ev-1 0")), (vec!["dl-1".to_owned()], 1));
    let steps: [(&str, &str, usize, &[&str]); 5] = [
        (
            "dead replay dl-1",
            "dl-1 of ev-1 to poster runs again as dl-2\nReplayed 1 dead letter.\n",
            1,
            &["dl-2"],
        ),
        (
            "dead replay dl-2 --fresh --dry-run",
            "It would be 1 dead letter; nothing was changed.\n  1 of poster\n\
             Without the journals, 1 action that took place, or may have, can happen again.\n",
            1,
            &["dl-2"],
        ),
        (
            "dead replay dl-2 --fresh",
            "dl-2 of ev-1 to poster runs again as dl-3\nReplayed 1 dead letter.\n\
             1 action that took place, or may have, can happen again.\n",
            2,
            &["dl-3"],
        ),
        ("events replay ev-1", "poster gets ev-1 anew as dl-4\n", 3, &["dl-4", "dl-3"]),
        // By now the claim is that of dl-4.
        (
            "dead replay dl-3 --fresh",
            "dl-3 of ev-1 to poster runs again as dl-5\nReplayed 1 dead letter.\n\
             1 action that took place, or may have, can happen again.\n",
            4,
            &["dl-5", "dl-4"],
        ),
    ];
    for (command, said, asked, left) in steps {
        let output = host.cli(&command.split(' ').collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text == said, "{command}: {text}");
        host.wait_until_done(1);
        assert_eq!(poster.asked("ev-1 0"), asked, "{command}");
        assert_eq!(dead(host), left, "{command}");
    }
}

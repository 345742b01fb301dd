//! The host is killed, at random and at named places, and goes on as if nothing had been. The short version of
//! `cargo xtask crash`.

use std::collections::BTreeMap;

use chatplug_tests::crash::{PLACES, Plan, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_anywhere_loses_nothing_and_keeps_the_order() {
    let report = run(&Plan::short(3)).await.expect("the hosts start and finish");
    assert_eq!(report.broken(), Vec::<String>::new(), "{report}");
    assert!(report.answered > 0, "{report}");
    assert_eq!(report.not_reached, BTreeMap::new(), "{report}");
    for (place, _) in PLACES {
        assert!(report.endings.contains_key(place.as_str()), "no host ended {}: {report}", place.as_str());
    }
}

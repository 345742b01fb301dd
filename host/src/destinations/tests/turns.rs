use super::*;

/// Longer than anything takes that a test waits for.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_call_waits_for_a_place_and_gets_it() {
    let script = Script::holding();
    let destinations = destinations(&script, LONG);
    let call = || {
        let destinations = destinations.clone();
        tokio::spawn(async move { note(&destinations).await })
    };
    let (first, second, third) = (call(), call(), call());
    script.arrived().await;
    script.arrived().await;
    assert_eq!(script.asked(), 2, "the third waits");
    script.let_on();
    script.arrived().await;
    script.let_on();
    script.let_on();
    for call in [first, second, third] {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(destinations.states()[1].in_flight, 0);
}

#[tokio::test]
async fn a_call_that_finds_no_place_in_time_is_sent_away() {
    let script = Script::holding();
    let destinations = destinations(&script, Duration::ZERO);
    let mut calls = Vec::new();
    for _ in 0..2 {
        let destinations = destinations.clone();
        calls.push(tokio::spawn(async move { note(&destinations).await }));
        script.arrived().await;
    }
    let (_, reason) = closed(note(&destinations).await);
    assert!(reason.contains("`concurrency`"), "{reason}");
    // Who goes away in the middle gives the place back.
    calls.pop().unwrap().abort();
    calls.pop().unwrap().abort();
    while destinations.states().iter().any(|state| state.in_flight > 0) {
        tokio::task::yield_now().await;
    }
    script.let_on();
    assert!(note(&destinations).await.is_ok());
}

#[tokio::test]
async fn above_the_rate_a_call_is_sent_away_and_other_destinations_are_not() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    destinations.replace(terms(Terms { rate: 1.0, ..TERMS }), |_| false);
    script.pass(10);
    for _ in 0..5 {
        assert!(note(&destinations).await.is_ok());
    }
    let (wait, reason) = closed(note(&destinations).await);
    assert!(wait >= 1 && reason.contains("`rate`"), "{wait} {reason}");
    assert_eq!(send(&destinations).await, Ok(200));
    destinations.replace(terms(TERMS), |_| false);
    assert!(note(&destinations).await.is_ok(), "a faster rate counts at once");
}

#[tokio::test]
async fn a_burst_above_the_rate_puts_its_own_plugin_off_and_no_other() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    destinations.replace(terms(Terms { rate: 1.0, ..TERMS }), |_| false);
    while note_of("poster", &destinations).await.is_ok() {}
    let mut last = 0;
    for _ in 0..100 {
        last = closed(note_of("poster", &destinations).await).0;
    }
    assert!(last > 100, "{last}");
    let (wait, reason) = closed(note_of("caller", &destinations).await);
    // The next turn, its share beside the other's, and what spreads those who come back.
    assert!(wait <= 1 + 2 + 3, "{wait} {reason}");
}

#[tokio::test]
async fn a_service_that_fails_is_left_alone_and_tried_again() {
    let script = Arc::new(Script::default());
    script.says(unavailable(), 10);
    let destinations = destinations(&script, Duration::ZERO);
    let mut changes = destinations.changes();
    for _ in 0..10 {
        assert_eq!(note(&destinations).await, Err(unavailable()));
    }
    let (wait, reason) = closed(note(&destinations).await);
    assert!((30..=42).contains(&wait) && reason.ends_with("HTTP 500"), "{wait} {reason}");
    assert_eq!(script.asked(), 10);
    let ready = |at: &Destinations| LiveChat::ready(at);
    assert!(closed(ready(&destinations)).1.ends_with("HTTP 500"), "it is known beforehand");
    assert_eq!(Connections::ready(&*destinations, "a"), Ok(()));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(standing(&destinations, LIVECHAT), Standing::Open);
    assert_eq!(standing(&destinations, "connections.a"), Standing::Working);
    script.pass(40);
    for _ in 0..3 {
        assert!(note(&destinations).await.is_ok());
    }
    assert_eq!(standing(&destinations, LIVECHAT), Standing::Working);
    assert_eq!(ready(&destinations), Ok(()));
    assert!(changes.has_changed().unwrap());
}

#[tokio::test]
async fn whatever_livechat_refuses_says_that_it_answers_and_what_the_host_refuses_says_nothing() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    let refused = |code| Failure::Refused(Error::new(code, "no"));
    let empty = async || {
        let note = Call::SendNote { chat_id: "C".to_owned(), text: String::new() };
        destinations.call(&origin(1), note).await
    };
    for code in [Code::NotFound, Code::Invalid, Code::Limit] {
        script.says(unavailable(), 9).says(refused(code), 1).says(unavailable(), 9);
        for _ in 0..19 {
            assert!(note(&destinations).await.is_err());
        }
        assert_eq!(standing(&destinations, LIVECHAT), Standing::Working, "{code:?}: never ten in a row");
        assert!(note(&destinations).await.is_ok());
        // The failures of the last minute count together, too.
        script.pass(120);
    }
    script.says(unavailable(), 10);
    let asked = script.asked();
    for _ in 0..9 {
        assert!(note(&destinations).await.is_err());
        assert_eq!(empty().await, Err(Failure::Refused(Error::new(Code::Invalid, "the text is empty"))));
    }
    assert!(note(&destinations).await.is_err());
    assert_eq!(script.asked() - asked, 10, "what makes no sense is not asked");
    assert_eq!(standing(&destinations, LIVECHAT), Standing::Open);
    script.pass(40);
    script.says(refused(Code::NotFound), 3);
    for _ in 0..3 {
        assert_eq!(note(&destinations).await, Err(refused(Code::NotFound)));
    }
    assert_eq!(standing(&destinations, LIVECHAT), Standing::Working);
}

#[tokio::test]
async fn what_the_service_puts_off_counts_as_not_asked() {
    let check = |status, header, waits: std::ops::RangeInclusive<u64>| async move {
        let script = Arc::new(Script::default());
        script.responds(status, header, 1);
        let destinations = destinations(&script, Duration::ZERO);
        let (wait, _) = closed(send(&destinations).await);
        assert!(waits.contains(&wait), "{status} {header:?}: {wait}");
        assert!(waits.contains(&closed(send(&destinations).await).0), "for all others, too");
        assert_eq!(script.asked(), 1);
        script.pass(wait + 1);
        assert_eq!(send(&destinations).await, Ok(200));
    };
    check(429, Some(("retry-after", "7")), 7..=10).await;
    check(429, Some(("retry-after", "999999999999")), 86_400..=86_403).await;
    check(429, Some(("retry-after", "-1")), 2..=4).await;
    check(429, Some(("retry-after", "soon")), 2..=4).await;
    check(429, None, 2..=4).await;
    check(477, Some(("retry-after", "3600")), 3_600..=3_603).await;
}

#[tokio::test]
async fn an_answer_is_handed_on_even_if_it_closes_the_destination() {
    let script = Arc::new(Script::default());
    script.responds(503, Some(("retry-after", "120")), 1).responds(403, None, 7);
    let destinations = destinations(&script, Duration::ZERO);
    assert_eq!(send(&destinations).await, Ok(503));
    assert!((120..=123).contains(&closed(send(&destinations).await).0));
    script.pass(124);
    for _ in 0..5 {
        assert_eq!(send(&destinations).await, Ok(403));
        assert_eq!(standing(&destinations, "connections.a"), Standing::Working, "it may be this path only");
    }
    for path in ["/other", "/another"] {
        assert_eq!(send_to(path, &destinations).await, Ok(403));
    }
    assert_eq!(standing(&destinations, "connections.a"), Standing::Parked);
}

#[tokio::test]
async fn a_plugin_without_patience_does_not_count_against_the_service() {
    let asked = |timeout_ms| signal::Asked::of("notes", &request("/", Some(timeout_ms)));
    let impatient = signal::of_connection(&Err(unavailable()), &asked(100));
    assert_eq!(impatient, crate::destination::Signal::Nothing);
    let patient = signal::of_connection(&Err(unavailable()), &asked(10_000));
    assert!(matches!(patient, crate::destination::Signal::Failed(..)));
}

#[tokio::test]
async fn refused_credentials_park_it_until_a_probe_works() {
    let script = Arc::new(Script::default());
    script.says(Failure::Refused(Error::new(Code::Credentials, "LiveChat does not know the token")), 1);
    script.trials.lock().unwrap().extend([Trial::Fails("still not".to_owned()), Trial::Works]);
    let destinations = destinations(&script, Duration::ZERO);
    assert!(closed(note(&destinations).await).1.ends_with("does not know the token"));
    assert_eq!(standing(&destinations, LIVECHAT), Standing::Parked);
    for (seconds, left) in [(1, 2), (2, 1), (59, 1), (8, 0)] {
        script.pass(seconds);
        destinations.look().await;
        assert_eq!(script.trials.lock().unwrap().len(), left, "after {seconds} more seconds");
    }
    assert!(note(&destinations).await.is_ok());
    assert_eq!(standing(&destinations, LIVECHAT), Standing::Working);
}

#[tokio::test]
async fn other_credentials_end_the_parking() {
    let script = Arc::new(Script::default());
    script.responds(401, None, 1);
    let destinations = destinations(&script, Duration::ZERO);
    closed(send(&destinations).await);
    destinations.replace(terms(TERMS), |name| name == LIVECHAT);
    assert_eq!(standing(&destinations, "connections.a"), Standing::Parked);
    destinations.replace(terms(TERMS), |name| name == "connections.a");
    assert_eq!(send(&destinations).await, Ok(200));
}

#[tokio::test]
async fn a_call_that_is_cut_counts_as_failed_only_if_it_had_time_to_answer() {
    for (seconds, failures) in [(9, 0), (10, 1)] {
        let script = Script::holding();
        let destinations = destinations(&script, LONG);
        let cut = destinations.clone();
        let call = tokio::spawn(async move { send(&cut).await });
        script.arrived().await;
        script.pass(seconds);
        call.abort();
        assert!(call.await.is_err());
        let state = &destinations.states()[0];
        assert_eq!((state.counts.failures, state.in_flight), (failures, 0), "after {seconds} seconds");
    }
}

#[tokio::test]
async fn an_unknown_connection_is_the_edges_to_refuse() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    destinations.replace([], |_| false);
    assert_eq!(send(&destinations).await, Ok(200));
    assert!(destinations.states().is_empty());
}

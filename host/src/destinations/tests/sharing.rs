use super::*;

async fn read(destinations: &Destinations, delivery: i64, accepted_at_ms: i64) -> Result<String, Failure> {
    let origin = Origin { accepted_at_ms, ..origin(delivery) };
    let call = Call::GetChat { chat_id: "C".to_owned(), thread_id: None };
    destinations.call(&origin, call).await
}

#[tokio::test]
async fn reads_of_a_chat_share_a_request_even_while_it_is_under_way() {
    let script = Script::holding();
    let destinations = destinations(&script, Duration::ZERO);
    let reader = |delivery| {
        let destinations = destinations.clone();
        tokio::spawn(async move { read(&destinations, delivery, 0).await })
    };
    let first = reader(1);
    script.arrived().await;
    let others = [reader(2), reader(3)];
    while destinations.calls().shared < 2 {
        tokio::task::yield_now().await;
    }
    // The first goes away: the others get their answer all the same.
    first.abort();
    script.let_on();
    for reader in others {
        assert_eq!(reader.await.unwrap(), Ok("answer 1".to_owned()));
    }
    assert_eq!(read(&destinations, 4, 0).await, Ok("answer 1".to_owned()));
    assert_eq!((script.asked(), destinations.calls().shared), (1, 3));
}

#[tokio::test]
async fn an_event_that_came_later_is_not_served_by_an_older_answer() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    assert_eq!(read(&destinations, 1, 0).await, Ok("answer 1".to_owned()));
    let accepted_at_ms = now_ms();
    assert_eq!(read(&destinations, 2, accepted_at_ms).await, Ok("answer 2".to_owned()));
    assert_eq!(read(&destinations, 3, 0).await, Ok("answer 2".to_owned()));
}

#[tokio::test]
async fn an_action_on_the_chat_ends_what_was_read_before_it_and_meanwhile() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    assert_eq!(read(&destinations, 1, 0).await, Ok("answer 1".to_owned()));
    assert_eq!(note(&destinations).await, Ok("answer 2".to_owned()));
    assert_eq!(read(&destinations, 2, 0).await, Ok("answer 3".to_owned()));

    let script = Script::holding();
    let destinations = super::destinations(&script, Duration::ZERO);
    let acting = tokio::spawn({
        let destinations = destinations.clone();
        async move { note(&destinations).await }
    });
    script.arrived().await;
    let reading = tokio::spawn({
        let destinations = destinations.clone();
        async move { read(&destinations, 1, 0).await }
    });
    script.arrived().await;
    script.let_on();
    assert!(acting.await.unwrap().is_ok());
    script.let_on();
    assert!(reading.await.unwrap().is_ok());
    script.let_on();
    assert_eq!(read(&destinations, 2, 0).await, Ok("answer 3".to_owned()));
}

#[tokio::test]
async fn a_look_up_asks_for_itself() {
    let script = Arc::new(Script::default());
    let destinations = destinations(&script, Duration::ZERO);
    assert_eq!(read(&destinations, 1, 0).await, Ok("answer 1".to_owned()));
    let call = Call::SendNote { chat_id: "C".to_owned(), text: "text".to_owned() };
    assert_eq!(destinations.look_up(&origin(2), &call, 0).await, Ok(None));
    assert_eq!(script.asked(), 2);
}

#[tokio::test]
async fn a_read_that_failed_is_not_shared_with_who_comes_later() {
    let script = Arc::new(Script::default());
    script.says(unavailable(), 1);
    let destinations = destinations(&script, Duration::ZERO);
    assert_eq!(read(&destinations, 1, 0).await, Err(unavailable()));
    assert_eq!(read(&destinations, 2, 0).await, Ok("answer 2".to_owned()));
}

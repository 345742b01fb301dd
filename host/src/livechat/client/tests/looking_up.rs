use super::*;

/// 2026-06-01T12:00:00Z, when the action left.
const SENT_MS: i64 = 1_780_315_200_000;

async fn check(answers: &[Value], call: Call, expected: Option<&str>) {
    let double =
        Double::start(answers.iter().map(|answer| ok(&answer.to_string())).collect::<Vec<_>>()).await;
    let found = client(&double).look_up(&origin(), &call, SENT_MS).await;
    assert_eq!(found, Ok(expected.map(str::to_owned)), "{answers:?}");
    assert_eq!(double.asked().len(), answers.len(), "{answers:?}");
}

fn thread(created_at: &str, previous: Option<&str>, events: &Value) -> Value {
    json!({"id": "C1", "thread": {
        "id": "T2", "created_at": created_at, "previous_thread_id": previous, "events": events,
    }})
}

#[tokio::test]
async fn a_message_is_found_by_the_id_that_it_carried() {
    let ours = json!([{"id": "T2_1"}, {"id": "T2_2", "custom_id": "chatplug-notes-00000000-7-3"}]);
    let others = json!([{"id": "T2_1", "custom_id": "chatplug-notes-00000000-7-31"}]);
    let (before, after) = ("2026-06-01T11:00:00.000000Z", "2026-06-01T12:00:01.000000Z");
    check(&[thread(before, None, &ours)], message(), Some("T2_2")).await;
    check(&[thread(before, Some("T1"), &others)], note(), None).await;
    // The thread began after the message left: it can be in the one before.
    check(&[thread(after, Some("T1"), &others), thread(before, None, &ours)], note(), Some("T2_2")).await;
    check(&[thread(after, None, &others)], note(), None).await;
}

fn transfer(group: Option<i64>, agent: Option<&str>) -> Call {
    let target = TransferTarget {
        group_ids: group.into_iter().collect(),
        agent_ids: agent.map(str::to_owned).into_iter().collect(),
        ignore_availability: false,
    };
    Call::Transfer { chat_id: chat(), target }
}

#[tokio::test]
async fn a_transfer_took_place_if_the_chat_is_there_or_was_moved_on() {
    let at = |groups: &[i64], agent: &str, events: Value| {
        json!({
            "id": "C1", "access": {"group_ids": groups},
            "users": [{"id": agent, "type": "agent", "present": true}],
            "thread": {"id": "T1", "created_at": "2026-06-01T11:00:00Z", "events": events},
        })
    };
    let moved = |time: &str| json!([{"system_message_type": "chat_transferred", "created_at": time}]);
    check(&[at(&[5], "ann", json!([]))], transfer(Some(5), None), Some("")).await;
    check(&[at(&[0], "ann", json!([]))], transfer(Some(5), None), None).await;
    check(&[at(&[0], "ann", json!([]))], transfer(None, Some("ann")), Some("")).await;
    check(&[at(&[0], "ann", json!([]))], transfer(None, Some("bob")), None).await;
    check(&[at(&[0], "ann", moved("2026-06-01T12:01:03Z"))], transfer(Some(5), None), Some("")).await;
    check(&[at(&[0], "ann", moved("2026-06-01T11:59:00Z"))], transfer(Some(5), None), None).await;
}

/// Looks a transfer up of a chat that somebody else moved at 12:00:30 by LiveChat's clock, which is ahead of ours by so
/// many seconds; the request left at 12:00:00 by ours.
async fn moved_while_ahead_by(seconds: i64) -> Result<Option<String>, Failure> {
    let moved = json!([{"system_message_type": "chat_transferred", "created_at": "2026-06-01T12:00:30Z"}]);
    let chat = json!({"id": "C1", "access": {"group_ids": [0]}, "thread": {"id": "T1", "events": moved}});
    let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).expect("a date");
    let double = Double::start([ok(&chat.to_string()).and("date", &date)]).await;
    client(&double).look_up(&origin(), &transfer(Some(5), None), SENT_MS).await
}

#[tokio::test]
async fn a_transfer_is_compared_with_the_request_by_livechats_clock() {
    assert_eq!(moved_while_ahead_by(0).await, Ok(Some(String::new())), "half a minute after");
    assert_eq!(moved_while_ahead_by(-3_600).await, Ok(Some(String::new())), "an hour after");
    assert_eq!(moved_while_ahead_by(3_600).await, Ok(None), "an hour before, although ours says after");
}

#[tokio::test]
async fn what_livechat_does_not_show_says_nothing() {
    let after = "2026-06-01T12:00:01.000000Z";
    let older = || thread(after, Some("T1"), &json!([]));
    let restricted =
        json!({"id": "C1", "thread": {"id": "T1", "created_at": after, "restricted_access": "x"}});
    for (answers, call) in [
        (vec![older(), older(), older()], note()),
        (vec![restricted.clone()], note()),
        (vec![restricted], transfer(Some(5), None)),
    ] {
        let double =
            Double::start(answers.iter().map(|answer| ok(&answer.to_string())).collect::<Vec<_>>()).await;
        let failure = client(&double).look_up(&origin(), &call, SENT_MS).await.expect_err("nobody can say");
        assert_eq!(failure.into_error().code, Code::Unsupported, "{answers:?}");
    }
}

#[tokio::test]
async fn what_leaves_no_trace_cannot_be_looked_up() {
    let double = Double::start([]).await;
    let failure = client(&double).look_up(&origin(), &tag(), SENT_MS).await.expect_err("no trace");
    assert_eq!(failure.into_error().code, Code::Unsupported);
}

//! Messages and notes into chats that our user is in, and isn't.

use serde_json::json;

use super::*;
use crate::action::livechat::Visit;

const OUTSIDER: &str = r#"{"error":{"type":"authorization","message":"Requester is not user of the chat"}}"#;

fn outsider() -> Answer {
    Answer::text(403, OUTSIDER)
}

#[tokio::test]
async fn a_note_into_a_foreign_chat_joins_for_agents_only_and_leaves() {
    let sent = || ok(r#"{"event_id":"E1"}"#);
    let double =
        Double::start([outsider(), ok(AGENTS), ok(""), sent(), ok(""), outsider(), ok(""), sent(), ok("")])
            .await;
    let client = client(&double);
    assert_eq!(client.call(&origin(), note()).await.as_deref(), Ok("E1"));
    assert_eq!(client.call(&origin(), note()).await.as_deref(), Ok("E1"));
    let visit = ["add_user_to_chat", "send_event", "remove_user_from_chat"];
    let expected: Vec<&str> =
        [&["send_event", "configuration:list_agents"], &visit[..], &["send_event"], &visit].concat();
    assert_eq!(names(&double), expected);
    let asked = actions(&double, BASIC);
    assert_eq!(
        asked[2].1,
        json!({"chat_id": "C1", "user_id": "api@example.com", "user_type": "agent", "visibility": "agents",
            "ignore_requester_presence": true})
    );
    assert_eq!(asked[3].1["event"]["visibility"], "agents");
    assert_eq!(asked[4].1["user_id"], "api@example.com");
}

#[tokio::test]
async fn a_visit_ends_whatever_came_of_it() {
    let inactive = Answer::text(422, r#"{"error":{"type":"chat_inactive","message":"no"}}"#);
    let internal = || Answer::text(500, r#"{"error":{"type":"internal","message":"no"}}"#);
    let invisible = Answer::text(403, r#"{"error":{"type":"missing_access","message":"no"}}"#);
    let sent = ok(r#"{"event_id":"E1"}"#);
    let whole = ["send_event", "add_user_to_chat", "send_event", "remove_user_from_chat"];
    let unsent = ["send_event", "add_user_to_chat", "remove_user_from_chat"];
    let check = async |answers: Vec<Answer>, result: Result<&str, Code>, requests: &[&str]| {
        let double = Double::start(answers).await;
        let options = Options { agent_id: Some("api@example.com".to_owned()), ..options(&double, pat()) };
        let answered = Client::new(options).expect("a client").call(&origin(), note()).await;
        let answered = answered.map_err(|failure| failure.into_error().code);
        assert_eq!(answered.as_deref().map_err(|code| *code), result);
        assert_eq!(names(&double), requests);
    };
    check(vec![outsider(), ok(""), internal(), ok("")], Err(Code::Unavailable), &whole).await;
    check(vec![outsider(), ok(""), inactive.clone(), ok("")], Err(Code::Inactive), &whole).await;
    check(vec![outsider(), ok(""), sent.clone(), internal()], Ok("E1"), &whole).await;
    check(vec![outsider(), inactive.clone()], Err(Code::Inactive), &whole[..2]).await;
    check(vec![outsider(), internal(), ok("")], Err(Code::Unavailable), &unsent).await;
    check(vec![invisible.clone(), ok(""), sent, ok("")], Ok("E1"), &whole).await;
    check(vec![invisible.clone(), invisible], Err(Code::Denied), &whole[..2]).await;
    check(vec![inactive], Err(Code::Inactive), &whole[..1]).await;
}

#[tokio::test]
async fn a_message_joins_only_if_the_operator_says_so() {
    let double = Double::start([outsider()]).await;
    let error = client(&double)
        .call(&origin(), message())
        .await
        .map_err(Failure::into_error)
        .expect_err("not in the chat");
    assert_eq!(error.code, Code::Denied);
    assert!(error.message.contains("livechat.join") && error.message.contains("bot"), "{error}");

    let double = Double::start([outsider(), ok(AGENTS), ok(""), ok(r#"{"event_id":"E1"}"#)]).await;
    let joining = Client::new(Options { join: true, ..options(&double, pat()) }).expect("a client");
    assert_eq!(joining.call(&origin(), message()).await.as_deref(), Ok("E1"));
    assert_eq!(names(&double), ["send_event", "configuration:list_agents", "add_user_to_chat", "send_event"]);
    assert_eq!(actions(&double, BASIC)[2].1["visibility"], "all");
}

#[tokio::test]
async fn who_cannot_tell_its_own_id_says_what_to_configure() {
    let check = async |credentials: Credentials, answers: Vec<Answer>| {
        let double = Double::start(answers).await;
        let client = Client::new(options(&double, credentials)).expect("a client");
        let error = client.call(&origin(), note()).await.map_err(Failure::into_error).expect_err("no id");
        assert_eq!(error.code, Code::Denied);
        assert!(error.message.contains("livechat.agent_id"), "{error}");
    };
    check(bearer("jwt"), vec![outsider()]).await;
    check(pat(), vec![outsider(), ok("[]")]).await;
    check(pat(), vec![outsider(), outsider()]).await;
}

#[tokio::test]
async fn our_own_id_is_asked_for_again_if_it_could_not_be_learnt() {
    let sent = ok(r#"{"event_id":"E1"}"#);
    let double =
        Double::start([outsider(), Answer::text(503, ""), outsider(), ok(AGENTS), ok(""), sent, ok("")])
            .await;
    let client = client(&double);
    assert_eq!(
        client.call(&origin(), note()).await.map_err(Failure::into_error).expect_err("not yet").code,
        Code::Unavailable
    );
    assert_eq!(client.call(&origin(), note()).await.as_deref(), Ok("E1"));
}

#[tokio::test]
async fn two_senders_do_not_take_each_others_membership_away() {
    let sent = || ok(r#"{"event_id":"E1"}"#);
    let visit = || [outsider(), ok(""), sent(), ok("")];
    let double = Double::start([visit(), visit()].concat()).await;
    let options = Options { agent_id: Some("api@example.com".to_owned()), ..options(&double, pat()) };
    let client = Client::new(options).expect("a client");
    let origin = origin();
    let (one, other) = tokio::join!(client.call(&origin, note()), client.call(&origin, note()));
    assert_eq!((one.as_deref(), other.as_deref()), (Ok("E1"), Ok("E1")));
    let visit = ["send_event", "add_user_to_chat", "send_event", "remove_user_from_chat"];
    assert_eq!(names(&double), [visit, visit].concat());
}

/// The process is up for so long that all requests of an earlier one are over.
const LONG: std::time::Duration = std::time::Duration::from_secs(3600);

/// Visits in memory.
#[derive(Default)]
struct Kept(std::sync::Mutex<Vec<Visit>>);

impl Visits for Kept {
    fn begin<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<(), Error>> {
        self.0.lock().expect("no test panics here").push(visit.clone());
        Box::pin(std::future::ready(Ok(())))
    }

    fn end<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<(), Error>> {
        self.0.lock().expect("no test panics here").retain(|open| open != visit);
        Box::pin(std::future::ready(Ok(())))
    }

    fn open(&self) -> BoxFuture<'_, Result<Vec<Visit>, Error>> {
        Box::pin(std::future::ready(Ok(self.0.lock().expect("no test panics here").clone())))
    }

    fn is_open<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<bool, Error>> {
        let is_open = self.0.lock().expect("no test panics here").contains(visit);
        Box::pin(std::future::ready(Ok(is_open)))
    }
}

/// A note from outside to a chat; how LiveChat answers the join, and whether the visit is open in the end.
async fn check_visit(joined: Answer, leaves: &[Answer], is_open: bool, asked: &[&str]) {
    let outsider = Answer::text(
        403,
        r#"{"error":{"type":"authorization","message":"Requester is not user of the chat"}}"#,
    );
    let answers = [&[outsider, joined], leaves].concat();
    let double = Double::start(answers).await;
    let kept = Arc::new(Kept::default());
    let options = Options { agent_id: Some("api@example.com".to_owned()), ..options(&double, pat()) };
    let client = Client::with_visits(options, kept.clone()).expect("a client");
    client.call(&origin(), note()).await.expect_err("no note");
    assert_eq!(kept.0.lock().expect("no test panics here").len(), usize::from(is_open), "{asked:?}");
    assert_eq!(names(&double)[2..], *asked);
}

#[tokio::test]
async fn a_join_that_may_have_worked_is_a_visit_and_one_that_did_not_is_none() {
    let long = || Answer::text(200, &"x".repeat(9 << 20));
    let redirect = || Answer::text(307, "moved");
    let left = ok("{}");
    check_visit(long(), std::slice::from_ref(&left), false, &["remove_user_from_chat"]).await;
    check_visit(Answer::text(500, "{}"), &[redirect()], true, &["remove_user_from_chat"]).await;
    check_visit(Answer::text(500, "{}"), &[long()], true, &["remove_user_from_chat"]).await;
    check_visit(Answer::text(403, r#"{"error":{"type":"authorization","message":"no"}}"#), &[], false, &[])
        .await;
}

#[tokio::test]
async fn a_visit_of_an_earlier_process_may_only_begin_while_it_is_ended() {
    let nobody = || Answer::text(422, r#"{"error":{"type":"validation","message":"`user_id` not found"}}"#);
    let double = Double::start([nobody(), nobody()]).await;
    let kept = Arc::new(Kept::default());
    let visit = Visit { chat_id: "C1".to_owned(), agent_id: "api@example.com".to_owned() };
    kept.begin(&visit).await.expect("kept");
    let options = options(&double, pat());
    let timeout = options.timeout;
    let client = Client::with_visits(options, kept.clone()).expect("a client");
    let open = || kept.0.lock().expect("no test panics here").len();
    client.end_visits(timeout / 2, || true).await.expect("tried");
    assert_eq!(open(), 1, "the join may still be on its way");
    client.end_visits(timeout, || true).await.expect("tried");
    assert_eq!(open(), 0, "a request of any earlier process is over by now");
}

#[tokio::test]
async fn a_visit_that_could_not_be_ended_is_ended_later() {
    let outsider = || {
        Answer::text(
            403,
            r#"{"error":{"type":"authorization","message":"Requester is not user of the chat"}}"#,
        )
    };
    let down = || Answer::text(503, "{}");
    let answers = [outsider(), ok("{}"), ok(r#"{"event_id":"E1"}"#), down(), down(), ok("{}")];
    let double = Double::start(answers).await;
    let kept = Arc::new(Kept::default());
    let options = Options { agent_id: Some("api@example.com".to_owned()), ..options(&double, pat()) };
    let client = Client::with_visits(options, kept.clone()).expect("a client");
    assert_eq!(client.call(&origin(), note()).await.as_deref(), Ok("E1"));
    let open = || kept.0.lock().expect("no test panics here").len();
    assert_eq!(open(), 1, "it is still in the chat");
    client.end_visits(LONG, || true).await.expect("tried");
    assert_eq!(open(), 1, "LiveChat is down");
    let asked = names(&double).len();
    client.end_visits(LONG, || false).await.expect("not tried");
    assert_eq!((open(), names(&double).len()), (1, asked), "it is left alone");
    client.end_visits(LONG, || true).await.expect("tried");
    assert_eq!(open(), 0);
    let last = names(&double).pop();
    assert_eq!(last.as_deref(), Some("remove_user_from_chat"));
}

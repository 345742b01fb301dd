//! The services that runs reach, with the calls counted that change something there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram};

use crate::action::http::{Connections, Request, Response};
use crate::action::livechat::{Call, LiveChat};
use crate::action::{BoxFuture, Effect, Error, Failure, Origin};
use crate::destinations::{LIVECHAT, connection};
use crate::measures::Measures;
use crate::store::Clock;

/// Passes every call on, and counts how the actions among them ended.
pub(super) struct Metered {
    livechat: Arc<dyn LiveChat>,
    connections: Arc<dyn Connections>,
    measures: Arc<Measures>,
    /// By which events are accepted.
    clock: Clock,
    attempt_seconds: Histogram,
    age_at_success_seconds: Histogram,
    /// By the destination and the outcome's word: both are from short lists, the config's and the host's own.
    actions: Mutex<HashMap<(String, &'static str), Counter>>,
}

impl Metered {
    pub(super) fn new(
        livechat: Arc<dyn LiveChat>,
        connections: Arc<dyn Connections>,
        measures: Arc<Measures>,
        clock: Clock,
    ) -> Metered {
        let attempt_seconds = measures.histogram("chatplug_action_attempt_seconds");
        let age_at_success_seconds = measures.histogram("chatplug_action_age_at_success_seconds");
        Metered {
            livechat,
            connections,
            measures,
            clock,
            attempt_seconds,
            age_at_success_seconds,
            actions: Mutex::default(),
        }
    }

    /// An action that began at `began` is over.
    fn ended(&self, origin: &Origin, destination: &str, began: Instant, outcome: &'static str) {
        self.count(destination, outcome);
        self.attempt_seconds.record(began.elapsed());
        if outcome == DONE {
            self.record_age(origin);
        }
    }

    fn record_age(&self, origin: &Origin) {
        let age_ms = self.clock.now_ms() - origin.accepted_at_ms;
        self.age_at_success_seconds.record(Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)));
    }

    fn count(&self, destination: &str, outcome: &'static str) {
        let mut actions = self.actions.lock().expect("nothing panics while it holds the counters");
        let counter = actions.entry((destination.to_owned(), outcome)).or_insert_with(|| {
            let labels = [("destination", destination), ("outcome", outcome)];
            self.measures.counter("chatplug_actions_total", &labels)
        });
        counter.increment(1);
    }
}

/// The word for an action that was done.
const DONE: &str = "ok";

/// The word for a failure.
fn word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused(error) => error.code.as_str(),
        Failure::Doubt(_) => "in doubt",
        Failure::Closed { .. } => "closed",
    }
}

/// The word for the answer of a connection, whatever its status.
fn word_of_answer(answer: &Result<Response, Failure>) -> &'static str {
    match answer {
        Err(failure) => word(failure),
        Ok(response) if response.status >= 500 => "status 5xx",
        Ok(response) if response.status >= 400 => "status 4xx",
        Ok(_) => DONE,
    }
}

impl LiveChat for Metered {
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let is_action = !call.is_read();
            let began = Instant::now();
            let answer = self.livechat.call(origin, call).await;
            if is_action {
                self.ended(origin, LIVECHAT, began, answer.as_ref().map_or_else(word, |_| DONE));
            }
            answer
        })
    }

    fn look_up<'a>(
        &'a self,
        origin: &'a Origin,
        call: &'a Call,
        sent_at_ms: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let found = self.livechat.look_up(origin, call, sent_at_ms).await;
            if let Ok(Some(_)) = &found {
                // The action took place after all. That its call did not answer was counted as in doubt.
                self.count(LIVECHAT, DONE);
                self.record_age(origin);
            }
            found
        })
    }

    fn ready(&self) -> Result<(), Failure> {
        self.livechat.ready()
    }
}

impl Connections for Metered {
    fn effect(&self, request: &Request) -> Result<Effect, Error> {
        self.connections.effect(request)
    }

    fn send<'a>(&'a self, origin: &'a Origin, request: Request) -> BoxFuture<'a, Result<Response, Failure>> {
        Box::pin(async move {
            // A name that the config doesn't have has no effect either: it must not become a label.
            let is_action = self.connections.effect(&request).is_ok_and(|effect| effect != Effect::Read);
            let destination = is_action.then(|| connection(&request.connection));
            let began = Instant::now();
            let answer = self.connections.send(origin, request).await;
            if let Some(destination) = destination {
                self.ended(origin, &destination, began, word_of_answer(&answer));
            }
            answer
        })
    }

    fn ready(&self, connection: &str) -> Result<(), Failure> {
        self.connections.ready(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Code;

    /// Answers as the request says: a status as its path, or a failure.
    struct Scripted;

    impl LiveChat for Scripted {
        fn call<'a>(&'a self, _: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
            let failure = |code| Failure::Refused(Error::new(code, "no"));
            Box::pin(async move {
                match call {
                    Call::Deactivate { .. } => Err(failure(Code::Inactive)),
                    Call::SendNote { .. } => Err(Failure::Doubt(Error::new(Code::Unavailable, "lost"))),
                    _ => Ok(String::new()),
                }
            })
        }

        fn look_up<'a>(
            &'a self,
            _: &'a Origin,
            call: &'a Call,
            _: i64,
        ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
            Box::pin(async move { Ok(matches!(call, Call::SendNote { .. }).then(String::new)) })
        }
    }

    impl Connections for Scripted {
        fn effect(&self, request: &Request) -> Result<Effect, Error> {
            match request.connection.as_str() {
                "crm" if request.method == "GET" => Ok(Effect::Read),
                "crm" => Ok(Effect::Unknown),
                _ => Err(Error::new(Code::NotFound, "no such connection")),
            }
        }

        fn send<'a>(&'a self, _: &'a Origin, request: Request) -> BoxFuture<'a, Result<Response, Failure>> {
            let status = request.path.trim_start_matches('/').parse().unwrap_or(200);
            Box::pin(async move { Ok(Response { status, headers: Vec::new(), body: Vec::new() }) })
        }
    }

    fn request(connection: &str, method: &str, path: &str) -> Request {
        Request {
            connection: connection.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            timeout_ms: None,
            effect: None,
        }
    }

    #[tokio::test]
    async fn actions_are_counted_by_destination_and_outcome_and_reads_are_not() {
        let measures = Arc::new(Measures::new());
        let metered = Metered::new(Arc::new(Scripted), Arc::new(Scripted), measures.clone(), Clock::wall());
        let origin = Origin {
            plugin: "p".into(),
            delivery: 1,
            trace: Default::default(),
            step: 1,
            accepted_at_ms: 0,
            answer_bytes: 1 << 20,
        };
        let chat_id = || "C1".to_owned();
        for call in [
            Call::GetChat { chat_id: chat_id(), thread_id: None },
            Call::Tag { chat_id: chat_id(), thread_id: "T".into(), tag: "t".into() },
            Call::Deactivate { chat_id: chat_id() },
            Call::SendNote { chat_id: chat_id(), text: "hello".into() },
        ] {
            let _ = metered.call(&origin, call).await;
        }
        // The note is found, the tag is not.
        let note = Call::SendNote { chat_id: chat_id(), text: "hello".into() };
        let tag = Call::Tag { chat_id: chat_id(), thread_id: "T".into(), tag: "t".into() };
        assert_eq!(metered.look_up(&origin, &note, 0).await, Ok(Some(String::new())));
        assert_eq!(metered.look_up(&origin, &tag, 0).await, Ok(None));
        for (connection, method, path) in [
            ("crm", "GET", "/200"),
            ("crm", "POST", "/201"),
            ("crm", "POST", "/201"),
            ("crm", "POST", "/404"),
            ("crm", "POST", "/503"),
            ("of-a-stranger", "POST", "/200"),
        ] {
            let _ = metered.send(&origin, request(connection, method, path)).await;
        }
        let text = measures.render();
        let mut counted: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("chatplug_actions_total")).collect();
        counted.sort_unstable();
        let expected = [
            r#"{destination="connections.crm",outcome="ok"} 2"#,
            r#"{destination="connections.crm",outcome="status 4xx"} 1"#,
            r#"{destination="connections.crm",outcome="status 5xx"} 1"#,
            r#"{destination="livechat",outcome="in doubt"} 1"#,
            r#"{destination="livechat",outcome="inactive"} 1"#,
            r#"{destination="livechat",outcome="ok"} 2"#,
        ];
        assert_eq!(counted, expected);
        assert!(text.contains("chatplug_action_attempt_seconds_count 7"), "{text}");
        assert!(text.contains("chatplug_action_age_at_success_seconds_count 4"), "{text}");
        assert!(
            text.contains("chatplug_action_age_at_success_seconds_bucket{le=\"86400\"} 0"),
            "since 1970: {text}"
        );
    }
}

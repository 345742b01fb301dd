//! Finds out whether an action in doubt took place, before its delivery runs again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Dispatcher;
use crate::action::http::Request;
use crate::action::{Code, Effect, Failure, Origin, Outgoing};
use crate::delivery::doubt::{self, Finding, Settled};
use crate::journal::{Answer, Answered, Kind, Run, Step};
use crate::limits::Limits;
use crate::store::{self, Pending};

/// So long a service may be at the first request when it answers the second with a conflict, and so long a gateway may not
/// know where the service is; later the conflict, or that there is nothing, is the answer.
const STILL_AT_IT: Duration = Duration::from_secs(120);
/// So long a service knows a key: a day is usual.
const KEY_KNOWN_MS: i64 = 20 * 3_600_000;

/// The clock of the journal, which is the machine's, may be ahead by less than this.
const SET_BACK_MS: i64 = 3_600_000;

impl Dispatcher {
    /// Settles the step of a delivery that is in doubt, as far as it can be settled now, and records what was found.
    pub(super) async fn settle(
        &self,
        pending: &Pending,
        run: Run,
        step: &Step,
        lasting: Duration,
        age: Duration,
    ) -> Result<Settled, store::Error> {
        let finding = self.find(pending, step, lasting).await;
        let settled = doubt::settle(finding, lasting, age);
        let (delivery, trace, action) = (pending.id.to_string(), run.trace, &step.call.function);
        match &settled {
            Settled::Known(answered) => {
                let took_place = answered.as_ref().is_some_and(|answered| answered.succeeded);
                self.store.settle(run, step.number, answered.clone()).await?;
                self.doubts.ended(pending.id);
                tracing::info!(plugin = &*pending.plugin, delivery, %trace, action, took_place, "a doubt is settled");
            }
            Settled::Later(wait, reason) => {
                let wait_ms = wait.as_millis() as u64;
                if self.doubts.goes_on(pending.id, &pending.plugin, lasting) {
                    let (plugin, minutes) = (&*pending.plugin, lasting.as_secs() / 60);
                    // Without the reason, as below.
                    tracing::warn!(
                        plugin,
                        delivery,
                        %trace,
                        action,
                        minutes,
                        "it is still in doubt whether an action took place; what comes behind it in its chat waits"
                    );
                }
                tracing::debug!(
                    plugin = &*pending.plugin,
                    delivery,
                %trace,
                    action,
                    reason,
                    wait_ms,
                    "still in doubt"
                );
            }
            // Without the reason: it can have a path in it, and with that a name.
            Settled::Held(_) => tracing::error!(
                plugin = &*pending.plugin,
                delivery,
                %trace,
                action,
                "it is in doubt whether an action took place: say it with `chatplug held resolve {delivery} --sent` or `--not-sent`"
            ),
        }
        Ok(settled)
    }

    fn limits(&self, plugin: &str) -> Limits {
        self.config.load().plugins.get(plugin).map(|found| found.limits).unwrap_or_default()
    }

    async fn find(&self, pending: &Pending, step: &Step, lasting: Duration) -> Finding {
        let origin = Origin {
            plugin: pending.plugin.clone(),
            delivery: pending.root.0,
            trace: self.store.trace(pending.event_id),
            step: step.number,
            accepted_at_ms: pending.accepted_at_ms,
            answer_bytes: self.limits(&pending.plugin).http_body_bytes,
        };
        let outgoing = step.call.request.as_deref().map(Outgoing::from_json);
        match (step.call.kind, outgoing) {
            (Kind::Call(Effect::LookedUp), Some(Ok(Outgoing::Livechat(call)))) => {
                let services = self.runtime.services();
                match services.livechat.look_up(&origin, &call, step.at_ms).await {
                    Ok(Some(answer)) => Finding::Answered(answered(Answer::Text(answer), true)),
                    Ok(None) => Finding::NoTrace,
                    Err(failure) => unanswered(failure),
                }
            }
            (Kind::Call(Effect::Keyed), Some(Ok(Outgoing::Http(request)))) => {
                if !is_key_known(self.now_ms() - step.at_ms) {
                    return Finding::Unknowable("the service may have forgotten the key by now".to_owned());
                }
                if let Err(reason) = self.may_still(&pending.plugin, &request) {
                    return Finding::Unknowable(reason);
                }
                // By the config of today it would go out without its key.
                match self.runtime.services().connections.effect(&request) {
                    Ok(Effect::Keyed) => self.send_again(&origin, request, lasting < STILL_AT_IT).await,
                    Ok(_) => Finding::Unknowable(
                        "the config no longer says that the service knows keys".to_owned(),
                    ),
                    Err(error) => Finding::Unknowable(error.message),
                }
            }
            (_, Some(Err(error))) => Finding::Unknowable(format!("its record can't be read: {error}")),
            _ => Finding::Unknowable(format!(
                "nothing tells whether {} on {} was done: the service knows no key for it",
                step.call.function, step.call.about
            )),
        }
    }

    /// Whether the operator still lets a plugin make a request: to send it again may be to send it the first time.
    fn may_still(&self, plugin: &str, request: &Request) -> Result<(), String> {
        let config = self.config.load();
        let Some(found) = config.plugins.get(plugin) else {
            return Err(format!(
                "the config no longer has [plugin.{plugin}], for which it would be sent again"
            ));
        };
        let asked = request.asked();
        let asks = BTreeSet::from([asked.capability.to_string()]);
        let allowed = found.policy.allows(plugin, &asks, &asked);
        allowed.map_err(|refusal| format!("it may not be sent again: {}", refusal.text))
    }

    /// With the same key the service answers what it answered before, or does it now.
    async fn send_again(&self, origin: &Origin, request: Request, may_be_at_it: bool) -> Finding {
        let is_at_it = |status| may_be_at_it && matches!(status, 404 | 409 | 425);
        match self.runtime.services().connections.send(origin, request).await {
            // Who may ask at all, and for what, is looked at before any key.
            Ok(response) if is_at_it(response.status) || says_nothing(response.status) => {
                Finding::Unreachable(format!("the service answered HTTP {}", response.status), Duration::ZERO)
            }
            Ok(response) => {
                let succeeded = (200..300).contains(&response.status);
                Finding::Answered(answered(Answer::Http(response), succeeded))
            }
            Err(failure) => unanswered(failure),
        }
    }
}

fn answered(answer: Answer, succeeded: bool) -> Answered {
    Answered { at_ms: Timestamp::now().as_millisecond(), answer, succeeded }
}

/// Whether a status tells of who asks, or of where, and not of the action: a service looks at that before any key, and the
/// operator can mend it. A redirect, taken for the answer, had the plugin do again what was done. All others are the answer:
/// asked for the same thing for hours, a service says the same.
fn says_nothing(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 407 | 408 | 421 | 429 | 500..)
}

/// Whether the service still knows a key that is so old. One that is not even made yet is of before the clock was set back:
/// nobody can say how old it is.
fn is_key_known(age_ms: i64) -> bool {
    (-SET_BACK_MS..=KEY_KNOWN_MS).contains(&age_ms)
}

/// Whether it helps to ask again.
fn unanswered(failure: Failure) -> Finding {
    match failure {
        Failure::Closed { reason, wait } => Finding::Unreachable(reason, wait),
        Failure::Doubt(error) => Finding::Unreachable(error.message, Duration::ZERO),
        Failure::Refused(error) => match error.code {
            // The last: an answer that makes no sense, a redirect for one, says nothing of the action.
            Code::Unavailable | Code::RateLimited | Code::Other => {
                let wait = Duration::from_millis(error.retry_after_ms.unwrap_or(0));
                Finding::Unreachable(error.message, wait)
            }
            _ => Finding::Unknowable(error.message),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Error;

    #[test]
    fn only_what_may_answer_later_is_asked_again() {
        let check = |failure: Failure, is_asked_again: bool| {
            let text = format!("{failure:?}");
            let finding = unanswered(failure);
            assert_eq!(matches!(finding, Finding::Unreachable(..)), is_asked_again, "{text}");
            assert_ne!(matches!(finding, Finding::Unknowable(_)), is_asked_again, "{text}");
        };
        let error = |code| Error::new(code, "why");
        check(Failure::Closed { reason: "open".to_owned(), wait: Duration::from_secs(1) }, true);
        check(Failure::Doubt(error(Code::Unavailable)), true);
        check(Failure::Doubt(error(Code::Limit)), true);
        check(Failure::Refused(error(Code::Unavailable)), true);
        check(Failure::Refused(error(Code::RateLimited)), true);
        check(Failure::Refused(error(Code::Other)), true);
        check(Failure::Refused(error(Code::Denied)), false);
        check(Failure::Refused(error(Code::NotFound)), false);
    }

    #[test]
    fn a_redirect_in_the_place_of_an_answer_says_nothing_of_the_action() {
        assert!([301, 307, 401, 403, 407, 408, 421, 429, 500, 503].into_iter().all(says_nothing));
        assert!(![200, 201, 400, 404, 405, 409, 410, 413, 422].into_iter().any(says_nothing));
    }
}

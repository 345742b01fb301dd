//! What goes wrong at the services, and how often.

use std::time::Duration;

use chatplug::simulator::{Chance, Fault};

use super::stage::Stage;

/// Longer than the host's clients wait for an answer.
const STALL: Duration = Duration::from_secs(25);
/// LiveChat's own limit, within which it answers after all.
const SLOW: Duration = Duration::from_secs(15);
/// Until then a reader doesn't see what was saved behind a 500.
const UNSEEN: Duration = Duration::from_secs(10);
/// Longer than what the host reads.
const LONG: usize = 10 << 20;

/// Has both services fail, from one seed.
pub(super) fn set(stage: &Stage, seed: u64) {
    let mut of_livechat = everywhere(SLOW);
    of_livechat.push(chance("*", Fault::WrongRegion, 2));
    of_livechat.push(chance("send_event", Fault::ErrorAfterSavingUnseen(UNSEEN), 40));
    stage.livechat.faults().set_chances(seed, of_livechat);
    stage.ledger.faults().set_chances(seed.wrapping_add(1), everywhere(STALL));
}

/// `latest` is how long after it came a request is carried out at the latest. A service that is asked again with the same
/// key may take any time; of LiveChat it is known that it gives up after its own limit, and a look-up relies on that.
fn everywhere(latest: Duration) -> Vec<Chance> {
    let busy =
        |retry_after: Option<&str>| Fault::TooManyRequests { retry_after: retry_after.map(str::to_owned) };
    let all = [
        // Seldom: each stops everything for seconds, and what gets into doubt is what counts here.
        (busy(None), 1),
        (busy(Some("1")), 1),
        (busy(Some("-5")), 1),
        (busy(Some("soon")), 1),
        (busy(Some("Wed, 21 Oct 2015 07:28:00 GMT")), 1),
        (Fault::ErrorBeforeSaving, 40),
        (Fault::ErrorAfterSaving, 40),
        (Fault::CutReply, 40),
        (Fault::Down, 10),
        (Fault::LongReply(LONG), 2),
        (Fault::Redirect("http://169.254.169.254/latest/meta-data/".to_owned()), 2),
        (Fault::Unauthorized, 1),
        (Fault::StallBeforeSaving(Some(SLOW)), 1),
        (Fault::StallBeforeSaving(Some(latest)), 1),
        (Fault::StallAfterSaving(Some(STALL)), 1),
        (Fault::Drip(Duration::from_secs(1)), 1),
    ];
    all.map(|(fault, per_mille)| chance("*", fault, per_mille)).to_vec()
}

fn chance(operation: &str, fault: Fault, per_mille: u32) -> Chance {
    Chance { operation: operation.to_owned(), fault, per_mille }
}

//! How a cycle ends.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::bail;
use chatplug::crash_point::{CrashPoint, VARIABLE};
use chatplug::journal::LOOK_UP_COUNTS_AFTER;
use fastrand::Rng;
use tokio::time::Instant;

use super::Report;
use crate::{Host, Signal};

/// The places that the host has, and up to which time they are passed that it ends there, for each `LIFE` that it
/// may live. Not [`CrashPoint::InRetention`]: nothing is old enough here, see `keeping`. Nor [`CrashPoint::InShortening`]: no
/// log becomes long enough, see `restart`.
pub const PLACES: &[(CrashPoint, u32)] = &[
    (CrashPoint::AfterReceive, 20),
    (CrashPoint::BeforeCommit, 30),
    (CrashPoint::AfterCommit, 30),
    (CrashPoint::AfterIntent, 60),
    (CrashPoint::AfterRequest, 60),
    (CrashPoint::InCheckpoint, 2),
];
/// Cycles until each place was to be passed once, and the host was stopped and killed.
pub(super) const EACH_WAY: usize = PLACES.len() + 3;
/// Each so many-th host lives long enough to settle what it found in doubt, and is killed soon after.
const LONG_EVERY: usize = 40;
/// A life in which each place is passed some dozen times.
const LIFE: Duration = Duration::from_millis(900);
/// How long a host that is to end where it passes a place for a later time may take to come there, for each [`LIFE`] that
/// it may live. In the end the first time has [`LONGEST`]: all chats may wait until what their actions did can be looked up.
const TO_COME_THERE: Duration = Duration::from_secs(5);
/// The longest that a host may take to pass its place for the first time, on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(60);
/// How much less often the next host is to pass a place that one did not come to.
const SOONER: u32 = 4;

/// What is said of a host that was to end at a place and came there before it listened.
const ABORTED: &str = "signal: 6";

/// How a cycle ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// `kill -9` when the host has lived this long.
    Kill(Duration),
    /// The host ends by itself where it passes a place for the so many-th time, if it comes there within a time.
    At(CrashPoint, u32, Duration),
    /// The host is asked to stop when it has lived this long.
    Stop(Duration),
}

impl Ending {
    /// The first cycles go through the places, one after the other, and then stop and kill; later ones draw.
    pub(super) fn draw(rng: &mut Rng, cycle: usize, life: Duration) -> Ending {
        let (point, times) = match PLACES.get(cycle) {
            Some(place) => *place,
            None if cycle == PLACES.len() => return Ending::Stop(life.mul_f64(rng.f64())),
            None if cycle < EACH_WAY => return Ending::Kill(life.mul_f64(rng.f64())),
            None if cycle % LONG_EVERY == LONG_EVERY - 1 => {
                return Ending::Kill(LOOK_UP_COUNTS_AFTER + life.mul_f64(rng.f64() * 5.0));
            }
            None => match rng.u32(..20) {
                0 => return Ending::Stop(life.mul_f64(rng.f64())),
                1..10 => return Ending::Kill(life.mul_f64(rng.f64())),
                _ => PLACES[rng.usize(..PLACES.len())],
            },
        };
        let lives = life.div_duration_f64(LIFE).max(1.0);
        Ending::At(point, rng.u32(1..=(f64::from(times) * lives) as u32), TO_COME_THERE.mul_f64(lives))
    }

    /// About how long messages are to come.
    pub(super) fn span(&self, life: Duration) -> Duration {
        match self {
            Ending::Kill(after) | Ending::Stop(after) => (*after).max(life / 4),
            Ending::At(..) => life,
        }
    }

    /// Starts the host; false if it has ended already, where it was to end.
    pub(super) fn start(&self, host: &mut Host, report: &mut Report) -> anyhow::Result<bool> {
        let plan = match self {
            Ending::At(point, time, _) => Some(format!("{}:{time}", point.as_str())),
            Ending::Kill(_) | Ending::Stop(_) => None,
        };
        host.set_env(VARIABLE, plan.as_deref());
        match (host.try_run(), self) {
            (Ok(()), _) => Ok(true),
            (Err(error), Ending::At(point, ..)) if error.to_string().contains(ABORTED) => {
                report.ended(point.as_str());
                Ok(false)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The same place, passed less often, for a host that did not come there in time. None if it was to end there the first
    /// time, and had the longest: that is told.
    pub(super) fn sooner(&self, report: &mut Report) -> Option<Ending> {
        let Ending::At(point, times, patience) = self else { return None };
        match times / SOONER {
            0 if *times == 1 && *patience == LONGEST => {
                report.not_reached(point.as_str());
                None
            }
            0 | 1 => Some(Ending::At(*point, 1, LONGEST)),
            fewer => Some(Ending::At(*point, fewer, *patience)),
        }
    }

    /// Waits until the host has ended in this way; false if it was killed instead, because it did not come to its place.
    pub(super) async fn come(&self, host: &mut Host, report: &mut Report) -> anyhow::Result<bool> {
        match self {
            Ending::Kill(after) => {
                tokio::time::sleep(*after).await;
                expect(host.kill(), Signal::KILL, host)?;
                report.ended("kill -9");
            }
            Ending::Stop(after) => {
                tokio::time::sleep(*after).await;
                if !host.stop() {
                    bail!("the host did not stop well:\n{}", host.log_end());
                }
                report.ended("stop");
            }
            Ending::At(point, _, patience) => match ended_by_itself(host, *patience).await {
                Some(status) => {
                    expect(Some(status), Signal::ABORT, host)?;
                    report.ended(point.as_str());
                }
                None => {
                    expect(host.kill(), Signal::KILL, host)?;
                    report.ended("kill -9");
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }
}

async fn ended_by_itself(host: &mut Host, patience: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Some(status) = host.ended() {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    None
}

/// A host that ended in another way than it was to end has failed.
fn expect(status: Option<ExitStatus>, signal: Signal, host: &Host) -> anyhow::Result<()> {
    match status {
        Some(status) if status.signal() == Some(signal.as_raw()) => Ok(()),
        Some(status) => bail!("the host ended by itself ({status}):\n{}", host.log_end()),
        None => bail!("the host was not running:\n{}", host.log_end()),
    }
}

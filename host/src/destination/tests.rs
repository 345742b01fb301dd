use std::time::Duration;

use super::breaker::State;
use super::parking::Trial;
use super::*;

mod breaker;
mod gate;
mod pace;
mod parking;
mod reads;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

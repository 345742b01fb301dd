//! One GET at a time, for what the host tells of itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context;
use chatplug_tests::Host;

/// The status and the body of a page.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has a head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("it has a status")?;
    Ok((status, body.to_owned()))
}

/// What the host measures, as Prometheus reads it.
pub(crate) fn metrics(host: &Host) -> anyhow::Result<String> {
    let address = std::fs::read_to_string(host.data().join("operator"))?.trim().parse()?;
    let (status, metrics) = get(address, "/metrics")?;
    anyhow::ensure!(status == 200, "the host answers {status}: {metrics}");
    Ok(metrics)
}

/// The buckets of a histogram in Prometheus' form: upper bound in seconds, and how many were at most that.
pub(crate) fn buckets(metrics: &str, name: &str) -> Vec<(f64, f64)> {
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.split_once("\"} ")?;
        Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?))
    };
    metrics.lines().filter_map(bucket).collect()
}

/// Within which bounds a share of what was measured ends.
pub(crate) fn within(buckets: &[(f64, f64)], share: f64) -> String {
    let all = buckets.last().map_or(0.0, |(_, count)| *count);
    let place = buckets.iter().position(|(_, count)| *count >= all * share).unwrap_or(0);
    let lower = place.checked_sub(1).map_or(0.0, |before| buckets[before].0);
    let upper = buckets.get(place).map_or(0.0, |(bound, _)| *bound);
    format!("{} to {} ms", lower * 1e3, upper * 1e3)
}

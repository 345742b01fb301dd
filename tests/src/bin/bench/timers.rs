//! How late timers become events while webhooks come in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chatplug_tests::{Host, guest};
use rusqlite::{Connection, params};

use super::load::Load;
use super::{CONNECTIONS, NO_OP, started, wait_until_done};

/// Timers, one after the other within the time of the load: as many as a plugin may have at once before it is paced.
const TIMERS: i64 = 1_000;
/// Webhooks, and how many in a second.
const WEBHOOKS: usize = 30_000;
const PACE: f64 = 2_000.0;
/// The first timer is due this long after the start, the last one that long, milliseconds.
const WITHIN_MS: (i64, i64) = (3_000, 13_000);

/// Sets timers in a stopped host's store, starts it, and posts webhooks meanwhile.
pub(crate) fn measure() -> anyhow::Result<()> {
    let mut host = started(Host::prepared(NO_OP, &[guest("guest_no_op")]));
    host.wait_for_plugin("no-op", "active");
    host.stop();
    set(&host)?;
    host.run();
    host.wait_for_plugin("no-op", "active");
    let load = Load { address: host.address(), connections: CONNECTIONS, bytes: 400, pace: Some(PACE) };
    let report = load.run(0..WEBHOOKS)?;
    wait_until_done(&host)?;
    let late = late(&host)?;
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
    println!(
        "{} timers within 10 s, at {PACE} webhooks a second ({report}): late by p50 {} ms, p99 {} ms, at most {} ms",
        late.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

fn set(host: &Host) -> anyhow::Result<()> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut store = Connection::open(host.data().join("chatplug.db"))?;
    let transaction = store.transaction()?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO timers (plugin, chat, key, due_at, set_at, payload) VALUES ('no-op', ?1, 'a', ?2, ?3, 'null')",
        )?;
        for number in 0..TIMERS {
            let due_ms = now_ms + WITHIN_MS.0 + number * (WITHIN_MS.1 - WITHIN_MS.0) / TIMERS;
            insert.execute(params![format!("CH{number:06}"), due_ms, now_ms])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// How late each timer became an event, milliseconds, in order; once all have.
fn late(host: &Host) -> anyhow::Result<Vec<i64>> {
    let store = Connection::open(host.data().join("chatplug.db"))?;
    loop {
        let mut select = store
            .prepare("SELECT received_at - occurred_at FROM events WHERE type = 'timer' ORDER BY received_at - occurred_at")?;
        let late = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        if late.len() as i64 >= TIMERS {
            return Ok(late);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

//! What webhooks feel while the host removes what is old, or forgets a chat.

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::ensure;
use chatplug_tests::Host;
use rusqlite::{Connection, OpenFlags, params};

use super::ask::{buckets, metrics, within};
use super::awake::Awake;
use super::filled::fill;
use super::load::Load;
use super::started;

/// Events in the store, all finished: every tenth has a journal, and every ten thousandth one of 4 MB.
const STORED: i64 = 200_000;
/// The first so many of them belong to the chat that is forgotten.
const OF_CHAT: i64 = 100_000;
const CHAT: &str = "CHFORGOTTEN";
/// Webhooks in a second, and for how many seconds at most.
const PACE: usize = 500;
const SECONDS: usize = 20;
/// Older than everything that retention keeps of an event by default.
const OLD_MS: i64 = 40 * 24 * 3600 * 1000;
const COMMITS: &str = "chatplug_store_commit_seconds";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Retention,
    Forgetting,
}

/// Posts webhooks beside a store that is left alone, one that retention works on, and one in which a chat is forgotten.
pub(crate) fn measure() -> anyhow::Result<()> {
    let _awake = Awake::begin();
    for (name, beside) in [
        ("nothing", Beside::Nothing),
        ("retention", Beside::Retention),
        ("`chatplug forget --chat`", Beside::Forgetting),
    ] {
        println!("at {PACE} webhooks/s beside {name}: {}", answers(beside)?);
    }
    Ok(())
}

fn answers(beside: Beside) -> anyhow::Result<String> {
    let host = Host::prepared("", &[]);
    fill(&host.data(), STORED as usize, 0)?;
    prepare(&host.data(), beside)?;
    let host = started(host);
    let load = Load { address: host.address(), connections: 64, bytes: 400, pace: Some(PACE as f64) };
    let (before, commits) = (left(&host)?, buckets(&metrics(&host)?, COMMITS));
    let forgetting = (beside == Beside::Forgetting).then(|| forget(&host));
    let mut report = load.run(0..PACE)?;
    for second in 1..SECONDS {
        if forgetting.as_ref().is_some_and(JoinHandle::is_finished) {
            break;
        }
        report.append(load.run(second * PACE..(second + 1) * PACE)?);
    }
    let commits: Vec<(f64, f64)> = buckets(&metrics(&host)?, COMMITS)
        .into_iter()
        .zip(commits)
        .map(|((bound, count), (_, before))| (bound, count - before))
        .collect();
    let after = left(&host)?;
    let mut text = format!(
        "{report}; a commit: p99 {}, the longest {}; {} events lost their content meanwhile, {} were removed whole, {} are left",
        within(&commits, 0.99),
        within(&commits, 1.0),
        before.1 - after.1,
        before.0 - after.0,
        after.0
    );
    if let Some(forgetting) = forgetting {
        let took = forgetting.join().expect("the thread that waits for the command does not panic")?;
        text.push_str(&format!("; forgetting took {took:.1?}"));
    }
    Ok(text)
}

/// Gives the events of a filled store their journals, and makes them old, or those of one chat.
fn prepare(data: &Path, beside: Beside) -> anyhow::Result<()> {
    let store = Connection::open(data.join("chatplug.db"))?;
    store.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -256000; BEGIN IMMEDIATE;
         INSERT INTO journals (delivery, version, began_at, seed, next)
            SELECT id, 'v', accepted_at, 0, 1 FROM deliveries WHERE id % 10 = 0;
         WITH RECURSIVE numbers(n) AS MATERIALIZED (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200)
         INSERT INTO steps (delivery, number, kind, function, arguments, about, at, answered_at, answer, succeeded)
            SELECT id, n, 'keyed', 'http.send', x'00', 'crm', accepted_at, accepted_at,
                printf('\"%.*c\"', iif(id % 10000 = 0, 20000, 1000), 'x'), 1
            FROM deliveries CROSS JOIN numbers WHERE id % 10 = 0 AND n <= iif(id % 10000 = 0, 200, 3);",
    )?;
    match beside {
        Beside::Nothing => {}
        Beside::Retention => {
            for sql in [
                "UPDATE events SET received_at = received_at - ?1, occurred_at = occurred_at - ?1",
                "UPDATE deliveries SET accepted_at = accepted_at - ?1, due_at = due_at - ?1, ended_at = ended_at - ?1",
                "UPDATE dedupe SET at = at - ?1",
            ] {
                store.execute(sql, [OLD_MS])?;
            }
        }
        Beside::Forgetting => {
            store.execute("UPDATE events SET chat_id = ?1 WHERE id <= ?2", params![CHAT, OF_CHAT])?;
        }
    }
    store.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// Begins to forget the chat; answers how long the command took.
fn forget(host: &Host) -> JoinHandle<anyhow::Result<Duration>> {
    let mut command = host.command();
    command.args(["forget", "--chat", CHAT]);
    thread::spawn(move || {
        let began = Instant::now();
        let output = command.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(began.elapsed())
    })
}

/// How many of the stored events are left, and how many of them with their content.
fn left(host: &Host) -> anyhow::Result<(i64, i64)> {
    let store =
        Connection::open_with_flags(host.data().join("chatplug.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT count(*), count(*) FILTER (WHERE removed IS NULL) FROM events WHERE id <= ?1";
    Ok(store.query_row(sql, [STORED], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

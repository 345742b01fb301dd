//! A store that holds much already, written directly: the door would take an hour for it.

use std::path::Path;

use chatplug::store::Store;
use rusqlite::{Connection, params};

/// Messages in each chat of the store.
const IN_CHAT: usize = 50;

/// Makes the store of a data folder and fills it with messages; `pending` of them wait for the plugin `no-op`, the
/// others were handled by it. They are as the door would have stored them a minute ago.
pub(crate) fn fill(data: &Path, events: usize, pending: usize) -> anyhow::Result<()> {
    Store::open(data)?.close();
    let connection = Connection::open(data.join("chatplug.db"))?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -256000; BEGIN IMMEDIATE")?;
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64 - 60_000;
    // The chats' names are not those of the load: what is posted later is new, and stands between them.
    let numbers = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {events}),
         messages AS (SELECT n, printf('CH%07d', n / {IN_CHAT}) AS chat FROM numbers)"
    );
    connection.execute(
        &format!(
            "{numbers} INSERT INTO events (id, type, source, organization, occurred_at, received_at, chat_id, thread_id,
                possible_duplicate, payload, extra, original)
             SELECT n + 1, 'incoming_event', 'livechat', 'org-1', ?1, ?1, chat, chat || 'T', 0,
                printf('{{\"chat_id\":\"%s\",\"thread_id\":\"%sT\",\"event\":{{\"id\":\"%s_%d\",\"type\":\"message\",\"text\":\"%.*c\"}}}}',
                    chat, chat, chat, n, 150, 'x'),
                '{{\"additional_data\":{{}},\"webhook_id\":\"wh_1\",\"wire\":\"v3\"}}', '' FROM messages"
        ),
        [now_ms],
    )?;
    connection.execute(
        &format!(
            "{numbers} INSERT INTO dedupe (key, at)
             SELECT chat || ' ' || chat || 'T incoming_event ' || chat || '_' || printf('%08d', n), ?1 FROM messages"
        ),
        [now_ms],
    )?;
    connection.execute(
        &format!(
            "{numbers} INSERT INTO deliveries (event, plugin, lane, state, accepted_at, due_at, attempts, runs, outcome, ended_at)
             SELECT n + 1, 'no-op', 'chat ' || chat, iif(n < ?2, 'pending', 'succeeded'), ?1, ?1, n >= ?2, n >= ?2,
                iif(n < ?2, NULL, 'handled'), iif(n < ?2, NULL, ?1) FROM messages"
        ),
        params![now_ms, pending as i64],
    )?;
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

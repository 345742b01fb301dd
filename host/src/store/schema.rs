//! The tables, and how an older store becomes a current one.

use rusqlite::Connection;

use super::Error;
use super::log::LENGTH_KEPT;
use crate::event::trace_id::TraceIds;

/// SQLite's number for "free pages are given back when asked".
const AUTO_VACUUM_INCREMENTAL: i64 = 2;

/// Schema number N is the result of the first N steps. A step is never changed once released.
const STEPS: &[&str] = &[STEP_1, STEP_2];
/// The newest schema that this program knows.
pub(super) const KNOWN: usize = STEPS.len();

// Ids grow in the order of acceptance. The pending indexes are partial: finished work costs them nothing.
const STEP_1: &str = "
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    organization TEXT,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    chat_id TEXT,
    thread_id TEXT,
    possible_duplicate INTEGER NOT NULL,
    payload TEXT NOT NULL,
    extra TEXT NOT NULL,
    original TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_chat ON events (chat_id, id) WHERE chat_id IS NOT NULL;

CREATE TABLE dedupe (
    key TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ratings (
    chat_id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    history TEXT NOT NULL,
    PRIMARY KEY (chat_id, thread_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    lane TEXT,
    state TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    version TEXT,
    outcome TEXT,
    reason TEXT,
    log TEXT,
    ended_at INTEGER
) STRICT;
CREATE INDEX deliveries_of_event ON deliveries (event);
CREATE INDEX deliveries_pending ON deliveries (plugin, id) WHERE state = 'pending';
CREATE INDEX deliveries_pending_in_lane ON deliveries (plugin, lane, id) WHERE state = 'pending' AND lane IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

CREATE TABLE memory (
    plugin TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER,
    claimed_by INTEGER,
    PRIMARY KEY (plugin, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_expiring ON memory (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE memory_use (
    plugin TEXT PRIMARY KEY,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_status (
    position INTEGER PRIMARY KEY,
    status TEXT NOT NULL
) STRICT;

CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE good_versions (
    plugin TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    file TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

// What makes a run repeatable (`journals`, `steps`), who owns the store since when (`starts`), and what operators
// did (`audit`), and what the host's own calls come back as (`own_events`: a mark is the id of a chat event, or an
// event type). A delivery that comes back from being held or dead gets a new number, behind what its lane has
// now; `root` is the number that it had first.
const STEP_2: &str = "
CREATE TABLE starts (
    epoch INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    alive_at INTEGER NOT NULL
) STRICT;

ALTER TABLE deliveries ADD COLUMN root INTEGER;
ALTER TABLE deliveries ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN set_at INTEGER;
CREATE INDEX deliveries_held ON deliveries (id) WHERE state = 'held';

CREATE TABLE journals (
    delivery INTEGER PRIMARY KEY,
    version TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    next INTEGER NOT NULL,
    anew INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE steps (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    function TEXT NOT NULL,
    arguments BLOB NOT NULL,
    once TEXT,
    about TEXT NOT NULL,
    request TEXT,
    at INTEGER NOT NULL,
    answered_at INTEGER,
    answer TEXT,
    succeeded INTEGER NOT NULL DEFAULT 0,
    aside INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE visits (
    chat_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    PRIMARY KEY (chat_id, agent_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT,
    after TEXT
) STRICT;

ALTER TABLE events ADD COLUMN own TEXT;

CREATE TABLE own_events (
    chat_id TEXT NOT NULL,
    mark TEXT NOT NULL,
    plugin TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (chat_id, mark)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_events_at ON own_events (at);

CREATE TABLE incidents (
    key TEXT PRIMARY KEY,
    incident TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_dead_by_time ON deliveries (ended_at) WHERE state = 'dead';

CREATE TABLE identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    salt INTEGER NOT NULL
) STRICT;
INSERT INTO identity (id, salt) VALUES (1, random());

CREATE INDEX memory_claimed ON memory (claimed_by) WHERE claimed_by IS NOT NULL;
CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_loses_its_oldest_entry_only BEFORE DELETE ON audit WHEN old.id > (SELECT min(id) FROM audit) BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: only its oldest entry can go');
END;

-- Retention and erasure. `removed` says why an event has no content any more: 'retention' or 'forgotten'. `sweeps`
-- says how far each job of retention has come; `spared` are the events that it passed because they are unfinished,
-- held or dead letters.
ALTER TABLE events ADD COLUMN removed TEXT;
ALTER TABLE ratings ADD COLUMN heard_at INTEGER;
UPDATE ratings SET heard_at = unixepoch() * 1000;
CREATE TABLE sweeps (
    job TEXT PRIMARY KEY,
    position ANY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE spared (
    event INTEGER PRIMARY KEY
) STRICT;

-- Calls of plugins that were not simply made, counted by minute.
CREATE TABLE decisions (
    minute INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    capability TEXT NOT NULL,
    why TEXT NOT NULL,
    count INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    PRIMARY KEY (minute, plugin, capability, why)
) STRICT, WITHOUT ROWID;

-- Where an attempt was that did not return, and what it had used of its limits: JSON.
ALTER TABLE deliveries ADD COLUMN crash TEXT;

-- What is known of the versions of each plugin: when each was active last, whether it has proved itself or was
-- approved, and whether it was taken back (`bad`: by whom, nobody's name meaning the host itself). `version_log` tells
-- the operator how it went.
CREATE TABLE versions (
    plugin TEXT NOT NULL,
    hash TEXT NOT NULL,
    release TEXT NOT NULL,
    asks TEXT NOT NULL,
    active_at INTEGER,
    proved_at INTEGER,
    approved_at INTEGER,
    strikes INTEGER NOT NULL DEFAULT 0,
    bad_at INTEGER,
    bad_by TEXT,
    bad_why TEXT,
    PRIMARY KEY (plugin, hash)
) STRICT, WITHOUT ROWID;
INSERT INTO versions (plugin, hash, release, asks, active_at, proved_at)
    SELECT plugin, hash, '', '[]', since, since FROM good_versions;
CREATE TABLE version_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    release TEXT NOT NULL,
    what TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX version_log_of_plugin ON version_log (plugin, id);

-- How far each schedule has come; timers that wait (`chat` is empty for one that belongs to the plugin), and the events
-- that others have become: `withdrawn` ones are not to be delivered.
CREATE TABLE schedules (
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    rule TEXT NOT NULL,
    done_to INTEGER NOT NULL,
    PRIMARY KEY (plugin, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE timers (
    plugin TEXT NOT NULL,
    chat TEXT NOT NULL,
    key TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    thread_id TEXT,
    payload TEXT NOT NULL,
    PRIMARY KEY (plugin, chat, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_due ON timers (due_at);
CREATE INDEX timers_of_chat ON timers (chat);
CREATE TABLE fired_timers (
    delivery INTEGER PRIMARY KEY,
    plugin TEXT NOT NULL,
    chat TEXT NOT NULL,
    key TEXT NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX fired_timers_of_key ON fired_timers (plugin, chat, key);
ALTER TABLE memory_use ADD COLUMN timers INTEGER NOT NULL DEFAULT 0;

-- What no webhook brought and LiveChat was asked for: `recovered` events; dedupe keys of `listed` ones, where the type has
-- no natural key; and the outage in which webhooks may have been lost, until it was looked what was missed.
ALTER TABLE events ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dedupe ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE outage (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    began_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL
) STRICT;

-- Files that plugins publish, a row for each version that is kept: the newest of a name has the greatest number, which
-- is never used again. `content` stands last, so that what lists files doesn't read it. A token is a link to the newest
-- version of one file; only its digest is here.
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE INDEX files_of_name ON files (plugin, name, id);
CREATE INDEX files_at ON files (at);
CREATE TABLE file_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;
CREATE INDEX file_tokens_of_name ON file_tokens (plugin, name);
ALTER TABLE memory_use ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 0;

-- Since when no version is there of the file that a token is a link to.
ALTER TABLE file_tokens ADD COLUMN missing_since INTEGER;
-- When a start was last known to be alive, by the machine's clock, which goes on while the machine sleeps. NULL after a
-- restore: what was missed since the backup is no outage.
ALTER TABLE starts ADD COLUMN seen_at INTEGER;

-- When the machine slept, or its clock was set forward: nothing waited meanwhile.
CREATE TABLE pauses (
    began_at INTEGER PRIMARY KEY,
    ended_at INTEGER NOT NULL
) STRICT;

-- Deliveries that ran, and in which run, each time when the process ended without having been told to.
CREATE TABLE suspects (
    delivery INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    ends INTEGER NOT NULL
) STRICT;
";

/// Sets a write connection up and brings the tables up to date.
pub(super) fn prepare(connection: &Connection) -> Result<(), Error> {
    check(connection)?;
    let is_new = connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? == 0;
    connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    // Checkpoints run on their own thread: inside a commit they would stretch it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LENGTH_KEPT)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    // What is deleted is overwritten where its page is written anyway. A page that becomes free whole keeps it until it
    // is used again, or given back.
    connection.query_row("PRAGMA secure_delete = FAST", [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(128);
    if !is_new {
        make_shrinkable(connection)?;
    }
    let from = version(connection)?;
    for (number, step) in STEPS.iter().enumerate().skip(from) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step} PRAGMA user_version = {}; COMMIT;",
            number + 1
        ))?;
    }
    Ok(())
}

/// A file that was made without pages to be given back gets them; it has to be written anew for that, once.
fn make_shrinkable(connection: &Connection) -> Result<(), Error> {
    let found: i64 = connection.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
    if found != AUTO_VACUUM_INCREMENTAL {
        tracing::info!("writing the store anew, once, so that it can shrink");
        connection.execute_batch("VACUUM")?;
    }
    Ok(())
}

/// Refuses a store that a newer program has written.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    let found = version(connection)?;
    if found > KNOWN {
        return Err(Error::Newer { found: found as i64, known: KNOWN as i64 });
    }
    Ok(())
}

pub(super) fn version(connection: &Connection) -> Result<usize, Error> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// The traces of the events of this store.
pub(super) fn traces(connection: &Connection) -> Result<TraceIds, Error> {
    let salt: i64 = connection.query_row("SELECT salt FROM identity", [], |row| row.get(0))?;
    Ok(TraceIds::new(salt.cast_unsigned()))
}

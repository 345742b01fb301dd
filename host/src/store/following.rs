//! What is stored goes along when the store's clock is set: what is left of a wait stays left.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{Error, Step, Store};

/// Deliveries that are brought in line in one commit.
const CARRIED_AT_ONCE: i64 = 500;
/// How long until it is tried again to write what goes along with the clock.
const RETRY: Duration = Duration::from_secs(1);
/// Pauses that wait to be kept.
const PAUSES_MAX: usize = 64;

impl Store {
    /// Has the store's clock follow the machine's, see [`Clock::steady`](super::Clock::steady), and all waits with it; to be
    /// called every few seconds, by one. The step, if the clock was set.
    ///
    /// # Errors
    /// See [`Error`]: nothing was set, and it is tried again the next time.
    pub async fn follow_clock(&self) -> Result<Option<Step>, Error> {
        self.notice_sleep();
        self.keep_pauses().await?;
        let Some(due) = self.clock.due() else { return Ok(None) };
        if due.is_forward() {
            // Before: by the clock that will be, what waits has been due for long. It may be done twice.
            self.carry_timers(due).await?;
            self.carry_deliveries(due).await?;
            self.pause((due.at_ms, due.at_ms.saturating_add(due.by_ms)));
        }
        let Some(step) = self.clock.set(due.by_ms) else { return Ok(None) };
        // Again if forward, for what was set meanwhile. If back, once, and until it is done: timers would fire at once if it
        // were done before, and wait for too long without it. Deliveries are brought in line when they are loaded.
        while let Err(error) = self.carry_timers(step).await {
            tracing::error!(%error, "cannot bring the timers in line with the clock; trying again");
            if matches!(error, Error::Closed) {
                return Err(error);
            }
            tokio::time::sleep(RETRY).await;
        }
        if step.is_forward() {
            self.carry_deliveries(step).await?;
        }
        self.timers_changed.notify_one();
        self.keep_pauses().await?;
        Ok(Some(step))
    }

    /// Looks whether the machine has slept: while it did nothing waited.
    pub(super) fn notice_sleep(&self) {
        if let Some(pause) = self.clock.look() {
            tracing::info!(seconds = (pause.1 - pause.0) / 1_000, "the machine slept");
            self.pause(pause);
        }
    }

    fn pause(&self, pause: (i64, i64)) {
        self.uptime.rcu(|uptime| uptime.without(pause));
        let mut pauses = self.pauses.lock().expect("nothing panics while it holds the list");
        if pauses.len() < PAUSES_MAX {
            pauses.push(pause);
        }
    }

    /// The next start has to know of them too.
    async fn keep_pauses(&self) -> Result<(), Error> {
        let pauses = self.pauses.lock().expect("nothing panics while it holds the list").clone();
        if pauses.is_empty() {
            return Ok(());
        }
        let count = pauses.len();
        self.write(move |group| {
            let sql = "INSERT OR REPLACE INTO pauses (began_at, ended_at) VALUES (?1, ?2)";
            let mut insert = group.connection.prepare_cached(sql)?;
            pauses.iter().try_for_each(|pause| insert.execute([pause.0, pause.1]).map(|_| ()))
        })
        .await?;
        self.pauses.lock().expect("nothing panics while it holds the list").drain(..count);
        Ok(())
    }

    async fn carry_timers(&self, step: Step) -> Result<(), Error> {
        let sql = format!("UPDATE timers SET {CARRY} WHERE set_at <= ?1");
        self.write(move |group| group.connection.execute(&sql, [step.at_ms, step.by_ms]).map(|_| ())).await
    }

    /// What waits for a retry. In memory it goes along by itself; this is for those who read the table, and for the next
    /// start. Only if the clock is set forward: else what was set after the step can't be told from what was set before.
    async fn carry_deliveries(&self, step: Step) -> Result<(), Error> {
        loop {
            let waiting = self.read(move |connection| waiting(connection, step)).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            self.write(move |group| {
                let sql = format!(
                    "UPDATE deliveries SET {CARRY} WHERE id = ?3 AND state = 'pending' AND due_at > ?1
                        AND coalesce(set_at, accepted_at) <= ?1"
                );
                let mut update = group.connection.prepare_cached(&sql)?;
                let mut carry = |id: &i64| update.execute(params![step.at_ms, step.by_ms, id]).map(|_| ());
                waiting.iter().try_for_each(&mut carry)
            })
            .await?;
        }
    }
}

/// [`Step::carry`] in SQL; the order in which columns are named doesn't matter to it.
const CARRY: &str =
    "due_at = CASE WHEN due_at > ?1 THEN due_at + ?2 ELSE min(due_at, ?1 + ?2) END, set_at = ?1 + ?2";

/// Deliveries that wait for a retry that was set before a step, some of them.
fn waiting(connection: &Connection, step: Step) -> rusqlite::Result<Vec<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT id FROM deliveries INDEXED BY deliveries_pending
         WHERE state = 'pending' AND due_at > ?1 AND coalesce(set_at, accepted_at) <= ?1 LIMIT ?2",
    )?;
    select.query_map([step.at_ms, CARRIED_AT_ONCE], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests;

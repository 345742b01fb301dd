//! What runs, in a file of its own: nobody records a run that ends the process, by taking all memory or by a fault of ours,
//! and it would end it again at each start.
//!
//! The file is written without a sync when a run begins: it survives the end of the process, and needs to survive no
//! more. A run that has ended needs no line in it, since the number of its next one differs. At a start, what is marked and
//! still to be done ran when the process ended without having been told to. Deliveries that did so several times in a row
//! are kept apart, and given up in the end.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Error, Store};
use crate::delivery::{DeliveryId, suspect};
use crate::event::EventId;

/// Of a run: the delivery and the number of the run, eight bytes each.
const MARK_BYTES: usize = 16;
/// More runs at the same time than there can be.
const MARKS_MAX: usize = 4_096;

/// The file, and which of its places are taken.
pub(super) struct Running {
    file: File,
    places: Mutex<Places>,
    /// The plugins of the deliveries that were given up when the store was opened.
    given_up: Vec<String>,
}

#[derive(Default)]
struct Places {
    free: Vec<u64>,
    count: u64,
    /// The host ends: what runs from now on is not to blame for that.
    is_over: bool,
}

/// A run goes on as long as this is kept.
pub struct Mark<'a> {
    running: &'a Running,
    place: u64,
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.running.lock().free.push(self.place);
    }
}

impl Running {
    /// Opens the file of a data folder. What ran when the process before ended is in `suspects` from then on.
    pub(super) fn open(data_dir: &Path, connection: &Connection, now_ms: i64) -> Result<Running, Error> {
        let path = data_dir.join("running");
        let at = || super::at(&path);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let file = file.open(&path).map_err(at())?;
        let mut content = vec![0; MARK_BYTES * MARKS_MAX];
        let length = file.read_at(&mut content, 0).map_err(at())?;
        let marks: Vec<(i64, i64)> = content[..length].chunks_exact(MARK_BYTES).map(read).collect();
        let mut given_up = Vec::new();
        if !marks.is_empty() {
            given_up = suspect_all(connection, &marks, now_ms)?;
            file.set_len(0).map_err(at())?;
        }
        Ok(Running { file, places: Mutex::default(), given_up })
    }

    fn mark(&self, delivery: DeliveryId, run: u32) -> Mark<'_> {
        let (place, is_over) = {
            let mut places = self.lock();
            let free = places.free.pop();
            let place = free.unwrap_or_else(|| {
                places.count += 1;
                places.count - 1
            });
            (place, places.is_over)
        };
        let mut mark = [0; MARK_BYTES];
        mark[..8].copy_from_slice(&delivery.0.to_le_bytes());
        mark[8..].copy_from_slice(&i64::from(run).to_le_bytes());
        // Without it a run that ends the process isn't known: that is no reason not to make it.
        let written = if is_over { Ok(()) } else { self.file.write_all_at(&mark, place * MARK_BYTES as u64) };
        if let Err(error) = written {
            tracing::debug!(%error, "cannot mark what runs");
        }
        Mark { running: self, place }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().expect("nothing panics while it holds the places")
    }
}

fn read(mark: &[u8]) -> (i64, i64) {
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("half a mark has eight bytes"));
    (number(&mark[..8]), number(&mark[8..]))
}

/// Counts the end of the process against what ran then. The plugins of what is given up by it.
fn suspect_all(connection: &Connection, marks: &[(i64, i64)], now_ms: i64) -> Result<Vec<String>, Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let counted = count_all(connection, marks, now_ms);
    connection.execute_batch(if counted.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    Ok(counted?)
}

fn count_all(connection: &Connection, marks: &[(i64, i64)], now_ms: i64) -> rusqlite::Result<Vec<String>> {
    let before = |&(delivery, run): &(i64, i64)| -> rusqlite::Result<Option<(i64, i64, u32)>> {
        let sql = "SELECT coalesce((SELECT ends FROM suspects WHERE delivery = id AND run = runs), 0) FROM deliveries
            WHERE id = ?1 AND runs = ?2 AND state = 'pending'";
        let mut select = connection.prepare_cached(sql)?;
        let ends = select.query_row([delivery, run], |row| row.get(0)).optional()?;
        Ok(ends.map(|ends: u32| (delivery, run, ends)))
    };
    let mut ran: Vec<(i64, i64, u32)> =
        marks.iter().filter_map(|mark| before(mark).transpose()).collect::<rusqlite::Result<_>>()?;
    ran.sort_unstable();
    ran.dedup();
    // Only what ran at each end is suspected.
    connection.execute("DELETE FROM suspects", [])?;
    let count = |is_one: fn(u32) -> bool| ran.iter().filter(|(_, _, before)| is_one(before + 1)).count();
    let mut suspects = suspect::Suspects {
        count: count(|ends| ends >= suspect::LAST),
        before: 0,
        last: count(suspect::is_last),
    };
    let mut given_up = Vec::new();
    for (delivery, run, before) in ran {
        let ends = before + 1;
        let next = suspect::after(ends, suspects);
        suspects.before += usize::from(ends >= suspect::LAST);
        let id = DeliveryId(delivery);
        match &next {
            suspect::Next::AtOnce => {}
            suspect::Next::Apart(wait) => {
                let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
                let sql = "UPDATE deliveries SET due_at = max(due_at, ?2), set_at = ?3, outcome = ?4, reason = ?5 WHERE id = ?1";
                let reason = suspect::reason(ends);
                connection
                    .execute(sql, params![delivery, now_ms + wait_ms, now_ms, suspect::OUTCOME, reason])?;
                tracing::warn!(delivery = %id, ends, wait_ms, "the process has ended again while a delivery ran; it runs again, apart from others");
            }
            suspect::Next::Dead => {
                let sql = "UPDATE deliveries SET state = 'dead', ended_at = ?2, set_at = ?2, runs = runs + 1,
                    attempts = attempts + 1, crashes = crashes + 1, outcome = ?3, reason = ?4 WHERE id = ?1
                    RETURNING plugin, event";
                let reason = suspect::reason(ends);
                let (plugin, event): (String, i64) = connection.query_row(
                    sql,
                    params![delivery, now_ms, suspect::OUTCOME, reason],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                let event = EventId(event);
                tracing::error!(plugin, %event, delivery = %id, ends, "a delivery is given up: {reason}");
                given_up.push(plugin);
                continue;
            }
        }
        let sql = "INSERT INTO suspects (delivery, run, ends) VALUES (?1, ?2, ?3)";
        // Whoever would have been given up if it had been alone, is at the next end.
        connection.execute(sql, params![delivery, run, ends.min(suspect::LAST)])?;
    }
    Ok(given_up)
}

impl Store {
    /// The plugins of the deliveries that were given up when the store was opened, one for each.
    pub fn given_up(&self) -> &[String] {
        &self.running.given_up
    }

    /// A run begins.
    pub fn mark(&self, delivery: DeliveryId, run: u32) -> Mark<'_> {
        self.running.mark(delivery, run)
    }

    /// The host ends because it was told to, or knows why: what runs is not to blame, however it ends now.
    pub fn clear_marks(&self) {
        self.running.lock().is_over = true;
        if let Err(error) = self.running.file.set_len(0) {
            tracing::debug!(%error, "cannot clear the marks of what runs");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Bench, NOW_MS, PLUGIN};
    use crate::delivery::{DeliveryId, State};

    /// What the host does with a delivery between two ends of the process.
    enum Then {
        Runs,
        Ends,
        Waits,
    }

    impl Bench {
        /// The process ends while these run.
        fn ends_while(&mut self, running: &[i64]) {
            let run_of = |id: &i64| self.number(&format!("SELECT runs FROM deliveries WHERE id = {id}"));
            let marks: Vec<_> = running
                .iter()
                .map(|id| self.store().mark(DeliveryId(*id), u32::try_from(run_of(id)).expect("a few")))
                .collect();
            drop(marks);
            self.close();
            self.open();
        }

        fn became(&self, id: i64) -> (String, String, i64) {
            self.on_file(|file| {
                let sql = "SELECT state, coalesce(reason, ''), due_at FROM deliveries WHERE id = ?1";
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                file.query_row(sql, [id], row).expect("it is there")
            })
        }
    }

    #[tokio::test]
    async fn poison_what_ran_each_time_when_the_process_ended_is_given_up() {
        let mut bench = Bench::new();
        for chat in ["C1", "C2", "C3"] {
            bench.accept(chat, "1", NOW_MS).await;
        }
        bench.ends_while(&[2, 1]);
        assert_eq!(bench.became(1), ("pending".to_owned(), String::new(), NOW_MS), "once says nothing");
        bench.ends_while(&[1, 2]);
        assert_eq!(bench.became(1), ("pending".to_owned(), String::new(), NOW_MS), "nor does twice");
        bench.ends_while(&[1, 2, 3]);
        let (due_1, due_2) = (bench.became(1).2, bench.became(2).2);
        assert!(NOW_MS < due_1 && due_1 < due_2, "apart from each other: {due_1}, {due_2}");
        assert_eq!(bench.became(3).2, NOW_MS);
        // Now the first is alone of the two.
        bench.ends_while(&[1, 3]);
        let (state, reason, _) = bench.became(1);
        assert_eq!(state, "dead");
        assert!(reason.starts_with("the process ended 4 times in a row while it ran"), "{reason}");
        assert_eq!(bench.became(2).0, "pending", "it did not run this time");
        // What is dead is not counted again.
        bench.ends_while(&[1, 2]);
        assert_eq!((bench.became(1).0.as_str(), bench.became(2).0.as_str()), ("dead", "pending"));
        assert_eq!(bench.number("SELECT ends FROM suspects WHERE delivery = 2"), 1);
        let rows = bench.store().pending(PLUGIN.into(), DeliveryId(0), 10).await.expect("rows");
        assert_eq!(rows.len(), 2);
    }

    #[tokio::test]
    async fn of_many_that_ran_each_time_none_is_given_up_before_it_ran_without_the_others() {
        let mut bench = Bench::new();
        for chat in ["C1", "C2", "C3", "C4"] {
            bench.accept(chat, "1", NOW_MS).await;
        }
        let states = |bench: &Bench| [1, 2, 3, 4].map(|id| bench.became(id).0 == "pending");
        for _ in 0..6 {
            bench.ends_while(&[1, 2, 3, 4]);
            assert_eq!(states(&bench), [true; 4]);
        }
        let due = [1, 2, 3, 4].map(|id| bench.became(id).2 - NOW_MS);
        assert_eq!(due, [20_000, 20_000, 40_000, 40_000]);
        bench.ends_while(&[1, 2]);
        assert_eq!(states(&bench), [true; 4]);
        bench.ends_while(&[2]);
        assert_eq!(states(&bench), [true, false, true, true]);
    }

    #[tokio::test]
    async fn only_ends_in_a_row_count_and_no_orderly_one() {
        let check = |story: Vec<Then>, expected: &'static str| async move {
            let mut bench = Bench::new();
            bench.accept("C1", "1", NOW_MS).await;
            bench.accept("C2", "1", NOW_MS).await;
            for then in &story {
                match then {
                    Then::Runs => bench.ends_while(&[1]),
                    Then::Waits => bench.ends_while(&[2]),
                    Then::Ends => {
                        let mark = bench.store().mark(DeliveryId(1), 0);
                        drop(mark);
                        bench.store().clear_marks();
                        bench.close();
                        bench.open();
                    }
                }
            }
            assert_eq!(bench.became(1).0, expected);
        };
        use Then::{Ends, Runs, Waits};
        check(vec![Runs, Runs, Runs, Runs], "dead").await;
        check(vec![Runs, Runs, Runs, Waits, Runs, Runs, Runs], "pending").await;
        check(vec![Runs, Ends, Ends, Ends, Runs, Runs], "pending").await;
        check(vec![Runs, Ends, Runs, Runs, Runs], "dead").await;
    }

    #[tokio::test]
    async fn a_run_whose_outcome_is_recorded_is_not_to_blame() {
        let mut bench = Bench::new();
        bench.accept("C1", "1", NOW_MS).await;
        for run in 0..5 {
            let mark = bench.store().mark(DeliveryId(1), run);
            drop(mark);
            bench.finish(1, State::Pending, NOW_MS).await;
            bench.close();
            bench.open();
            assert_eq!(bench.number("SELECT count(*) FROM suspects"), 0);
        }
        // Nor are the runs before the last one.
        for _ in 0..2 {
            bench.ends_while(&[1]);
            bench.finish(1, State::Pending, NOW_MS).await;
        }
        bench.ends_while(&[1]);
        assert_eq!(bench.became(1).0, "pending");
    }
}

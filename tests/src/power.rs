//! Cuts the power of the real executable again and again while webhooks come in, and counts what was lost.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, ensure};
use chatplug::store::{self, EventFilter, Reader};

use crate::disk::{Disk, Left, is_accepted, post_message};
use crate::{Host, guest};

/// Webhooks that are under way at the same time.
const CLIENTS: usize = 8;
/// A cycle ends after so many answers, at most.
const ANSWERS_MAX: u64 = 400;
/// After so many cycles the host begins with an empty folder.
const CYCLES_OF_A_FOLDER: usize = 20;
const CONFIG: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

/// What the power cuts have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Cuts after which exactly what was synced was left.
    pub synced: usize,
    /// Cuts after which some of what was not synced was left, too.
    pub torn: usize,
    /// Events that were answered 200.
    pub answered: usize,
    /// Of these, how many were not stored afterwards.
    pub lost: usize,
    /// Stores that failed SQLite's integrity check.
    pub damaged: usize,
}

/// Cuts the power `cycles` times; answers what was lost.
///
/// # Errors
/// A host that does not start again.
pub fn run(cycles: usize, seed: u64) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let numbers = Arc::new(AtomicUsize::new(0));
    for begun in (0..cycles).step_by(CYCLES_OF_A_FOLDER) {
        let host = Host::prepared(CONFIG, &[guest("guest_recorder")]);
        let (mut host, mut disk) = Disk::under(host, seed.wrapping_add(begun as u64));
        let mut answered = BTreeSet::new();
        for cycle in begun..cycles.min(begun + CYCLES_OF_A_FOLDER) {
            host.try_run().with_context(|| format!("after {cycle} power cuts (seed {seed})"))?;
            let count = 1 + disk.draw(ANSWERS_MAX) as usize;
            let before = answered.len();
            answer(&mut host, count, &numbers, &mut answered);
            report.answered += answered.len() - before;
            // In turns: what is drawn depends on how many requests the host made, and a short run may see but one kind.
            let left = if cycle % 2 == 0 { Left::Synced } else { Left::Torn };
            disk.cut_power(left);
            match left {
                Left::Synced => report.synced += 1,
                Left::Torn => report.torn += 1,
            }
            report.damaged += usize::from(store::check(&host.data().join("chatplug.db")).is_err());
            report.lost += answered.difference(&stored(&host)?).count();
        }
    }
    ensure!(report.answered > 0, "no webhook was answered: the runs say nothing");
    Ok(report)
}

/// Posts webhooks until so many are answered 200, kills the host while others are under way, and notes all that were
/// answered.
fn answer(host: &mut Host, count: usize, numbers: &Arc<AtomicUsize>, answered: &mut BTreeSet<String>) {
    let (sender, answers) = sync_channel(CLIENTS);
    let clients: Vec<JoinHandle<()>> =
        (0..CLIENTS).map(|_| client(host, numbers.clone(), sender.clone())).collect();
    drop(sender);
    let mut take = |answers: &Receiver<String>| answers.recv().map(|chat| answered.insert(chat)).is_ok();
    for _ in 0..count {
        if !take(&answers) {
            break;
        }
    }
    host.kill();
    while take(&answers) {}
    for client in clients {
        client.join().expect("a client ends");
    }
}

/// Posts until the host is gone.
fn client(host: &Host, numbers: Arc<AtomicUsize>, answers: SyncSender<String>) -> JoinHandle<()> {
    let address = host.address();
    thread::spawn(move || {
        loop {
            let chat = format!("P{}", numbers.fetch_add(1, Ordering::Relaxed));
            match post_message(address, &chat) {
                Some(response) if is_accepted(&response) => {
                    if answers.send(chat).is_err() {
                        return;
                    }
                }
                Some(_) => {}
                None => return,
            }
        }
    })
}

fn stored(host: &Host) -> anyhow::Result<BTreeSet<String>> {
    let reader = Reader::open(&host.data())?.context("there is a store")?;
    let all = EventFilter { limit: 1_000_000, ..EventFilter::default() };
    Ok(reader.events(&all)?.into_iter().filter_map(|event| event.chat_id).collect())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("Power cuts, only what was synced is left", self.synced),
            ("Power cuts, with torn pieces of what was not synced", self.torn),
            ("Events answered 200", self.answered),
            ("Of these lost", self.lost),
            ("Stores that failed the integrity check", self.damaged),
        ];
        writeln!(f, "| Power cut | Count |\n|---|---|")?;
        rows.iter().try_for_each(|(what, count)| writeln!(f, "| {what} | {count} |"))
    }
}

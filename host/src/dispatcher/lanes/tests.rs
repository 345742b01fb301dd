use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::dispatcher::reports::{Busy, FIRST_MAX, RUNNING_MAX};
use crate::event::EventId;
use crate::store::Step;

fn pending(id: i64, plugin: &str, lane: Option<&str>) -> Pending {
    Pending {
        id: DeliveryId(id),
        event_id: EventId(id),
        event: None,
        plugin: Arc::from(plugin),
        lane: lane.map(Arc::from),
        accepted_at_ms: 0,
        due_at_ms: 0,
        set_at_ms: 0,
        attempts: 0,
        crashes: 0,
        runs: 0,
        root: DeliveryId(id),
        late: false,
        journaled: false,
        doubt_since_ms: None,
    }
}

fn open(plugins: &[&str], concurrency: usize) -> Lanes {
    let mut lanes = Lanes::default();
    for plugin in plugins {
        lanes.set_concurrency(&Arc::from(*plugin), concurrency);
    }
    lanes
}

fn next(lanes: &mut Lanes, now_ms: i64) -> Option<Pending> {
    lanes.wake(now_ms);
    lanes.next()
}

fn finish(lanes: &mut Lanes, ran: &Pending, again: Option<Pending>, now_ms: i64) {
    lanes.ran(&ran.plugin);
    lanes.finished(&ran.plugin, Key::of(ran), again, now_ms);
}

#[test]
fn a_lane_runs_one_at_a_time_and_other_lanes_pass() {
    let mut lanes = open(&["p"], 10);
    for (id, lane) in [(1, "a"), (2, "a"), (3, "b")] {
        lanes.offer(pending(id, "p", Some(lane)), 0);
    }
    let first = next(&mut lanes, 0).unwrap();
    assert_eq!(first.id.0, 1);
    assert_eq!(next(&mut lanes, 0).map(|p| p.id.0), Some(3));
    assert_eq!(next(&mut lanes, 0), None);
    finish(&mut lanes, &first, None, 0);
    assert_eq!(next(&mut lanes, 0).map(|p| p.id.0), Some(2));
}

#[test]
fn a_retry_holds_its_lane_until_it_is_due() {
    let mut lanes = open(&["p"], 10);
    lanes.offer(pending(1, "p", Some("a")), 0);
    lanes.offer(pending(2, "p", Some("a")), 0);
    let first = next(&mut lanes, 0).unwrap();
    finish(&mut lanes, &first, Some(Pending { due_at_ms: 500, attempts: 1, ..first.clone() }), 0);
    assert_eq!(next(&mut lanes, 499), None);
    assert_eq!(lanes.next_due_ms(), Some(500));
    let again = next(&mut lanes, 500).unwrap();
    assert_eq!((again.id.0, again.attempts), (1, 1));
    finish(&mut lanes, &again, None, 500);
    assert_eq!(next(&mut lanes, 500).map(|p| p.id.0), Some(2));
}

#[test]
fn a_wait_goes_along_when_the_clock_is_set() {
    for by_ms in [1_000_000, -1_000_000] {
        let mut lanes = open(&["p"], 10);
        lanes.offer(pending(1, "p", Some("a")), 0);
        lanes.offer(pending(2, "p", Some("b")), 0);
        for due_at_ms in [500, 700] {
            let ran = next(&mut lanes, 0).unwrap();
            finish(&mut lanes, &ran, Some(Pending { due_at_ms, ..ran.clone() }), 0);
        }
        let steps = Steps::from_iter([Step { at_ms: 400, by_ms }]);
        lanes.follow(&steps);
        lanes.follow(&steps);
        assert_eq!(next(&mut lanes, 499 + by_ms), None, "not fired, {by_ms}");
        assert_eq!(next(&mut lanes, 500 + by_ms).map(|p| p.id.0), Some(1), "not lost, {by_ms}");
        assert_eq!(lanes.next_due_ms(), Some(700 + by_ms));
        assert_eq!(next(&mut lanes, 700 + by_ms).map(|p| p.id.0), Some(2), "nor the other, {by_ms}");
    }
}

#[test]
fn plugins_take_turns_and_a_stopped_one_holds_up_nobody() {
    let mut lanes = open(&["p", "q"], 2);
    lanes.set_concurrency(&Arc::from("stopped"), 0);
    for id in 1..=9 {
        let plugin = ["p", "q", "stopped"][(id % 3) as usize];
        lanes.offer(pending(id, plugin, None), 0);
    }
    let order: Vec<Arc<str>> = std::iter::from_fn(|| next(&mut lanes, 0)).map(|p| p.plugin).collect();
    assert_eq!(order.iter().filter(|plugin| &***plugin == "p").count(), 2);
    assert_eq!(order.iter().filter(|plugin| &***plugin == "q").count(), 2);
    assert_ne!(order[0], order[1]);
    lanes.set_concurrency(&Arc::from("stopped"), 1);
    assert_eq!(next(&mut lanes, 0).map(|p| p.plugin.to_string()), Some("stopped".into()));
}

#[test]
fn spike_chats_that_wait_for_a_retry_do_not_hold_up_fresh_ones() {
    let mut lanes = open(&["p"], WINDOW);
    let table: Vec<Pending> =
        (1..=3 * WINDOW as i64).map(|id| pending(id, "p", Some(&format!("chat {id}")))).collect();
    let mut retried = 0;
    for one in &table {
        lanes.offer(one.clone(), 0);
        while let Some(Load::Window { plugin, after, limit }) = lanes.next_load() {
            let rows = table.iter().filter(|p| p.id > after && p.id <= one.id).take(limit).cloned().collect();
            lanes.loaded_window(&plugin, rows, limit, 0);
        }
        while let Some(ran) = next(&mut lanes, 0) {
            retried += 1;
            finish(&mut lanes, &ran, Some(Pending { due_at_ms: 1_000_000, ..ran.clone() }), 0);
        }
    }
    assert_eq!(retried, table.len(), "each chat had its first attempt");
}

#[test]
fn leak_nothing_is_left_of_lanes_that_ended() {
    let mut lanes = open(&["p", "q"], 4);
    for round in 0..50 {
        let (mut retried, first) = (HashSet::new(), 1_000 * round + 1);
        for id in first..first + 100 {
            let plugin = if id % 3 == 0 { "p" } else { "q" };
            lanes.offer(pending(id, plugin, (id % 7 > 0).then(|| format!("chat {id}")).as_deref()), round);
        }
        assert!(lanes.len().0 > 0);
        // Some are tried again later; all end.
        while let Some(ran) = next(&mut lanes, round) {
            let again = (ran.id.0 % 5 == 0 && retried.insert(ran.id))
                .then(|| Pending { due_at_ms: round, ..ran.clone() });
            finish(&mut lanes, &ran, again, round);
        }
        assert_eq!(lanes.len(), (0, 0), "after round {round}");
        let left = lanes.turns.len() + lanes.firsts.len() + lanes.waiting.len() + lanes.loads.len();
        assert!(left <= 4, "{left} entries are left after round {round}");
    }
}

#[test]
fn no_more_than_a_window_is_held_and_what_is_left_out_is_read_later() {
    let mut lanes = open(&["p"], 1);
    for id in 1..=2 * WINDOW as i64 {
        lanes.offer(pending(id, "p", None), 0);
        assert!(lanes.len().1 <= WINDOW, "{:?}", lanes.len());
    }
    assert_eq!(lanes.next_load(), None, "there is no room yet");
    for _ in 0..WINDOW / 2 {
        let ran = next(&mut lanes, 0).unwrap();
        finish(&mut lanes, &ran, None, 0);
    }
    let after = DeliveryId(WINDOW as i64);
    assert_eq!(lanes.next_load(), Some(Load::Window { plugin: "p".into(), after, limit: WINDOW / 2 }));
}

#[test]
fn of_one_lane_little_is_held() {
    let mut lanes = open(&["p"], 1);
    for id in 1..=WINDOW as i64 {
        lanes.offer(pending(id, "p", Some("a")), 0);
        assert!(lanes.len().1 <= LANE_WINDOW, "{:?}", lanes.len());
    }
}

#[test]
fn what_waits_for_retries_is_held_up_to_a_bound_and_nothing_is_read_beyond_it() {
    const LATER_MS: i64 = 1_000;
    let mut lanes = open(&["p"], 1);
    for id in 1..=WAITING_MAX as i64 {
        lanes.offer(pending(id, "p", None), 0);
        let ran = next(&mut lanes, 0).unwrap();
        finish(&mut lanes, &ran, Some(Pending { due_at_ms: LATER_MS, ..ran.clone() }), 0);
    }
    assert_eq!(lanes.len().1, WAITING_MAX);
    for id in WAITING_MAX as i64 + 1..WAITING_MAX as i64 + 10 {
        lanes.offer(pending(id, "p", None), 0);
    }
    assert_eq!((lanes.len().1, next(&mut lanes, 0)), (WAITING_MAX, None), "it is left to the table");
    assert_eq!(lanes.next_load(), None, "and stays there");
    while let Some(ran) = next(&mut lanes, LATER_MS) {
        finish(&mut lanes, &ran, None, LATER_MS);
    }
    let after = DeliveryId(WAITING_MAX as i64);
    let load = lanes.next_load();
    assert!(matches!(load, Some(Load::Window { after: behind, .. }) if behind == after), "{load:?}");
}

/// The table and the lanes over it, driven by random steps.
struct World {
    table: BTreeMap<i64, Pending>,
    lanes: Lanes,
    running: Vec<Pending>,
    loads: Vec<(Load, Vec<Pending>)>,
    started: Vec<i64>,
    retried: usize,
    next_id: i64,
    now_ms: i64,
}

impl World {
    fn new() -> World {
        World {
            table: BTreeMap::new(),
            lanes: open(&["p", "q"], 3),
            running: Vec::new(),
            loads: Vec::new(),
            started: Vec::new(),
            retried: 0,
            next_id: 1,
            now_ms: 0,
        }
    }

    fn commit(&mut self, lane: u8, is_offered: bool) {
        let plugin = if lane.is_multiple_of(2) { "p" } else { "q" };
        let name = format!("lane {lane}");
        let new = pending(self.next_id, plugin, (lane > 1).then_some(name.as_str()));
        self.next_id += 1;
        self.table.insert(new.id.0, new.clone());
        if is_offered {
            self.lanes.offer(new, self.now_ms);
        } else {
            self.lanes.fell_behind(&Arc::from("p"));
            self.lanes.fell_behind(&Arc::from("q"));
        }
    }

    /// Reads what a load asks for from the table as it is now; it arrives later.
    fn begin_loads(&mut self) {
        while let Some(load) = self.lanes.next_load() {
            let rows = match &load {
                Load::Window { plugin, after, limit } => {
                    self.select(|p| p.plugin == *plugin && p.id > *after, *limit)
                }
                Load::Lane { plugin, lane, after, until, limit } => self.select(
                    |p| {
                        p.plugin == *plugin
                            && p.lane.as_ref() == Some(lane)
                            && p.id > *after
                            && p.id <= *until
                    },
                    *limit,
                ),
            };
            self.loads.push((load, rows));
        }
    }

    fn select(&self, is_wanted: impl Fn(&Pending) -> bool, limit: usize) -> Vec<Pending> {
        self.table.values().filter(|p| is_wanted(p)).take(limit).cloned().collect()
    }

    fn end_load(&mut self) {
        if self.loads.is_empty() {
            return;
        }
        match self.loads.remove(0) {
            (Load::Window { plugin, limit, .. }, rows) => {
                self.lanes.loaded_window(&plugin, rows, limit, self.now_ms)
            }
            (Load::Lane { plugin, lane, until, limit, .. }, rows) => {
                self.lanes.loaded_lane(&plugin, &lane, rows, (until, limit), self.now_ms);
            }
        }
    }

    fn start(&mut self) {
        self.now_ms += 1;
        self.lanes.wake(self.now_ms);
        if let Some(next) = self.lanes.next() {
            let busy = |p: &Pending| p.plugin == next.plugin && p.lane.is_some() && p.lane == next.lane;
            assert!(!self.running.iter().any(busy), "two of one lane run at the same time: {next:?}");
            let older = |p: &&Pending| p.plugin == next.plugin && p.lane == next.lane && p.id < next.id;
            if next.lane.is_some() {
                assert_eq!(self.table.values().find(older), None, "{next:?} overtook");
            }
            self.started.push(next.id.0);
            self.running.push(next);
        }
    }

    fn end(&mut self) {
        if !self.running.is_empty() {
            let ran = self.running.remove(0);
            self.table.remove(&ran.id.0);
            finish(&mut self.lanes, &ran, None, self.now_ms);
        }
    }

    /// The attempt failed: the delivery runs again a little later.
    fn retry(&mut self) {
        if !self.running.is_empty() {
            let ran = self.running.remove(0);
            self.started.retain(|id| *id != ran.id.0);
            self.retried += 1;
            let again = Pending { due_at_ms: self.now_ms + 3, ..ran.clone() };
            self.table.insert(ran.id.0, again.clone());
            finish(&mut self.lanes, &ran, Some(again), self.now_ms);
        }
    }

    fn drain(&mut self) {
        for _ in 0..self.table.len() * 4 + 200 {
            self.begin_loads();
            self.end_load();
            self.start();
            self.end();
        }
    }
}

/// Memory holds no more than the windows, whatever was committed.
fn expect_bounded(world: &World) {
    /// Lanes of a plugin that have names.
    const NAMED: usize = 2;
    for (plugin, queue) in &world.lanes.queues {
        // Beyond it: what of a lane is read again, as it had run dry, and what waited for its retry before the window was full.
        let most = WINDOW + NAMED * (LANE_WINDOW + 1) + world.retried;
        assert!(queue.len <= most, "{plugin} has {} in its window", queue.len);
        for (key, lane) in &queue.lanes {
            // One more, which ran and comes back for its retry.
            assert!(lane.deliveries.len() <= LANE_WINDOW + 1, "{key:?} has {}", lane.deliveries.len());
        }
    }
}

/// How many lanes and deliveries there are, by counting them.
fn counted(lanes: &Lanes) -> (usize, usize) {
    let of = |queue: &Queue| (queue.lanes.len(), queue.len + queue.waiting);
    lanes.queues.values().map(of).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_committed_delivery_runs_once_and_in_order(
        steps in prop::collection::vec((0u8..12, 0u8..6), 1..400),
        burst in prop::option::of((0usize..400, 1usize..3000, 0u8..6)),
    ) {
        let mut world = World::new();
        for (number, (step, lane)) in steps.into_iter().enumerate() {
            match step {
                0..=4 => world.commit(lane, true),
                5 => world.commit(lane, false),
                6 => world.begin_loads(),
                7 => world.end_load(),
                8 | 9 => world.start(),
                10 => world.retry(),
                _ => world.end(),
            }
            if let Some((at, count, lane)) = burst && at == number {
                for _ in 0..count {
                    world.commit(lane, true);
                }
            }
            prop_assert_eq!(world.lanes.len(), counted(&world.lanes));
            expect_bounded(&world);
        }
        world.drain();
        prop_assert!(world.table.is_empty(), "{} deliveries never ran", world.table.len());
        let distinct: HashSet<i64> = world.started.iter().copied().collect();
        prop_assert_eq!(distinct.len(), world.started.len(), "a delivery ran twice");
        prop_assert_eq!(world.started.len() as i64, world.next_id - 1);
        prop_assert!(world.lanes.queues.values().all(|queue| queue.len == 0 && queue.waiting == 0 && queue.lanes.is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Plugins of which some never end what they have begun, and however many these hold: the others come to their turns.
    #[test]
    fn a_plugin_without_anything_running_gets_a_place(
        hung in 1usize..30, calm in 1usize..12, concurrency in 1usize..40, steps in prop::collection::vec((0u8..3, 0usize..42), 1..300),
    ) {
        let mut lanes = Lanes::default();
        let names: Vec<Arc<str>> = (0..hung + calm).map(|number| Arc::from(format!("plugin-{number}"))).collect();
        names.iter().for_each(|name| lanes.set_concurrency(name, concurrency));
        let is_hung = |pending: &Pending| names[..hung].contains(&pending.plugin);
        let (mut busy, mut running, mut id, mut ended) = (Busy::default(), Vec::new(), 0, 0);
        let mut offered = 0;
        let turn = |lanes: &mut Lanes, busy: &mut Busy, running: &mut Vec<Pending>| {
            lanes.wake(0);
            while let Some(next) = busy.next(lanes) {
                busy.begin();
                running.push(next);
            }
            assert!(running.len() <= RUNNING_MAX + FIRST_MAX, "{} run", running.len());
        };
        for (step, number) in steps {
            match step {
                // More than all places together, for the hung ones.
                0 => for _ in 0..20 {
                    id += 1;
                    lanes.offer(pending(id, &names[number % hung], None), 0);
                },
                1 => {
                    id += 1;
                    offered += 1;
                    lanes.offer(pending(id, &names[hung + number % calm], None), 0);
                }
                _ => if let Some(at) = running.iter().position(|one| !is_hung(one)) {
                    let ran = running.swap_remove(at);
                    busy.ended();
                    ended += 1;
                    finish(&mut lanes, &ran, None, 0);
                },
            }
            turn(&mut lanes, &mut busy, &mut running);
            for name in &names[hung..] {
                let runs = running.iter().any(|one| one.plugin == *name);
                prop_assert!(runs || lanes.queues[name].ready.is_empty(), "{name} waits, and nothing of it runs");
            }
        }
        while let Some(at) = running.iter().position(|one| !is_hung(one)) {
            let ran = running.swap_remove(at);
            busy.ended();
            ended += 1;
            finish(&mut lanes, &ran, None, 0);
            turn(&mut lanes, &mut busy, &mut running);
        }
        prop_assert_eq!(ended, offered, "everything of the others was run");
    }
}

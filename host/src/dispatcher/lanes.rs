//! Which delivery runs next: lanes one at a time and in order, plugins in turn, everything bounded.
//!
//! Memory holds a window of each plugin's pending deliveries: the oldest ones. What does not fit is left in
//! the store's table and read when there is room again. This module is a value: it is told what was committed,
//! loaded and finished, and answers what to run and what to load.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use crate::delivery::DeliveryId;
use crate::store::{Pending, Steps};

/// Deliveries of one plugin that are kept in memory.
pub(super) const WINDOW: usize = 2048;
/// Of these, deliveries of one lane: a chat with thousands of events must not fill the window.
pub(super) const LANE_WINDOW: usize = 32;

/// Deliveries of one plugin in lanes that wait for a retry. They don't count in the window: retries may take
/// a day, and fresh chats must not wait for them.
pub(super) const WAITING_MAX: usize = 50_000;

/// What runs one at a time: a lane, or a delivery that has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Lane(Arc<str>),
    Solo(DeliveryId),
}

impl Key {
    pub(super) fn of(pending: &Pending) -> Key {
        pending.lane.clone().map_or(Key::Solo(pending.id), Key::Lane)
    }
}

/// Something to be read from the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// The plugin's pending deliveries behind `after`, at most `limit`.
    Window { plugin: Arc<str>, after: DeliveryId, limit: usize },
    /// Those of one lane behind `after` up to `until`, at most `limit`.
    Lane { plugin: Arc<str>, lane: Arc<str>, after: DeliveryId, until: DeliveryId, limit: usize },
}

/// All lanes of all plugins.
#[derive(Default)]
pub(super) struct Lanes {
    queues: HashMap<Arc<str>, Queue>,
    /// Plugins that have something to run now and room to run it.
    turns: VecDeque<Arc<str>>,
    /// Of these, plugins that had nothing running when they came to have something to run: what becomes of them is looked
    /// at when it is their turn.
    firsts: VecDeque<Arc<str>>,
    /// Lanes that wait for a retry, by the time at which they may go on.
    waiting: BinaryHeap<Reverse<(i64, Arc<str>, Key)>>,
    loads: VecDeque<Load>,
    /// The steps of the clock that the waits have gone along with.
    carried: u64,
    held: Held,
}

/// How much all queues hold together: counted along, because most turns of the loop ask for it and there may be a thousand
/// of them.
#[derive(Default)]
struct Held {
    lanes: usize,
    deliveries: usize,
}

/// One plugin's window.
struct Queue {
    lanes: HashMap<Key, Lane>,
    ready: VecDeque<Key>,
    in_turn: bool,
    in_firsts: bool,
    /// Deliveries in memory, the running ones included, but for those in lanes that wait for a retry.
    len: usize,
    /// Deliveries in lanes that wait for a retry.
    waiting: usize,
    running: usize,
    /// How many may run at the same time; 0 while the plugin can't run.
    concurrency: usize,
    /// Everything pending up to here is in memory, or was left out of a full lane.
    loaded_to: DeliveryId,
    /// Whether the table holds more behind `loaded_to`.
    behind: bool,
    loading: bool,
    /// Whether something was left to the table since the last load was asked for.
    skipped: bool,
}

#[derive(Default)]
struct Lane {
    deliveries: VecDeque<Pending>,
    status: Status,
    /// Everything of the lane up to here is in memory or done.
    loaded_to: DeliveryId,
    /// Whether the table holds more of the lane, between `loaded_to` and the queue's.
    behind: bool,
    loading: bool,
    skipped: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Status {
    /// Not to be run: empty, or being loaded.
    #[default]
    Idle,
    Ready,
    Running,
    /// Waits for its retry.
    Waiting,
}

impl Lanes {
    /// A plugin may run this many at the same time from now on; 0 stops it.
    pub(super) fn set_concurrency(&mut self, plugin: &Arc<str>, concurrency: usize) {
        self.queue(plugin).concurrency = concurrency;
        self.take_turn(plugin);
    }

    /// Whether a plugin was named before.
    pub(super) fn knows(&self, plugin: &str) -> bool {
        self.queues.contains_key(plugin)
    }

    /// The plugins that are known.
    pub(super) fn plugins(&self) -> Vec<Arc<str>> {
        self.queues.keys().cloned().collect()
    }

    /// The table may hold deliveries of this plugin that were not offered.
    pub(super) fn fell_behind(&mut self, plugin: &Arc<str>) {
        let queue = self.queue(plugin);
        queue.behind = true;
        queue.skipped = true;
        self.load_window(plugin);
    }

    /// A delivery was committed.
    pub(super) fn offer(&mut self, pending: Pending, now_ms: i64) {
        let plugin = pending.plugin.clone();
        let queue = self.queue(&plugin);
        if pending.id <= queue.loaded_to {
            return;
        }
        if queue.behind || queue.len >= WINDOW || queue.waiting >= WAITING_MAX {
            queue.behind = true;
            queue.skipped = true;
            self.load_window(&plugin);
            return;
        }
        self.take_in(pending, now_ms);
    }

    /// What was loaded for a [`Load::Window`] of `limit`.
    pub(super) fn loaded_window(&mut self, plugin: &Arc<str>, rows: Vec<Pending>, limit: usize, now_ms: i64) {
        let queue = self.queue(plugin);
        queue.loading = false;
        queue.behind = rows.len() >= limit || queue.skipped;
        for pending in rows {
            if pending.id > self.queue(plugin).loaded_to {
                self.take_in(pending, now_ms);
            }
        }
        self.load_window(plugin);
    }

    /// What was loaded for a [`Load::Lane`].
    pub(super) fn loaded_lane(
        &mut self,
        plugin: &Arc<str>,
        lane: &Arc<str>,
        rows: Vec<Pending>,
        (until, limit): (DeliveryId, usize),
        now_ms: i64,
    ) {
        let key = Key::Lane(lane.clone());
        let Some(queue) = self.queues.get_mut(plugin) else { return };
        let Some(lane) = queue.lanes.get_mut(&key) else { return };
        lane.loading = false;
        let is_full = rows.len() >= limit;
        lane.behind = is_full || lane.skipped;
        lane.loaded_to = if is_full { rows.last().map_or(until, |last| last.id) } else { until };
        queue.len += rows.len();
        self.held.deliveries += rows.len();
        lane.deliveries.extend(rows);
        self.settle(plugin, key, now_ms);
    }

    /// The next delivery to run, if one may run as of the last [`Lanes::wake`].
    pub(super) fn next(&mut self) -> Option<Pending> {
        while let Some(plugin) = self.turns.pop_front() {
            let queue = self.queues.get_mut(&plugin)?;
            queue.in_turn = false;
            if queue.running >= queue.concurrency {
                continue;
            }
            let Some(key) = queue.ready.pop_front() else { continue };
            let pending = queue.begin(&key);
            self.take_turn(&plugin);
            return Some(pending);
        }
        None
    }

    /// The same, of a plugin that has none running: what it may run when all others' places are taken.
    pub(super) fn next_first(&mut self) -> Option<Pending> {
        while let Some(plugin) = self.firsts.pop_front() {
            let queue = self.queues.get_mut(&plugin)?;
            queue.in_firsts = false;
            if queue.running > 0 || queue.concurrency == 0 {
                continue;
            }
            let Some(key) = queue.ready.pop_front() else { continue };
            // Its place among the turns stays, for what else it has.
            return Some(queue.begin(&key));
        }
        None
    }

    /// A delivery that could run and was accepted up to a time, whether its plugin may run or not: to be given up.
    /// What follows is as for [`Lanes::next`].
    pub(super) fn next_accepted_before(&mut self, plugin: &Arc<str>, before_ms: i64) -> Option<Pending> {
        let queue = self.queues.get_mut(plugin)?;
        let first = |key: &Key| queue.lanes.get(key)?.deliveries.front();
        let is_old = |key: &Key| first(key).is_some_and(|first| first.accepted_at_ms <= before_ms);
        let key = queue.ready.iter().position(is_old).and_then(|at| queue.ready.remove(at))?;
        Some(queue.begin(&key))
    }

    /// When [`Lanes::wake`] will have something to do: milliseconds since 1970.
    pub(super) fn next_due_ms(&self) -> Option<i64> {
        self.waiting.peek().map(|Reverse((due_ms, _, _))| *due_ms)
    }

    /// How many lanes and how many deliveries are in memory.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.held.lanes, self.held.deliveries)
    }

    /// An attempt is over, its outcome not recorded yet: another delivery may run, of another lane.
    pub(super) fn ran(&mut self, plugin: &Arc<str>) {
        self.queue(plugin).running -= 1;
        self.take_turn(plugin);
    }

    /// The outcome of a delivery that [ran](Lanes::ran) is recorded. With `again` it stays the first of its lane, for another attempt.
    pub(super) fn finished(&mut self, plugin: &Arc<str>, key: Key, again: Option<Pending>, now_ms: i64) {
        let queue = queue_of(&mut self.queues, plugin);
        match again {
            Some(pending) => lane_of(&mut queue.lanes, &key, &mut self.held).deliveries.push_front(pending),
            None => {
                queue.len -= 1;
                self.held.deliveries -= 1;
            }
        }
        self.settle(plugin, key, now_ms);
        self.load_window(plugin);
    }

    /// The next thing to read from the table.
    pub(super) fn next_load(&mut self) -> Option<Load> {
        self.loads.pop_front()
    }

    fn queue(&mut self, plugin: &Arc<str>) -> &mut Queue {
        queue_of(&mut self.queues, plugin)
    }

    /// Puts a delivery behind everything that is loaded.
    fn take_in(&mut self, pending: Pending, now_ms: i64) {
        let plugin = pending.plugin.clone();
        let key = Key::of(&pending);
        let queue = queue_of(&mut self.queues, &plugin);
        queue.loaded_to = pending.id;
        let lane = lane_of(&mut queue.lanes, &key, &mut self.held);
        if lane.behind || lane.deliveries.len() >= LANE_WINDOW {
            lane.behind = true;
            lane.skipped = true;
        } else {
            lane.loaded_to = pending.id;
            lane.deliveries.push_back(pending);
            if lane.status == Status::Waiting {
                queue.waiting += 1
            } else {
                queue.len += 1
            }
            self.held.deliveries += 1;
        }
        if matches!(lane.status, Status::Idle) {
            self.settle(&plugin, key, now_ms);
        }
    }

    /// Decides where a lane stands that is not running.
    fn settle(&mut self, plugin: &Arc<str>, key: Key, now_ms: i64) {
        let queue = queue_of(&mut self.queues, plugin);
        let Some(lane) = queue.lanes.get_mut(&key) else { return };
        match lane.deliveries.front() {
            Some(first) if first.due_at_ms > now_ms => {
                let due_ms = first.due_at_ms;
                lane.status = Status::Waiting;
                // Read again from the store when it is time: a day is long for memory.
                lane.deliveries.iter_mut().for_each(|delivery| delivery.event = None);
                queue.len -= lane.deliveries.len();
                queue.waiting += lane.deliveries.len();
                self.waiting.push(Reverse((due_ms, plugin.clone(), key)));
                self.load_window(plugin);
            }
            Some(_) => {
                lane.status = Status::Ready;
                queue.ready.push_back(key);
                self.take_turn(plugin);
            }
            None if lane.behind => {
                lane.status = Status::Idle;
                if let (Key::Lane(name), false) = (&key, lane.loading) {
                    (lane.loading, lane.skipped) = (true, false);
                    self.loads.push_back(Load::Lane {
                        plugin: plugin.clone(),
                        lane: name.clone(),
                        after: lane.loaded_to,
                        until: queue.loaded_to,
                        limit: LANE_WINDOW,
                    });
                }
            }
            None => {
                queue.lanes.remove(&key);
                self.held.lanes -= 1;
            }
        }
    }

    /// Makes the lanes ready whose time has come.
    pub(super) fn wake(&mut self, now_ms: i64) {
        while self.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            let Some(Reverse((_, plugin, key))) = self.waiting.pop() else { return };
            let queue = self.queue(&plugin);
            let waited = queue.lanes.get(&key).map_or(0, |lane| lane.deliveries.len());
            queue.waiting -= waited;
            queue.len += waited;
            self.settle(&plugin, key, now_ms);
        }
    }

    /// The clock may have been set: what is left of each wait stays left.
    pub(super) fn follow(&mut self, steps: &Steps) {
        if steps.count() == self.carried {
            return;
        }
        let carry = |pending: &mut Pending| {
            *pending = steps.behind(self.carried).fold(pending.clone(), Pending::carried);
        };
        self.waiting.clear();
        for (plugin, queue) in &mut self.queues {
            for (key, lane) in &mut queue.lanes {
                lane.deliveries.iter_mut().for_each(carry);
                if let (Status::Waiting, Some(first)) = (&lane.status, lane.deliveries.front()) {
                    self.waiting.push(Reverse((first.due_at_ms, plugin.clone(), key.clone())));
                }
            }
        }
        self.carried = steps.count();
    }

    fn take_turn(&mut self, plugin: &Arc<str>) {
        let Some(queue) = self.queues.get_mut(plugin) else { return };
        if queue.ready.is_empty() || queue.running >= queue.concurrency {
            return;
        }
        if !queue.in_turn {
            queue.in_turn = true;
            self.turns.push_back(plugin.clone());
        }
        if !queue.in_firsts && queue.running == 0 {
            queue.in_firsts = true;
            self.firsts.push_back(plugin.clone());
        }
    }

    /// Asks for more of a plugin's deliveries once half of its window is free.
    fn load_window(&mut self, plugin: &Arc<str>) {
        let Some(queue) = self.queues.get_mut(plugin) else { return };
        if queue.behind && !queue.loading && queue.len <= WINDOW / 2 && queue.waiting < WAITING_MAX {
            (queue.loading, queue.skipped) = (true, false);
            let limit = WINDOW - queue.len;
            self.loads.push_back(Load::Window { plugin: plugin.clone(), after: queue.loaded_to, limit });
        }
    }
}

/// The queue of a plugin; a new one if there is none.
fn queue_of<'a>(queues: &'a mut HashMap<Arc<str>, Queue>, plugin: &Arc<str>) -> &'a mut Queue {
    queues.entry(plugin.clone()).or_insert_with(Queue::new)
}

/// A lane of a queue's; a new one if there is none.
fn lane_of<'a>(lanes: &'a mut HashMap<Key, Lane>, key: &Key, held: &mut Held) -> &'a mut Lane {
    lanes.entry(key.clone()).or_insert_with(|| {
        held.lanes += 1;
        Lane::default()
    })
}

impl Queue {
    /// Takes the first delivery of a ready lane, which is running from now on.
    fn begin(&mut self, key: &Key) -> Pending {
        let lane = self.lanes.get_mut(key).expect("a ready lane exists until it has run");
        let pending = lane.deliveries.pop_front().expect("a ready lane has a delivery");
        lane.status = Status::Running;
        self.running += 1;
        pending
    }

    fn new() -> Queue {
        Queue {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            in_turn: false,
            in_firsts: false,
            len: 0,
            waiting: 0,
            running: 0,
            concurrency: 0,
            loaded_to: DeliveryId(0),
            behind: false,
            loading: false,
            skipped: false,
        }
    }
}

#[cfg(test)]
mod tests;

//! Random histories: a plugin runs against a world that fails, is cut, crashes and is replaced, until it ends.
//! Then each action that can't be repeated was done once, each change of the own store applied once, and what is
//! repeatable stands where the plugin wanted it.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::table::Table;
use super::*;

/// What a plugin does next. Its place in the program is its identity.
#[derive(Clone, Debug)]
enum Instruction {
    Read,
    /// Sends something; with `reads` its text holds what was read last, and the author names it.
    Send {
        effect: Effect,
        reads: bool,
    },
    /// Sets one of three variables.
    Set {
        variable: u8,
        value: u8,
    },
    Own,
    /// Returns `retry` until there were this many runs.
    RetryUntil(u32),
    /// Returns `retry` as long as the first look at the world shows less than this: nobody is free. Whoever acts without a
    /// name in between may look again for it: the last look counts.
    WaitFor(u8),
}

/// What becomes of something that is done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Works,
    Refused,
    DoubtAfterActing,
    DoubtBeforeActing,
    CrashBeforeIntent,
    CrashBeforeRequest,
    CrashBeforeAnswer,
    /// The run is cut while the action goes on; its answer is recorded.
    Cut,
    /// Another version of the same plugin runs from now on.
    Replaced,
}

#[derive(Default)]
struct World {
    /// How often each place of the program was done.
    done: BTreeMap<usize, u32>,
    /// By the id that they carried.
    by_id: HashMap<(u32, usize), ()>,
    variables: HashMap<u8, u8>,
    own: BTreeMap<usize, u32>,
    time: u8,
}

#[derive(PartialEq, Debug)]
enum End {
    Handled,
    Retry,
    /// Cut, crashed or suspended.
    Broken,
}

struct Simulation<'a> {
    program: &'a [Instruction],
    fates: std::slice::Iter<'a, Fate>,
    world: World,
    table: Table,
    version: u32,
}

impl Simulation<'_> {
    fn fate(&mut self) -> Fate {
        loop {
            match self.fates.next().copied().unwrap_or(Fate::Works) {
                Fate::Replaced => self.version += 1,
                fate => return fate,
            }
        }
    }

    /// Runs until the plugin has handled its event; answers what its last run was told.
    fn play(&mut self) -> Vec<Option<bool>> {
        for run in 1..=200 {
            self.settle();
            let version = format!("v{}", self.version);
            let mut journal = self.table.load(&version);
            let mut told = Vec::new();
            match self.run(&mut journal, run, &mut told) {
                End::Handled => return told,
                End::Retry if journal.is_stale() => {
                    self.table.header.as_mut().expect("what is repeated was recorded").anew = true;
                }
                End::Retry | End::Broken => {}
            }
        }
        panic!("the delivery never ended");
    }

    /// What the host does before another run, and where it can't find out the operator.
    fn settle(&mut self) {
        let steps: Vec<Step> = self.table.steps.values().cloned().collect();
        let Some(step) = unsettled(&steps) else { return };
        let place = usize::from(step.call.arguments[0]);
        if step.call.kind == Kind::Call(Effect::Keyed) {
            // Sent again with the same key: the service does it only if it hasn't.
            self.act(step.number, place);
        }
        if self.world.by_id.contains_key(&(step.number, place)) {
            self.table.step(step.number).answered = Some(answered("found", true));
        } else {
            self.table.steps.remove(&step.number);
        }
    }

    fn act(&mut self, id: u32, place: usize) {
        if self.world.by_id.insert((id, place), ()).is_none() {
            *self.world.done.entry(place).or_default() += 1;
        }
    }

    fn run(&mut self, journal: &mut Journal, run: u32, told: &mut Vec<Option<bool>>) -> End {
        let (mut read, mut first, mut is_named) = (0, None, true);
        for (place, instruction) in self.program.iter().enumerate() {
            let at = u8::try_from(place).expect("short programs");
            let end = match instruction {
                Instruction::Read => {
                    read = self.read(journal);
                    first.get_or_insert(read);
                    None
                }
                Instruction::Send { effect, reads } => {
                    is_named &= *reads;
                    let mut call = call(Kind::Call(*effect), "send", at, None);
                    if *reads {
                        call.arguments[1] = read;
                        call.once = Some(place.to_string());
                    }
                    self.action(journal, call, told, |simulation, number| simulation.act(number, place))
                }
                Instruction::Set { variable, value } => {
                    let call = call(SET, "set", *variable * 16 + *value, None);
                    self.action(journal, call, told, |simulation, _| {
                        simulation.world.variables.insert(*variable, *value);
                    })
                }
                Instruction::Own => {
                    let call = Call { about: place.to_string(), ..call(Kind::Own, "memory.set", at, None) };
                    self.own(journal, call, place)
                }
                Instruction::RetryUntil(runs) if run < *runs => Some(End::Retry),
                Instruction::RetryUntil(_) => None,
                Instruction::WaitFor(least) => {
                    let seen = if is_named { first } else { first.map(|_| read) };
                    seen.is_some_and(|seen| seen < *least).then_some(End::Retry)
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
        End::Handled
    }

    /// What the world shows: another one each time it is looked at.
    fn read(&mut self, journal: &mut Journal) -> u8 {
        let call = call(READ, "read", 0, None);
        let came = match journal.next(&call) {
            Next::Repeat(came) => came,
            Next::Do(number) => {
                self.world.time = self.world.time.wrapping_add(1);
                let came = answered(&self.world.time.to_string(), true);
                journal.note(number, call, came.clone());
                came
            }
        };
        came.answer.into_text().expect("a text").parse().expect("a number")
    }

    fn own(&mut self, journal: &mut Journal, call: Call, place: usize) -> Option<End> {
        if let Next::Do(number) = journal.next(&call) {
            if self.fate() == Fate::CrashBeforeIntent {
                return Some(End::Broken);
            }
            self.table.own(journal, number, call);
            *self.world.own.entry(place).or_default() += 1;
        }
        None
    }

    fn action(
        &mut self,
        journal: &mut Journal,
        call: Call,
        told: &mut Vec<Option<bool>>,
        act: impl Fn(&mut Self, u32),
    ) -> Option<End> {
        let number = match journal.next(&call) {
            Next::Repeat(came) => {
                told.push(Some(came.succeeded));
                return None;
            }
            Next::Do(number) => number,
        };
        let fate = self.fate();
        if fate == Fate::CrashBeforeIntent {
            return Some(End::Broken);
        }
        let repeatable = call.kind == SET;
        self.table.apply(journal.begin(number, call, 0));
        if fate == Fate::CrashBeforeRequest || (fate == Fate::DoubtBeforeActing && !repeatable) {
            return Some(End::Broken);
        }
        if fate != Fate::Refused {
            act(self, number);
        }
        if fate == Fate::CrashBeforeAnswer || (fate == Fate::DoubtAfterActing && !repeatable) {
            return Some(End::Broken);
        }
        let came = answered("", fate != Fate::Refused);
        self.table.apply(vec![Change::Answer { number, answered: came.clone() }]);
        journal.came(&came);
        told.push(Some(came.succeeded));
        (fate == Fate::Cut).then_some(End::Broken)
    }
}

fn instruction() -> impl Strategy<Value = Instruction> {
    let effect = prop_oneof![Just(Effect::LookedUp), Just(Effect::Keyed), Just(Effect::Unknown)];
    prop_oneof![
        2 => Just(Instruction::Read),
        4 => (effect, any::<bool>()).prop_map(|(effect, reads)| Instruction::Send { effect, reads }),
        2 => (0..3_u8, 0..4_u8).prop_map(|(variable, value)| Instruction::Set { variable, value }),
        2 => Just(Instruction::Own),
        1 => (1..6_u32).prop_map(Instruction::RetryUntil),
        1 => (1..10_u8).prop_map(Instruction::WaitFor),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Works),
        1 => Just(Fate::Refused),
        1 => Just(Fate::DoubtAfterActing),
        1 => Just(Fate::DoubtBeforeActing),
        1 => Just(Fate::CrashBeforeIntent),
        1 => Just(Fate::CrashBeforeRequest),
        1 => Just(Fate::CrashBeforeAnswer),
        1 => Just(Fate::Cut),
        1 => Just(Fate::Replaced),
    ]
}

/// Where the variables stand if the program runs once and nothing fails. One that a service refused to set is left
/// out: it may have been set before by an attempt whose answer was lost.
fn wanted(program: &[Instruction], told: &[Option<bool>]) -> HashMap<u8, u8> {
    let actions = program
        .iter()
        .filter(|instruction| matches!(instruction, Instruction::Send { .. } | Instruction::Set { .. }));
    let sets = actions.zip(told).filter_map(|(instruction, told)| match instruction {
        Instruction::Set { variable, value } => Some((*variable, *value, *told == Some(true))),
        _ => None,
    });
    let (done, refused): (Vec<_>, Vec<_>) = sets.partition(|(_, _, done)| *done);
    let is_certain = |variable: &u8| refused.iter().all(|(other, _, _)| other != variable);
    let done = done.into_iter().map(|(variable, value, _)| (variable, value));
    done.filter(|(variable, _)| is_certain(variable)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_doubled(
        program in proptest::collection::vec(instruction(), 1..12),
        fates in proptest::collection::vec(fate(), 0..24),
    ) {
        let mut simulation = Simulation {
            program: &program,
            fates: fates.iter(),
            world: World::default(),
            table: Table::default(),
            version: 1,
        };
        let told = simulation.play();
        let world = &simulation.world;
        let mut told_of = told.iter();
        for (place, instruction) in program.iter().enumerate() {
            match instruction {
                Instruction::Send { .. } => {
                    let succeeded = told_of.next().copied().flatten() == Some(true);
                    let done = world.done.get(&place).copied().unwrap_or(0);
                    prop_assert_eq!(done, u32::from(succeeded), "the action at {}", place);
                }
                Instruction::Set { .. } => { told_of.next(); }
                Instruction::Own => prop_assert_eq!(world.own.get(&place), Some(&1), "the own step at {}", place),
                Instruction::Read | Instruction::RetryUntil(_) | Instruction::WaitFor(_) => {}
            }
        }
        let wanted = wanted(&program, &told);
        for (variable, value) in wanted {
            prop_assert_eq!(world.variables.get(&variable), Some(&value), "variable {}", variable);
        }
    }
}

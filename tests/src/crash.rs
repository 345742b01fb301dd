//! Kills the real executable again and again, at random moments and at named places, while chats go on; then
//! counts what was lost, doubled, missing, or out of order. The services are simulated in this process and live
//! on: what they saved is the truth. After each end the power of the host's machine may be cut, too.

use std::time::Duration;

use anyhow::{Context, bail};
use chatplug::crash_point::VARIABLE;
use chatplug::simulator::Hits;
use fastrand::Rng;

mod ending;
mod hostile;
mod load;
mod report;
mod stage;
mod truth;

pub use ending::PLACES;
pub use report::Report;

use ending::Ending;
use load::Talk;
use stage::Stage;

/// Whether the host repeats a run without repeating what it did: then nothing may be doubled or counted twice, and
/// nothing ends as a dead letter because a service failed. Where it doesn't, these figures are shown and not asserted.
pub const REPEATS_ARE_HARMLESS: bool = true;

/// Whether the host leaves a chat that it came to for a note even if it was killed in between. Where it does not,
/// the figure is shown and not asserted.
pub const VISITS_END: bool = true;

/// How long the last host may take to leave them: it tries each 30 s what could not be done while a service failed.
const VISITS_PATIENCE: Duration = Duration::from_secs(120);

/// After this many cycles other chats begin: threads stay as short as real ones.
const CYCLES_OF_A_CHAT: usize = 10;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often the host is started and ended, at least.
    pub cycles: usize,
    /// What all random choices are drawn from.
    pub seed: u64,
    /// Chats at the same time.
    pub chats: usize,
    /// Messages of each chat in a cycle.
    pub messages: usize,
    /// How long a host lives that is killed at a random moment, at most.
    pub life: Duration,
    /// Whether the services fail too; and then the run goes on until this many actions ended in doubt.
    pub ambiguous: Option<u64>,
    /// Whether the power of the host's machine is cut at each end: of its store only what was synced is left.
    pub is_power_cut: bool,
    /// How long the last host may take to finish everything.
    pub patience: Duration,
    /// Whether to say how it goes, on standard error.
    pub is_told: bool,
}

impl Plan {
    /// Each way to end once or twice.
    pub fn short(seed: u64) -> Plan {
        Plan::kills(ending::EACH_WAY, seed)
    }

    /// Kills only.
    pub fn kills(cycles: usize, seed: u64) -> Plan {
        Plan {
            cycles,
            seed,
            chats: 8,
            messages: 4,
            life: Duration::from_millis(900),
            ambiguous: None,
            is_power_cut: false,
            patience: Duration::from_secs(120),
            is_told: false,
        }
    }

    /// The same ends, and a power cut at each.
    pub fn power_cuts(cycles: usize, seed: u64) -> Plan {
        Plan { is_power_cut: true, ..Plan::kills(cycles, seed) }
    }

    /// Each way to end once or twice, with a power cut at each.
    pub fn short_power_cuts(seed: u64) -> Plan {
        Plan::power_cuts(ending::EACH_WAY, seed)
    }

    /// Kills, and services that fail, until `ambiguous` actions have ended in doubt. More chats, because one that
    /// waits for a retry stands still; and longer lives, because what is in doubt takes time to settle.
    pub fn hostile(cycles: usize, seed: u64, ambiguous: u64) -> Plan {
        Plan {
            chats: 512,
            messages: 1,
            life: Duration::from_secs(15),
            ambiguous: Some(ambiguous),
            patience: Duration::from_secs(30 * 60),
            ..Plan::kills(cycles, seed)
        }
    }
}

/// Carries a plan out.
///
/// # Errors
/// A host that does not start or does not finish; not what was lost or doubled, which the report tells.
pub async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let mut rng = Rng::with_seed(plan.seed);
    let mut stage = Stage::new(plan.is_power_cut.then_some(plan.seed)).await?;
    let mut report = Report::new(plan.seed);
    let mut talks: Vec<Talk> = Vec::new();
    if plan.ambiguous.is_some() {
        hostile::set(&stage, rng.u64(..));
    }
    let mut drawn = 0_usize;
    while goes_on(plan, &stage, drawn) {
        if drawn.is_multiple_of(CYCLES_OF_A_CHAT) {
            talks.iter_mut().for_each(Talk::end);
            talks.extend(stage.open(plan.chats, talks.len(), &mut rng)?);
        }
        let ending = Ending::draw(&mut rng, drawn, plan.life);
        end_in(plan, &mut stage, &mut talks, ending, &mut report).await?;
        drawn += 1;
        if plan.is_told && drawn.is_multiple_of(20) {
            let doubts = stage.in_doubt();
            eprintln!("{} cycles, {} messages, {doubts} in doubt", report.cycles, load::said(&talks));
        }
    }
    finish(plan, &mut stage, &mut talks, &mut report).await?;
    truth::check(&stage, &talks, &mut report)?;
    Ok(report)
}

/// Has a host end in this way. One that does not come to its place in time is killed, and the next one is to end when it
/// has passed the place less often.
async fn end_in(
    plan: &Plan,
    stage: &mut Stage,
    talks: &mut Vec<Talk>,
    mut ending: Ending,
    report: &mut Report,
) -> anyhow::Result<()> {
    loop {
        let has_come = cycle(plan, stage, talks, &ending, report).await?;
        report.cycles += 1;
        stage.cut_power(report);
        if has_come {
            return Ok(());
        }
        match ending.sooner(report) {
            Some(sooner) => ending = sooner,
            None => return Ok(()),
        }
    }
}

fn goes_on(plan: &Plan, stage: &Stage, cycles: usize) -> bool {
    // An amount of doubt that does not come is no reason to go on for ever.
    let has_doubts = plan.ambiguous.is_none_or(|wanted| stage.in_doubt() >= wanted);
    cycles < plan.cycles || (!has_doubts && cycles < plan.cycles.max(100) * 100)
}

/// Starts the host, has the chats go on, and ends the host; false if it had to be killed, because it did not come to the
/// place where it was to end.
async fn cycle(
    plan: &Plan,
    stage: &mut Stage,
    talks: &mut Vec<Talk>,
    ending: &Ending,
    report: &mut Report,
) -> anyhow::Result<bool> {
    if !ending.start(&mut stage.host, report)? {
        return Ok(true);
    }
    let span = ending.span(plan.life);
    let load = load::start(talks, stage, plan.messages, span);
    let has_come = ending.come(&mut stage.host, report).await?;
    *talks = load.stopped().await?;
    Ok(has_come)
}

/// The services work again; a last host gets what is left of the webhooks and finishes.
async fn finish(
    plan: &Plan,
    stage: &mut Stage,
    talks: &mut [Talk],
    report: &mut Report,
) -> anyhow::Result<()> {
    stage.calm();
    report.faults = stage.hits().iter().flat_map(Hits::by_fault).fold(Default::default(), add);
    report.in_doubt = stage.in_doubt();
    stage.host.set_env(VARIABLE, None);
    stage.host.run();
    for talk in talks.iter_mut() {
        talk.say_rest(stage).await.context("the last host takes no webhook")?;
    }
    stage.drained(plan.patience).await?;
    stage.left(talks, VISITS_PATIENCE).await;
    if !stage.host.stop() {
        bail!("the last host did not stop well:\n{}", stage.host.log_end());
    }
    Ok(())
}

type Sums = std::collections::BTreeMap<&'static str, u64>;

fn add(mut sums: Sums, (name, count): (&'static str, u64)) -> Sums {
    *sums.entry(name).or_default() += count;
    sums
}

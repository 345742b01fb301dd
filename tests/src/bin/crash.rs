//! The long crash test: `cargo xtask crash`. Its figures stand in `docs/reliability.md`.

use std::process::ExitCode;

use chatplug_tests::crash::{Plan, run};
use clap::Parser;

/// Kills the real executable again and again and counts what was lost, doubled, missing or out of order.
#[derive(Parser)]
#[command(bin_name = "cargo xtask crash")]
struct Args {
    /// How often the host is started and ended, at least.
    #[arg(long, default_value_t = 1_000)]
    cycles: usize,
    /// What all random choices are drawn from; by default another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Let the simulated services fail too.
    #[arg(long)]
    hostile: bool,
    /// With --hostile: go on until so many actions have ended in doubt.
    #[arg(long, default_value_t = 10_000)]
    ambiguous: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let plan = match args.hostile {
        true => Plan::hostile(args.cycles, seed, args.ambiguous),
        false => Plan::kills(args.cycles, seed),
    };
    eprintln!("seed {seed}");
    let report = run(&Plan { is_told: true, ..plan }).await?;
    Ok(if report.tell() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

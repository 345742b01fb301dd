//! `cargo xtask power-cut`: the long version of the power cuts in the tests. Its figures stand in `docs/reliability.md`.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use chatplug_tests::crash::{Plan, run};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (mut cycles, mut seed) = (200, 1);
    for pair in args.chunks(2) {
        let [name, value] = pair else { bail!("{} needs a number", pair[0]) };
        let number = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--cycles" => cycles = number,
            "--seed" => seed = number,
            _ => bail!("unknown argument {name}; known: --cycles N, --seed N"),
        }
    }
    let plan = Plan { is_told: true, ..Plan::power_cuts(usize::try_from(cycles)?, seed) };
    let report = run(&plan).await?;
    let is_well = report.tell();
    ensure!(report.answered > 0, "no webhook was answered: the run says nothing");
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

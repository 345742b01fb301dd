//! `cargo xtask power-cut`: the long version of the power cuts in the tests.

use std::process::ExitCode;

use anyhow::{Context, bail};
use chatplug_tests::power;

fn main() -> anyhow::Result<ExitCode> {
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
    let report = power::run(usize::try_from(cycles)?, seed)?;
    print!("{report}");
    Ok(if report.lost == 0 && report.damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

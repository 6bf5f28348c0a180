//! Medians and ratios, as a table and as JSON.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::rounds::{Measured, Round};

#[expect(clippy::cast_precision_loss, reason = "megabytes with one digit after the point")]
pub(super) fn table(results: &[Measured]) {
    println!(
        "\n{:<26} {:>7} {:>15} {:>6} {:>11} {:>7}",
        "", "CPU µs", "lowest-highest", "ratio", "requests/s", "RSS MB"
    );
    for it in results {
        let cpu = it.cpu();
        let range = format!(
            "{:.1}-{:.1}",
            cpu.iter().copied().fold(f64::INFINITY, f64::min),
            cpu.iter().copied().fold(0.0, f64::max)
        );
        println!(
            "{:<26} {:>7.1} {:>15} {:>6.2} {:>11.0} {:>7.1}",
            it.name,
            median(cpu),
            range,
            ratio(it, results),
            median(it.rates()),
            it.resident_kb as f64 / 1024.0
        );
    }
    println!("\nMedians; CPU time of the proxy for one request, ratio to the smallest proxy.");
}

pub(super) fn json(results: &[Measured], file: &Path) -> Result<()> {
    let proxies: Vec<_> = results
        .iter()
        .map(|it| {
            json!({
                "name": it.name,
                "cpu_us": median(it.cpu()),
                "ratio": ratio(it, results),
                "requests_per_second": median(it.rates()),
                "resident_kb": it.resident_kb,
                "rounds": { "cpu_us": it.cpu(), "requests_per_second": it.rates() },
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&json!({ "proxies": proxies }))?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// The median of the ratios of each round to the first proxy's turn in the same round: what slows
/// the machine down for a minute slows both, and leaves their ratio.
fn ratio(it: &Measured, results: &[Measured]) -> f64 {
    let smallest = results.first().map(Measured::cpu).unwrap_or_default();
    median(it.cpu().iter().zip(smallest).map(|(cpu, base)| cpu / base).collect())
}

impl Measured {
    fn cpu(&self) -> Vec<f64> {
        self.rounds.iter().map(|Round { cpu_us, .. }| *cpu_us).collect()
    }

    fn rates(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.requests_per_second).collect()
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{Measured, Round, ratio};

    fn measured(cpu: [f64; 3]) -> Measured {
        let round = |cpu_us| Round { cpu_us, requests_per_second: 1.0 };
        Measured { name: "", rounds: cpu.map(round).into(), resident_kb: 0 }
    }

    #[test]
    fn a_slow_round_of_the_machine_does_not_change_the_ratio() {
        let results = [measured([20.0, 60.0, 20.0]), measured([30.0, 90.0, 31.0])];
        assert!((ratio(&results[1], &results) - 1.5).abs() < 1e-9);
    }
}

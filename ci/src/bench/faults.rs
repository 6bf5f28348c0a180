//! What a plugin that misbehaves costs the requests that it has nothing to do with.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::machine::Cores;
use super::report::median;
use super::{BuiltFaults, Options};
use crate::service::Service;
use crate::step;

const ROUNDS: usize = 7;
/// What the plugin does; nothing first.
const FAULTS: [&str; 4] = ["", "panic", "hang", "bad-status"];

/// What neighbours waited in one turn, in microseconds.
#[derive(Clone, Copy)]
struct Waited {
    p50: f64,
    p99: f64,
}

pub(super) async fn measure(built: &BuiltFaults, folder: &Path, options: &Options) -> Result<()> {
    let cores = Cores::choose()?;
    let mut upstream = Service::start("the upstream", cores.rest(&built.upstream))?;
    let target = upstream.address().await?;
    let mut host = host(built, cores, folder, &target)?;
    let address = host.address().await?;
    let (rounds, turn) = match options.quick {
        true => (1, 1000),
        false => (ROUNDS, options.seconds * 1000 / u32::try_from(ROUNDS)?),
    };

    step("warming up");
    load(built, cores, &address, turn, "").await?;
    let mut turns: Vec<[Waited; FAULTS.len()]> = Vec::new();
    for round in 1..=rounds {
        step(&format!("round {round} of {rounds}"));
        let mut waited = [Waited { p50: f64::NAN, p99: f64::NAN }; FAULTS.len()];
        for (fault, waited) in FAULTS.iter().zip(&mut waited) {
            *waited = load(built, cores, &address, turn, fault).await?;
        }
        turns.push(waited);
    }
    report(&turns);
    Ok(())
}

/// The plugin that misbehaves stands between two that do not.
fn host(built: &BuiltFaults, cores: Cores, folder: &Path, upstream: &str) -> Result<Service> {
    let mut command = cores.proxy(&built.host);
    command
        .args(["--port", "127.0.0.1:0", "--access-log", "off"])
        .args(["--target", &format!("http://{upstream}")])
        .args(["--plugin-deadline", "1s"])
        .arg("--patches")
        .arg(folder)
        .arg("--state")
        .arg(folder.join("state"));
    for plugin in [&built.noop_plugin, &built.misbehaves, &built.noop_plugin] {
        command.arg("--pre-plugin").arg(plugin);
    }
    Service::start("the host", command)
}

async fn load(
    built: &BuiltFaults,
    cores: Cores,
    address: &str,
    milliseconds: u32,
    fault: &str,
) -> Result<Waited> {
    let output = cores
        .rest(&built.load)
        .args([address, &milliseconds.to_string(), fault])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start the load")?;
    if !output.status.success() {
        bail!("the load failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut figures = said.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(Ok(p50)), Some(Ok(p99))) => Ok(Waited { p50, p99 }),
        _ => bail!("the load has printed {said:?}"),
    }
}

fn report(turns: &[[Waited; FAULTS.len()]]) {
    println!("\n{:<26} {:>7} {:>6} {:>7} {:>6}", "", "p50 µs", "ratio", "p99 µs", "ratio");
    for (at, fault) in FAULTS.iter().enumerate() {
        let of = |figure: fn(&Waited) -> f64| {
            let all = turns.iter().map(|turn| figure(&turn[at])).collect();
            // Each is held against the undisturbed turn of its own round.
            let ratios = turns.iter().map(|turn| figure(&turn[at]) / figure(&turn[0])).collect();
            (median(all), median(ratios))
        };
        let ((p50, ratio50), (p99, ratio99)) = (of(|it| it.p50), of(|it| it.p99));
        let name = if fault.is_empty() { "undisturbed" } else { fault };
        println!("{name:<26} {p50:>7.0} {ratio50:>6.2} {p99:>7.0} {ratio99:>6.2}");
    }
    println!(
        "\nWhat requests waited while 100 others a second made a plugin of their chain misbehave; \
         medians of {} rounds.",
        turns.len()
    );
}

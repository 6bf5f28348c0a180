//! `cargo xtask bench`

mod faults;
mod machine;
mod peers;
mod report;
mod rounds;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{build_plugin, cargo, service, step};

/// Measure the CPU time that a request costs, against other proxies in the same run.
///
/// Each proxy runs on one core, the load and the upstream on another. The proxies take turns in
/// several rounds, since machines are noisy: compare the ratios of one run, not runs. Then come
/// the costs of single calls over the plugin boundary, and of events: their conversion, the pool
/// beside Extism alone, the store (cargo bench).
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the events
    #[arg(long, conflicts_with_all = ["quick", "json"])]
    events: bool,
    /// Only what a plugin that misbehaves costs the requests of others
    #[arg(long, conflicts_with_all = ["events", "json"])]
    faults: bool,
    /// Seconds of load for each proxy, over all rounds
    #[arg(long, value_name = "N", default_value_t = 14)]
    seconds: u32,
    /// A second of load for each proxy, and no single calls: to see that the benchmark works
    #[arg(long)]
    quick: bool,
    /// Another build of the host, an older version perhaps, to compare with
    #[arg(long, value_name = "HOST", conflicts_with_all = ["events", "faults"])]
    other: Option<PathBuf>,
    /// Write the figures of every round to a file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the benchmark runs, as cargo has built it.
struct Built {
    host: PathBuf,
    /// To compare with.
    other: Option<PathBuf>,
    pre_plugin: PathBuf,
    post_plugin: PathBuf,
    noop_plugin: PathBuf,
    smallest_proxy: PathBuf,
    upstream: PathBuf,
    load: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.events {
        return events();
    }
    if options.faults {
        return faults(options);
    }
    let built = Built { other: options.other.clone(), ..build()? };
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let results = service::until_interrupted(rounds::measure(&built, folder.path(), options))?
        .context("interrupted; there are no figures without the last round")?;
    report::table(&results);
    if let Some(file) = &options.json {
        report::json(&results, file)?;
    }
    if options.quick {
        return Ok(());
    }
    step("single calls over the boundary: cargo bench");
    cargo::run(cargo::cargo().args(["bench", "--package", "host-proxy", "--features", "bench"]))?;
    events()
}

/// What the benchmark of faults runs.
struct BuiltFaults {
    host: PathBuf,
    noop_plugin: PathBuf,
    misbehaves: PathBuf,
    upstream: PathBuf,
    load: PathBuf,
}

fn faults(options: &Options) -> Result<()> {
    step("building the host and a plugin that misbehaves (release)");
    let packages = ["-p=host", "-p=xtask"];
    let artefacts = cargo::build(cargo::cargo().args(["build", "--release"]).args(packages))?;
    let fixture = |name: &str| {
        let folder = cargo::root().join("fixtures/plugins").join(name);
        build_plugin::library(&folder, "release", None, None)
    };
    let built = BuiltFaults {
        host: cargo::find(&artefacts, "host")?,
        noop_plugin: fixture("noop")?,
        misbehaves: fixture("misbehaves")?,
        upstream: cargo::find(&artefacts, "bench-upstream")?,
        load: cargo::find(&artefacts, "bench-faults")?,
    };
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    service::until_interrupted(faults::measure(&built, folder.path(), options))?
        .context("interrupted; there are no figures without the last round")
}

fn events() -> Result<()> {
    step("events: cargo bench");
    let benches = ["--bench", "codec", "--bench", "pool", "--bench", "store"];
    cargo::run(cargo::cargo().args(["bench", "--package", "host-events"]).args(benches))
}

fn build() -> Result<Built> {
    step("building the host, its plugins and its peers (release)");
    let packages = ["-p=host", "-p=pre-plugin", "-p=post-plugin", "-p=xtask"];
    let artefacts = cargo::build(cargo::cargo().args(["build", "--release"]).args(packages))?;
    let noop = cargo::root().join("fixtures/plugins/noop");
    Ok(Built {
        host: cargo::find(&artefacts, "host")?,
        other: None,
        pre_plugin: cargo::find(&artefacts, "pre_plugin")?,
        post_plugin: cargo::find(&artefacts, "post_plugin")?,
        noop_plugin: build_plugin::library(&noop, "release", None, None)?,
        smallest_proxy: cargo::find(&artefacts, "smallest-proxy")?,
        upstream: cargo::find(&artefacts, "bench-upstream")?,
        load: cargo::find(&artefacts, "bench-load")?,
    })
}

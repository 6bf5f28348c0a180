//! `host test`: runs an event plugin's own tests, and the fixtures that say what is expected.

mod find;
mod log;
mod report;

use crate::Usage;
use crate::cli::TestArgs;
use crate::events::code_cache;
use anyhow::{Context, Result, bail};
use host_events::Manifest;
use host_events::fixture::Fixtures;
use host_events::harness::Harness;
use log::Log;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Where fixtures are unless it is said.
const FOLDER: &str = "fixtures";

/// Runs all tests; the exit code says whether all have passed.
pub fn run(args: &TestArgs) -> Result<ExitCode> {
    let file = find::plugin(args.file.as_deref(), Path::new("."))?;
    let fixtures = fixtures(args.fixtures.as_deref())?;
    let log = Log::start();
    // Kept between tests, which each have an instance of their own, and no longer.
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let cache = code_cache(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let passed = runtime.block_on(test(args, file, fixtures, cache, &log))?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fixtures(folder: Option<&Path>) -> Result<Fixtures> {
    match (folder, folder.unwrap_or(Path::new(FOLDER))) {
        (None, folder) if !folder.exists() => Ok(Fixtures::default()),
        (Some(folder), _) if !folder.is_dir() => {
            Err(Usage(format!("--fixtures {} is no folder", folder.display())).into())
        }
        (_, folder) => Fixtures::read(folder)
            .with_context(|| format!("the fixtures in {} cannot be read", folder.display())),
    }
}

async fn test(
    args: &TestArgs,
    file: PathBuf,
    fixtures: Fixtures,
    cache: PathBuf,
    log: &Log,
) -> Result<bool> {
    let manifest = Manifest {
        timeout: args.timeout,
        memory: args.memory,
        config: args.config.iter().cloned().collect(),
        secrets: args.secret.iter().cloned().collect(),
        ..Manifest::new(&file)
    };
    let shown = file.display();
    let harness = Harness::new(manifest, fixtures, Some(cache)).await;
    let harness = harness.with_context(|| format!("the plugin {shown} cannot be tested"))?;
    let tests = harness.tests();
    if tests.is_empty() {
        bail!(
            "there is nothing to test: {shown} exports no function test or test_…, and no fixture \
             has an `expect`; {}",
            find::how_to_test(&file)
        );
    }
    say!("testing {shown}")?;
    let mut report = Report::new(&tests, args.verbose);
    for test in &tests {
        log.take(); // what the plugin logged while it was loaded
        let begin = Instant::now();
        let verdict = harness.run(test).await;
        report.add(test, &verdict, begin.elapsed(), &log.take())?;
    }
    Ok(report.finish()?)
}

//! The project's tasks. `cargo xtask --help` lists them.

mod bench;
mod build;
mod build_guests;
mod build_plugin;
mod cargo;
mod demo;
mod fuzz;
mod generate;
mod lint;
mod service;
mod test;

use std::process::ExitCode;

use clap::Parser;

/// Build, try, test and measure the host and its plugins.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
enum Task {
    /// Build the host, the plugins and the patches for release and list what came out
    Build,
    BuildPlugin(build_plugin::Options),
    BuildGuests(build_guests::Options),
    /// Check formatting, lints, documentation, licences and banned dependencies
    Lint,
    Test(test::Options),
    Demo(demo::Options),
    Bench(bench::Options),
    Fuzz(fuzz::Options),
    Generate(generate::Options),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Build => build::run(),
        Task::BuildPlugin(options) => build_plugin::run(&options),
        Task::BuildGuests(options) => build_guests::run(&options),
        Task::Lint => lint::run(),
        Task::Test(options) => test::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Generate(options) => generate::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says on standard error what a slow step is about to do.
fn step(what: &str) {
    eprintln!("==> {what}");
}

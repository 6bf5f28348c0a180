//! `host fixtures`: events in files, for the tests of event plugins.

use crate::Usage;
use crate::cli::{FixturesArgs, FixturesCommand};
use anyhow::Result;
use host_events::fixture::{GenerateError, generate, templates};
use std::io::Write;
use std::process::ExitCode;

/// Lists templates, or makes a fixture of one.
pub fn run(args: &FixturesArgs) -> Result<ExitCode> {
    match &args.command {
        FixturesCommand::ListTemplates => {
            let mut out = std::io::stdout().lock();
            for template in templates() {
                let (name, description) = (&template.name, template.description());
                let line = format!("host fixtures generate {name} <name> - {description}");
                // `| head` has seen enough, which is no failure.
                if writeln!(out, "{line} (types.OneOf)").is_err() {
                    break;
                }
            }
        }
        FixturesCommand::Generate { template, name, dir } => {
            let path = generate(dir, template, name).map_err(usage)?;
            say!("Fixture generated: {}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn usage(error: GenerateError) -> anyhow::Error {
    match error {
        GenerateError::NoTemplate { .. } => {
            Usage(format!("{error} `host fixtures list-templates` lists them")).into()
        }
        GenerateError::Name(_) => Usage(error.to_string()).into(),
        GenerateError::Write { .. } => error.into(),
    }
}

//! `host fixtures`: events in files, for the tests of event plugins.

use crate::Usage;
use crate::cli::{FixturesArgs, FixturesCommand};
use anyhow::Result;
use host_events::fixture::{GenerateError, generate, templates};
use std::process::ExitCode;

/// Lists templates, or makes a fixture of one.
pub fn run(args: &FixturesArgs) -> Result<ExitCode> {
    match &args.command {
        FixturesCommand::ListTemplates => {
            for template in templates() {
                let (name, description) = (&template.name, template.description());
                say!("host fixtures generate {name} <name> - {description} (types.OneOf)")?;
            }
        }
        FixturesCommand::Generate { template, name, dir } => {
            let path = generate(dir, template, name).map_err(usage)?;
            say!("Fixture generated: {}", path.display())?;
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

//! The settings as flags.

use super::{DEBUG, Form, SETTINGS, Setting};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The flags that were given, as they were written.
#[derive(Clone, Debug, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    pub(super) fn get(&self, flag: &str) -> Option<&str> {
        self.0.get(flag).map(String::as_str)
    }

    /// `--debug` is given, before the command or after it.
    pub(crate) fn debug(&mut self) {
        self.0.insert(DEBUG.flag, "true".to_owned());
    }

    fn read(matches: &ArgMatches) -> Self {
        let given = SETTINGS.iter().filter_map(|setting| {
            let texts: Vec<_> = matches.get_many::<String>(setting.flag)?.cloned().collect();
            Some((setting.flag, texts.join(",")))
        });
        Self(given.collect())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| command.arg(arg(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self::read(matches))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::read(matches).0);
        Ok(())
    }
}

/// Defaults and variables are only told of: clap would take them for what the user has written, before
/// what is in the file.
fn arg(setting: &Setting) -> Arg {
    let mut help = setting.help.to_owned();
    // Into a String: it cannot fail.
    if let Some(default) = setting.default {
        let _ = write!(help, " [default: {default}]");
    }
    if !setting.env.is_empty() {
        let _ = write!(help, " [env: {}]", setting.env.join(", "));
    }
    let arg = Arg::new(setting.flag).long(setting.flag).help(help).help_heading(setting.heading);
    match setting.form {
        Form::Text(name) => arg.value_name(name).action(ArgAction::Set),
        Form::Count(_) => arg.value_name("COUNT").action(ArgAction::Set),
        Form::Date => arg.value_name("DATE").action(ArgAction::Set),
        Form::Time => arg.value_name("TIME").action(ArgAction::Set),
        Form::List => arg.value_name("LIST").action(ArgAction::Append),
        Form::Switch => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .action(ArgAction::Set),
    }
}

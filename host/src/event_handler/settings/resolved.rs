//! What counts: the flag, the file, the environment, the default, in this order.

use super::{Document, FOR_A_CLUSTER, Flags, Form, Setting, all};
use crate::Usage;
use crate::values;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use toml::Value;

/// All settings that have a value.
#[derive(Debug)]
pub(crate) struct Settings(BTreeMap<&'static str, Set>);

/// A value, as a text, and where it is from.
#[derive(Debug)]
struct Set {
    text: String,
    from: From,
}

#[derive(Debug)]
enum From {
    Flag(&'static str),
    File { path: PathBuf, key: String },
    Variable(&'static str),
    Default(&'static str),
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::File { path, key } => write!(f, "{}: {key}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Default(flag) => write!(f, "the default of --{flag}"),
        }
    }
}

impl Settings {
    /// Looks everything up. Values are read later: one that does not count may be wrong.
    pub(crate) fn resolve(
        flags: &Flags,
        file: Option<&Document>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Usage> {
        let mut set = BTreeMap::new();
        for setting in all() {
            if let Some(value) = look_up(setting, flags, file, env)? {
                set.insert(setting.flag, value);
            }
        }
        Ok(Self(set))
    }

    /// Whether each is what it should be, also those that nothing will ask for.
    pub(crate) fn check(&self) -> Result<(), Usage> {
        for Setting { flag, form, .. } in all() {
            match form {
                Form::Count(least) => _ = self.read(flag, |text| count(text, *least))?,
                Form::Time => _ = self.time(flag)?,
                Form::Date => _ = self.date(flag)?,
                Form::Switch => _ = self.switch(flag)?,
                Form::Text(_) | Form::List => {}
            }
        }
        Ok(())
    }

    /// For the developer: what counts, and where it is from.
    pub(crate) fn log(&self) {
        for (flag, Set { text, from }) in &self.0 {
            tracing::debug!("{flag} is {text:?}, from {from}");
        }
    }

    /// What is for a cluster and was asked for where there is none is told of. A variable of the environment
    /// may be meant for another run.
    pub(crate) fn warn_of_unheeded(&self) {
        for line in self.unheeded() {
            tracing::warn!("{line}");
        }
    }

    fn unheeded(&self) -> Vec<String> {
        if self.text("source").is_none() {
            return Vec::new();
        }
        let set = FOR_A_CLUSTER.iter().filter_map(|flag| self.0.get(flag));
        set.filter(|set| matches!(set.from, From::Flag(_) | From::File { .. }))
            .map(|Set { from, .. }| {
                format!("{from}: it is for a cluster, and with --source does nothing")
            })
            .collect()
    }

    /// What it is; an empty text is none.
    pub(crate) fn text(&self, flag: &str) -> Option<&str> {
        self.0.get(flag).map(|set| set.text.trim()).filter(|text| !text.is_empty())
    }

    pub(crate) fn path(&self, flag: &str) -> Option<PathBuf> {
        self.text(flag).map(PathBuf::from)
    }

    /// What it is, read by `read`; an error says where the value is from.
    pub(crate) fn read<T, E: fmt::Display>(
        &self,
        flag: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Usage> {
        let Some(text) = self.text(flag) else { return Ok(None) };
        read(text).map(Some).map_err(|error| self.wrong(flag, &error))
    }

    pub(crate) fn time(&self, flag: &str) -> Result<Option<Duration>, Usage> {
        self.read(flag, values::time)
    }

    pub(crate) fn date(&self, flag: &str) -> Result<Option<SystemTime>, Usage> {
        let date = self.read(flag, |text| {
            text.parse::<jiff::Timestamp>().map_err(|_| {
                format!("{text:?} is not a time in RFC 3339; write 2024-02-23T19:00:00Z")
            })
        })?;
        Ok(date.map(Into::into))
    }

    pub(crate) fn number<T: FromStr>(&self, flag: &str) -> Result<Option<T>, Usage> {
        self.read(flag, |text| text.parse().map_err(|_| format!("{text:?} is no number that fits")))
    }

    pub(crate) fn switch(&self, flag: &str) -> Result<bool, Usage> {
        let read = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        };
        Ok(self.read(flag, read)?.unwrap_or(false))
    }

    pub(crate) fn list(&self, flag: &str) -> HashSet<String> {
        let items = self.text(flag).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// An error of a setting, which names where its value is from.
    pub(crate) fn wrong(&self, flag: &str, problem: &dyn fmt::Display) -> Usage {
        match self.0.get(flag) {
            Some(Set { from, .. }) => Usage(format!("{from}: {problem}")),
            None => Usage(format!("--{flag}: {problem}")),
        }
    }
}

fn count(text: &str, least: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| format!("{text:?} is not a number from {least} on"))
}

fn look_up(
    setting: &Setting,
    flags: &Flags,
    file: Option<&Document>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Set>, Usage> {
    let flag = setting.flag;
    if let Some(text) = flags.get(flag) {
        return Ok(Some(Set { text: text.to_owned(), from: From::Flag(flag) }));
    }
    if let Some(file) = file
        && let Some((key, value)) = file.find(flag)
    {
        let from = From::File { path: file.path.clone(), key };
        let text =
            as_text(value, setting.form).map_err(|error| Usage(format!("{from}: {error}")))?;
        return Ok(Some(Set { text, from }));
    }
    let variable = setting.env.iter().find_map(|name| Some((*name, env(name)?)));
    if let Some((name, text)) = variable {
        return Ok(Some(Set { text, from: From::Variable(name) }));
    }
    let default = |text: &str| Set { text: text.to_owned(), from: From::Default(flag) };
    Ok(setting.default.map(default))
}

fn as_text(value: &Value, form: Form) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(items) if form == Form::List => {
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            texts.ok_or("it is a list of something else than texts")?.join(",")
        }
        Value::Array(_) => return Err("a value is wanted here, not a list".to_owned()),
        Value::Table(_) => return Err("a value is wanted here, not a table".to_owned()),
    })
}

impl Document {
    /// Keys that mean nothing are told of, as a slip of the pen in one would go unseen.
    pub(crate) fn warn_of_unknown(&self) {
        for key in self.unknown(all().map(|setting| setting.flag)) {
            tracing::warn!("{}: the key {key} is not known and means nothing", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SETTINGS;
    use super::*;
    use clap::{Args, Command, FromArgMatches};
    use std::path::Path;

    fn resolve(args: &[&str], file: &str, env: &[(&str, &str)]) -> Settings {
        let command = Flags::augment_args(Command::new("start"));
        let matches = command.get_matches_from([&["start"], args].concat());
        let flags = Flags::from_arg_matches(&matches).unwrap();
        let file = Document::parse(Path::new("a.toml"), file.to_owned()).unwrap();
        let env =
            |name: &str| env.iter().find(|(it, _)| *it == name).map(|(_, text)| (*text).to_owned());
        Settings::resolve(&flags, Some(&file), &env).unwrap()
    }

    #[test]
    fn every_setting_follows_the_same_order() {
        for Setting { flag, form, env, default, .. } in SETTINGS {
            let arg = format!("--{flag}=true");
            let (args, file) = ([arg.as_str()], format!("{flag} = 'no'"));
            let vars: Vec<_> = env.iter().map(|name| (*name, "on")).collect();
            let text = |args: &[&str], file: &str, env: &[(&str, &str)]| {
                resolve(args, file, env).text(flag).map(str::to_owned)
            };
            assert_eq!(text(&args, &file, &vars).as_deref(), Some("true"), "{flag} {form:?}");
            assert_eq!(text(&[], &file, &vars).as_deref(), Some("no"), "{flag}");
            for var in &vars {
                assert_eq!(text(&[], "", &[*var]).as_deref(), Some("on"), "{flag} {var:?}");
            }
            assert_eq!(text(&[], "", &[]).as_deref(), *default, "{flag}");
        }
    }

    #[test]
    fn values_are_read_as_what_they_are() {
        let file = "batch = 7\ntypes = ['a', 'b']\nstart-time = 2024-02-23T00:00:00Z\n\
                    dry-run = true\nskip-event-types = 'c, d'";
        let settings = resolve(&["--exit-on-last-event", "--types=x", "--types=y,z"], file, &[]);
        assert_eq!(settings.number::<u32>("batch").unwrap(), Some(7));
        assert_eq!(settings.list("types"), ["x", "y", "z"].map(str::to_owned).into());
        assert_eq!(settings.list("skip-event-types"), ["c", "d"].map(str::to_owned).into());
        assert_eq!(settings.text("start-time"), Some("2024-02-23T00:00:00Z"));
        assert!(
            settings.switch("dry-run").unwrap() && settings.switch("exit-on-last-event").unwrap()
        );
        assert_eq!(settings.time("window-size").unwrap(), Some(Duration::from_secs(86400)));
        assert_eq!(settings.time("lock-for").unwrap(), None);
        let of_file = resolve(&[], "types = ['a', 'b']\ntimeout = ''", &[]);
        assert_eq!(of_file.list("types"), ["a", "b"].map(str::to_owned).into());
        assert_eq!(of_file.text("timeout"), None, "what is empty is none");
    }

    #[test]
    fn an_error_says_where_the_value_is_from() {
        let error = |args: &[&str], file: &str, env: &[(&str, &str)]| {
            resolve(args, file, env).check().unwrap_err().0
        };
        let problem = "\"0\" is not a number from 1 on";
        assert_eq!(error(&["--batch=0"], "", &[]), format!("--batch: {problem}"));
        assert_eq!(error(&[], "batch = 0", &[]), format!("a.toml: batch: {problem}"));
        let of_date = error(&["--source=-", "--start-time=soon"], "", &[]);
        assert!(of_date.starts_with("--start-time: \"soon\" is not a time"), "{of_date}");
        let of_env = error(&[], "", &[("FDFWD_BATCH", "0")]);
        assert_eq!(of_env, format!("the environment variable FDFWD_BATCH: {problem}"));
        let file = Document::parse(Path::new("a.toml"), "[batch]\nx = 1".to_owned()).unwrap();
        let error = Settings::resolve(&Flags::default(), Some(&file), &|_| None).unwrap_err().0;
        assert_eq!(error, "a.toml: batch: a value is wanted here, not a table");
    }

    #[test]
    fn what_is_for_a_cluster_is_told_of_beside_a_file() {
        let (args, file) =
            (["--batch=7", "--types=a"], "[window]\nsize = '1h'\n[teleport]\naddr = 'a:1'");
        let env = [("FDFWD_TIMEOUT", "1s"), ("FDFWD_CONCURRENCY", "1")];
        assert!(resolve(&args, file, &env).unheeded().is_empty(), "there is a cluster");
        let unheeded = resolve(&[&args[..], &["--source=-"]].concat(), file, &env).unheeded();
        let text = "it is for a cluster, and with --source does nothing";
        assert_eq!(unheeded, [format!("--batch: {text}"), format!("a.toml: window.size: {text}")]);
    }
}

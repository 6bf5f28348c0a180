//! Candidates that the user asks for: read, loaded and put beside what they are compared with.

use crate::Usage;
use crate::cli::ProxyArgs;
use crate::file::{FilePlugins, ShadowTable};
use crate::operator::short;
use crate::operator::{self, date};
use crate::plugins::Asked;
use crate::wasm::{Sandbox, is_module};
use anyhow::{Context, Result};
use host_proxy::native::{Content, Loader};
use host_proxy::{Life, Parts, Place, Policy, Shadow, ShadowSettings, ShadowTarget, Stage, State};
use http::HeaderName;
use std::path::Path;
use std::sync::Arc;

/// A candidate as the user asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedShadow {
    pub(crate) asked: Asked,
    pub(crate) target: ShadowTarget,
}

impl AskedShadow {
    /// Reads `[PLACE[:NAME]=]PATH[={JSON}]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Usage> {
        let placed = text.split_once('=').and_then(|(front, rest)| {
            let target = ShadowTarget::parse(front)?;
            // A plugin that is called like a place, with its configuration.
            (!rest.starts_with('{')).then_some((target, rest))
        });
        let (target, rest) = placed.unwrap_or((ShadowTarget::default(), text));
        Ok(Self { asked: Asked::parse(rest)?, target })
    }

    fn of_file(table: &ShadowTable) -> Result<Self> {
        let place = table.place.as_deref().map(|name| {
            Place::of(name).ok_or_else(|| {
                Usage(format!(
                    "[[shadow]]: there is no place {name:?}; the places are pre, post, \
                     authenticator, reverse_proxy, error_page"
                ))
            })
        });
        let target = ShadowTarget { place: place.transpose()?, replaces: table.replaces.clone() };
        let config = table.config.as_ref().map(serde_json::to_string).transpose()?;
        let (path, config) = (table.path.clone(), config.unwrap_or_default());
        let asked = Asked { path, config, sandbox: Sandbox::default() };
        Ok(Self { asked, target })
    }

    /// All that flags and file ask for.
    pub(crate) fn all(args: &ProxyArgs, file: &FilePlugins) -> Result<Vec<Self>> {
        let tables = file.shadow.iter().map(Self::of_file);
        let flags = args.shadow.iter().map(|text| Ok(Self::parse(text)?));
        tables.chain(flags).collect()
    }

    /// Loads the candidate from this content, whatever is at `path` by now, for its place beside
    /// `parts`; `policy` is for one that takes no other's place. Blocks.
    pub(crate) fn load(
        &self,
        (path, content): (&Path, &Content),
        settings: ShadowSettings,
        loader: &Loader,
        parts: &Parts,
        policy: impl Fn(Place) -> Policy,
    ) -> Result<Arc<Shadow>> {
        if is_module(path, &content.bytes) {
            let path = path.display();
            return Err(Usage(format!(
                "{path}: a module in WebAssembly cannot be a shadow; only libraries can"
            ))
            .into());
        }
        let life = Arc::new(Life::default());
        life.enter(State::Loading);
        let loaded = loader.load_candidate(path, content, &self.asked.config);
        let (plugin, isolation) = loaded.context("the shadow is not usable")?;
        let (place, replaces) = self.target.find(&plugin, parts).map_err(Usage)?;
        let inherited = policy_of(parts, place, replaces.as_deref());
        let policy = inherited.unwrap_or_else(|| policy(place));
        let stage = Stage::new(plugin, place, policy, life);
        let shadow = Shadow::new(stage, Some(isolation), replaces.clone(), settings)?;
        let info = &shadow.candidate().plugin.info;
        tracing::info!(
            place = place.as_str(),
            name = info.name,
            version = info.version,
            sha256 = short(&info.sha256),
            compared_with = replaces.as_deref().unwrap_or("what is built in, or nothing"),
            "{} is a shadow: it sees copies of requests",
            path.display()
        );
        Ok(shadow)
    }
}

/// Once it is in use, a candidate is treated as what it replaces was.
fn policy_of(parts: &Parts, place: Place, replaces: Option<&str>) -> Option<Policy> {
    let stages = match place {
        Place::Pre => &parts.pre[..],
        Place::Post => &parts.post,
        Place::Authenticator => parts.authenticator.as_slice(),
        Place::ReverseProxy => parts.reverse_proxy.as_slice(),
        Place::ErrorPage => parts.error_page.as_slice(),
    };
    let replaced = stages.iter().find(|stage| Some(&*stage.plugin.info.name) == replaces);
    replaced.map(|stage| stage.policy)
}

/// What is asked of all shadows.
pub(crate) fn settings(args: &ProxyArgs) -> Result<ShadowSettings> {
    let default = ShadowSettings::default();
    let share = |flag: &str, value: Option<f64>, default: f64| match value {
        None => Ok(default),
        Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Some(other) => Err(Usage(format!("{flag} {other}: a share is from 0 to 1, as in 0.1"))),
    };
    let deadline = args.shadow_deadline.unwrap_or(default.deadline);
    if deadline.is_zero() {
        return Err(
            Usage("--shadow-deadline cannot be 0: no shadow would ever decide".into()).into()
        );
    }
    let names = args.shadow_ignore.iter().map(|name| {
        name.parse::<HeaderName>()
            .map_err(|_| Usage(format!("--shadow-ignore: {name:?} is not the name of a header")))
    });
    Ok(ShadowSettings {
        sample: share("--shadow-sample", args.shadow_sample, default.sample)?,
        limit: share("--shadow-limit", args.shadow_limit, default.limit)?,
        least: args.shadow_least.unwrap_or(default.least),
        deadline,
        ignored: names.collect::<Result<_, _>>()?,
    })
}

/// What an operator sees of a shadow; `compared_with` is the number of the part that it is compared
/// with, 0 if that is none.
pub(crate) fn status(shadow: &Shadow, compared_with: u64) -> operator::Shadow {
    let (report, settings) = (shadow.report(), shadow.settings());
    operator::Shadow {
        plugin: operator::Plugin::of(shadow.candidate()),
        compared_with,
        requests: report.requests,
        differed: report.differed,
        skipped: report.skipped,
        not_comparable: report.not_comparable,
        limit: settings.limit,
        least: settings.least,
        verdict: match report.verdict {
            Ok(()) => "it would be promoted".to_owned(),
            Err(why) => format!("it would not be promoted: {why}"),
        },
        what: report.what,
        differences: report
            .differences
            .into_iter()
            .map(|it| operator::Difference {
                time: date(it.time),
                method: it.method,
                path: it.path,
                what: it.what,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_may_have_a_place_a_name_and_a_configuration() {
        for (text, place, replaces, path, config) in [
            ("new.so", None, None, "new.so", ""),
            ("pre=new.so", Some(Place::Pre), None, "new.so", ""),
            ("pre:old=new.so={\"a\": 1}", Some(Place::Pre), Some("old"), "new.so", "{\"a\": 1}"),
            ("new.so={\"a\": \"=\"}", None, None, "new.so", "{\"a\": \"=\"}"),
            ("pre={\"a\": 1}", None, None, "pre", "{\"a\": 1}"),
            ("reverse_proxy=/a=b.so", Some(Place::ReverseProxy), None, "/a=b.so", ""),
        ] {
            let it = AskedShadow::parse(text).unwrap();
            assert_eq!(
                (it.target.place, it.target.replaces.as_deref()),
                (place, replaces),
                "{text}"
            );
            assert_eq!(
                (it.asked.path.to_str().unwrap(), &*it.asked.config),
                (path, config),
                "{text}"
            );
        }
        assert!(AskedShadow::parse("pre=").is_err());
    }

    #[test]
    fn shares_are_shares_and_names_are_names() {
        let wrong = |args: ProxyArgs| settings(&args).unwrap_err().to_string();
        let args = ProxyArgs { shadow_sample: Some(1.5), ..ProxyArgs::default() };
        assert_eq!(wrong(args), "--shadow-sample 1.5: a share is from 0 to 1, as in 0.1");
        let args = ProxyArgs { shadow_limit: Some(f64::NAN), ..ProxyArgs::default() };
        assert!(wrong(args).starts_with("--shadow-limit NaN"));
        let args = ProxyArgs { shadow_ignore: vec!["a b".to_owned()], ..ProxyArgs::default() };
        assert_eq!(wrong(args), "--shadow-ignore: \"a b\" is not the name of a header");
    }
}

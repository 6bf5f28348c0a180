//! A chain is put together: who stands where, and who may.

use super::auth::{Auth, Gate};
use super::beside::beside;
use super::{Chain, Link, Links, LockCheck, Part};
use crate::audit::AuditLog;
use crate::builtin::basic_auth::BasicAuth;
use crate::builtin::error_page::PlainText;
use crate::builtin::{Credentials, reverse_proxy::Untouched};
use crate::metrics::Metrics;
use crate::native::Offers;
use crate::shadow::Shadow;
use crate::stage::{OnPanic, Place, Stage};
use plugin_interface::host::{authenticator_object, error_page_object, reverse_proxy_object};
use std::any::Any;
use std::sync::Arc;

/// What to make a chain of: the plugins, and what the host brings.
#[derive(Clone, Default)]
pub struct Parts {
    /// Before authentication, in order.
    pub pre: Vec<Arc<Stage>>,
    /// After authentication, in order.
    pub post: Vec<Arc<Stage>>,
    /// The user of the built-in authentication.
    pub credentials: Option<Credentials>,
    /// The patch of `reverse_proxy`.
    pub reverse_proxy: Option<Arc<Stage>>,
    /// The patch of `authenticator`.
    pub authenticator: Option<Arc<Stage>>,
    /// The patch of `error_page`.
    pub error_page: Option<Arc<Stage>>,
    /// Who is locked out: asked where the chain authenticates.
    pub locks: Option<Arc<dyn LockCheck>>,
    /// Where logins and requests are recorded.
    pub audit: Option<Arc<dyn AuditLog>>,
    /// Candidates that see copies of requests.
    pub shadows: Vec<Arc<Shadow>>,
    /// Held by the chain: dropped when the last request that passes it has ended.
    pub in_use: Option<InUse>,
}

/// What tells, by being dropped, that nothing passes a chain any more.
pub type InUse = Arc<dyn Any + Send + Sync>;

impl Chain {
    /// Links the parts. An error says which plugin is in a place that is not for what it offers.
    pub fn new(parts: Parts, metrics: Arc<Metrics>) -> Result<Self, String> {
        let mut links = Vec::new();
        for stage in parts.pre {
            refuse_patches(&stage)?;
            refuse_bypass(&stage)?;
            for (name, object) in &stage.plugin.offers.authenticators {
                let auth = Auth::new(Part::new(name, &stage, object.clone()));
                links.push(Link::Authenticator(auth));
            }
            links.extend(middlewares(&stage));
        }
        let in_pre = links.iter().any(|link| matches!(link, Link::Authenticator(_)));
        let gate = gate(parts.authenticator, parts.credentials, in_pre)?;
        links.extend(gate.map(Link::Gate));
        for stage in parts.post {
            refuse_patches(&stage)?;
            if !stage.plugin.offers.authenticators.is_empty() {
                let what = "it registers an authenticator; use it with --pre-plugin";
                return Err(wrong_place(&stage, what));
            }
            links.extend(middlewares(&stage));
        }
        let reverse_proxy = parts.reverse_proxy.unwrap_or_else(|| {
            let object = Some(Arc::new(reverse_proxy_object(Untouched)));
            let offers = Offers { reverse_proxy: object, ..Offers::default() };
            Stage::builtin("reverse proxy", Place::ReverseProxy, offers)
        });
        let Some(object) = reverse_proxy.plugin.offers.reverse_proxy.clone() else {
            return Err(wrong_place(&reverse_proxy, "it registers no reverse_proxy"));
        };
        let reverse_proxy = Part::new("", &reverse_proxy, object);
        let error_page = parts.error_page.unwrap_or_else(|| {
            let object = Some(Arc::new(error_page_object(PlainText)));
            let offers = Offers { error_page: object, ..Offers::default() };
            Stage::builtin("error page", Place::ErrorPage, offers)
        });
        let Some(object) = error_page.plugin.offers.error_page.clone() else {
            return Err(wrong_place(&error_page, "it registers no error_page"));
        };
        let error_page = Part::new("", &error_page, object);
        let Parts { locks, audit, in_use, shadows, .. } = parts;
        let watches = shadows.into_iter().filter_map(|shadow| beside(shadow, &links)).collect();
        let links = Links { links, reverse_proxy, error_page, locks, audit, metrics, watches };
        links.watch();
        Ok(Self { links: Arc::new(links), _in_use: in_use })
    }
}

impl Links {
    /// Shows the metrics of everybody who may be called.
    fn watch(&self) {
        let fallbacks = self.links.iter().filter_map(|link| match link {
            Link::Gate(gate) => gate.fallback.as_ref(),
            _ => None,
        });
        let fallbacks = fallbacks.map(|auth| &auth.part.stage);
        for stage in self.stages().into_iter().chain(fallbacks) {
            self.metrics.watch(stage);
        }
    }
}

/// Who asks for an identity, if anybody does.
fn gate(
    patch: Option<Arc<Stage>>,
    credentials: Option<Credentials>,
    in_pre: bool,
) -> Result<Option<Gate>, String> {
    let builtin = |name, authenticators| {
        let offers = Offers { authenticators, ..Offers::default() };
        Stage::builtin(name, Place::Authenticator, offers)
    };
    let basic = credentials.map(|credentials| {
        let object = Arc::new(authenticator_object(BasicAuth(credentials)));
        builtin("basic", vec![(String::new(), object)])
    });
    let (stage, fallback) = match (patch, basic) {
        (Some(patch), basic) => (patch, basic),
        (None, Some(basic)) => (basic, None),
        (None, None) if in_pre => (builtin("authentication", Vec::new()), None),
        (None, None) => return Ok(None),
    };
    refuse_bypass(&stage)?;
    let auth = match &stage.plugin.offers.authenticators[..] {
        [_] => auth_of(&stage),
        [] if stage.is_builtin() => None,
        _ => return Err(wrong_place(&stage, "it must register one authenticator")),
    };
    let fallback = fallback.as_ref().and_then(auth_of);
    Ok(Some(Gate { stage, auth, fallback }))
}

fn auth_of(stage: &Arc<Stage>) -> Option<Auth> {
    let (_, object) = stage.plugin.offers.authenticators.first()?;
    Some(Auth::new(Part::new("", stage, object.clone())))
}

fn middlewares(stage: &Arc<Stage>) -> impl Iterator<Item = Link> {
    let part = |(name, object): &(String, _)| Part::new(name, stage, Arc::clone(object));
    stage.plugin.offers.middlewares.iter().map(part).map(Link::Middleware)
}

fn refuse_patches(stage: &Stage) -> Result<(), String> {
    match (&stage.plugin.offers.reverse_proxy, &stage.plugin.offers.error_page) {
        (None, None) => Ok(()),
        _ => Err(wrong_place(stage, "it registers a patch; put it into the patches folder")),
    }
}

fn wrong_place(stage: &Stage, what: &str) -> String {
    format!("{}: {what}", stage.plugin.path.display())
}

/// To go on without an authenticator would open the door.
fn refuse_bypass(stage: &Stage) -> Result<(), String> {
    let bypass = stage.policy.on_panic == OnPanic::Bypass;
    match bypass && !stage.plugin.offers.authenticators.is_empty() {
        true => Err(wrong_place(
            stage,
            "it registers an authenticator, which cannot be bypassed: leave on-panic at fail",
        )),
        false => Ok(()),
    }
}

//! A library: opened, checked both ways, registered.

use super::admission::Admission;
use super::cache::{self, Content};
use super::elf;
use super::isolation::{Isolation, Isolations};
use super::refusal::{Reason, Refusal};
use super::services::HostSide;
use super::verdict::{compatible, ours};
use plugin_interface::host::abi_stable::library::{
    AbiHeader, LibHeader, LibraryError, lib_header_from_path,
};
use plugin_interface::host::abi_stable::std_types::{RErr, ROk, RStr};
use plugin_interface::host::abi_stable::type_layout::TypeLayout;
use plugin_interface::host::{
    AuthenticatorObject, ErrorPageObject, MiddlewareObject, PluginModule_Ref, RawRegistrar,
    ReverseProxyObject,
};
use plugin_interface::{Registrar, VERSION};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// Loads libraries and keeps what must be known of all of them together.
pub struct Loader {
    cache: PathBuf,
    host: Arc<HostSide>,
    register_limit: Duration,
    admission: Option<Arc<dyn Admission>>,
    isolations: Isolations,
    loaded: Mutex<Vec<Loaded>>,
    /// The hashes of all that was opened, what was refused then included: it stays mapped.
    mapped: Mutex<HashSet<String>>,
}

/// A library that has been taken. Never unloaded.
struct Loaded {
    path: PathBuf,
    sha256: String,
    layout: &'static TypeLayout,
    module: PluginModule_Ref,
}

/// What a library says of itself, and what its file is.
#[derive(Clone, Debug, Default)]
pub struct Info {
    /// Its package's name; empty if the checks did not come so far.
    pub name: String,
    /// Its package's version; empty if the checks did not come so far.
    pub version: String,
    /// The version of the interface that it was built with.
    pub interface: String,
    /// The compiler that built it; empty if the checks did not come so far.
    pub compiler: String,
    /// The file's size in bytes.
    pub size: u64,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: String,
}

/// What a library has registered, in order. Shared by the chains that it is part of.
#[derive(Default)]
pub struct Offers {
    /// Middlewares and their names.
    pub middlewares: Vec<(String, Arc<MiddlewareObject>)>,
    /// Authenticators and their names.
    pub authenticators: Vec<(String, Arc<AuthenticatorObject>)>,
    /// The patch of `reverse_proxy`.
    pub reverse_proxy: Option<Arc<ReverseProxyObject>>,
    /// The patch of `error_page`.
    pub error_page: Option<Arc<ErrorPageObject>>,
}

/// A library, loaded for one of the places it is used in.
pub struct Plugin {
    /// The file as it was asked for; empty for a part of the host's own.
    pub path: PathBuf,
    /// What it is.
    pub info: Info,
    /// What it registered for this place.
    pub offers: Offers,
}

impl Plugin {
    /// A part of the host's own.
    pub(crate) fn builtin(name: &str, offers: Offers) -> Self {
        let (name, version) = (name.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { path: PathBuf::new(), info: Info { name, version, ..Info::default() }, offers }
    }
}

impl RawRegistrar for Offers {
    fn middleware(&mut self, name: RStr<'_>, middleware: MiddlewareObject) {
        self.middlewares.push((name.into(), Arc::new(middleware)));
    }

    fn authenticator(&mut self, name: RStr<'_>, authenticator: AuthenticatorObject) {
        self.authenticators.push((name.into(), Arc::new(authenticator)));
    }

    fn reverse_proxy(&mut self, patch: ReverseProxyObject) {
        self.reverse_proxy = Some(Arc::new(patch));
    }

    fn error_page(&mut self, patch: ErrorPageObject) {
        self.error_page = Some(Arc::new(patch));
    }
}

impl Offers {
    /// What there is, for people: `middleware trace, patch reverse_proxy`.
    pub fn list(&self) -> Vec<String> {
        let middlewares = self.middlewares.iter().map(|(name, _)| format!("middleware {name}"));
        let authenticators =
            self.authenticators.iter().map(|(name, _)| format!("authenticator {name}"));
        let mut list: Vec<String> = middlewares.chain(authenticators).collect();
        if self.reverse_proxy.is_some() {
            list.push("patch reverse_proxy".to_owned());
        }
        if self.error_page.is_some() {
            list.push("patch error_page".to_owned());
        }
        list
    }
}

impl Loader {
    /// A loader that copies libraries to `cache`, lends them `host`, and gives each
    /// `register_limit` to register.
    pub fn new(cache: PathBuf, host: Arc<HostSide>, register_limit: Duration) -> Self {
        let (loaded, mapped) = (Mutex::default(), Mutex::default());
        let isolations = Isolations::default();
        Self { cache, host, register_limit, admission: None, isolations, loaded, mapped }
    }

    /// Asks `admission` about each library first. Without, every library is admitted.
    #[must_use]
    pub fn with_admission(mut self, admission: Arc<dyn Admission>) -> Self {
        self.admission = Some(admission);
        self
    }

    /// Loads a library and registers it with `config`. The same file can be loaded many times; its
    /// code is mapped once, and registered each time.
    ///
    /// Blocks for as long as the library takes, at most the limit: not for a thread of the runtime.
    pub fn load(&self, path: &Path, config: &str) -> Result<Plugin, Refusal> {
        match Content::read(path) {
            Ok(content) => self.load_content(path, &content, config),
            Err(error) => Err(unreadable(path, error)),
        }
    }

    /// The same for a file that was read: whatever is at `path` by now, this content is loaded.
    pub fn load_content(
        &self,
        path: &Path,
        content: &Content,
        config: &str,
    ) -> Result<Plugin, Refusal> {
        self.load_in(None, path, content, config)
    }

    /// The same for a candidate, which is to see copies of requests: what it asks of the host has
    /// no effect until [`crate::Shadow::promote`].
    pub fn load_candidate(
        &self,
        path: &Path,
        content: &Content,
        config: &str,
    ) -> Result<(Plugin, Isolation), Refusal> {
        let isolation = self.isolations.take(&content.sha256, config, &self.host.store);
        let plugin = self.load_in(Some(isolation.clone()), path, content, config)?;
        Ok((plugin, isolation))
    }

    fn load_in(
        &self,
        isolation: Option<Isolation>,
        path: &Path,
        content: &Content,
        config: &str,
    ) -> Result<Plugin, Refusal> {
        let mut info = Info::default();
        match self.try_load(isolation, path, content, config, &mut info) {
            Ok(offers) => Ok(Plugin { path: path.to_owned(), info, offers }),
            Err(reason) => {
                let info = (!info.sha256.is_empty()).then(|| Box::new(info));
                Err(Refusal { path: path.to_owned(), info, reason })
            }
        }
    }

    /// Where the copies are.
    pub fn folder(&self) -> &Path {
        &self.cache
    }

    /// How many different libraries are mapped.
    pub fn mapped(&self) -> usize {
        lock(&self.mapped).len()
    }

    /// Whether a library of this content is mapped already.
    pub fn has_mapped(&self, sha256: &str) -> bool {
        lock(&self.mapped).contains(sha256)
    }

    /// Tells every library that the log filter has changed.
    pub fn log_filter_changed(&self) {
        for library in lock(&self.loaded).iter() {
            library.module.log_filter_changed()();
        }
    }

    fn try_load(
        &self,
        isolation: Option<Isolation>,
        path: &Path,
        content: &Content,
        config: &str,
        info: &mut Info,
    ) -> Result<Offers, Reason> {
        (info.sha256, info.size) = (content.sha256.clone(), content.bytes.len() as u64);
        if let Some(admission) = &self.admission {
            let admitted = admission.admit(path, &content.bytes, &content.sha256);
            admitted.map_err(Reason::NotTrusted)?;
        }
        elf::whole(&content.bytes).map_err(Reason::NotALibrary)?;
        let copy = cache::copy(content, &self.cache)?;

        // Opening runs the library's initialisers, and registering its code: on a thread of its
        // own, which is left behind if it does not come back.
        let (header_sender, header) = mpsc::sync_channel(1);
        let (config_sender, configs) = mpsc::sync_channel::<(_, String, String)>(1);
        let (offers_sender, offers) = mpsc::sync_channel(1);
        let host = self.host.clone();
        let thread = std::thread::Builder::new().name("plugin register".to_owned());
        let started = thread.spawn(move || {
            let opened = lib_header_from_path(&copy).map_err(reason);
            let _ = header_sender.send(opened);
            // The other side has checked the layout, or hung up.
            let Ok((module, name, config)) = configs.recv() else { return };
            let _ = offers_sender.send(register(module, &host, isolation.as_ref(), &name, &config));
        });
        started.map_err(Reason::Unreadable)?;

        let hangs = |_| Reason::Hangs(self.register_limit);
        let header = header.recv_timeout(self.register_limit).map_err(hangs);
        if !matches!(header, Ok(Err(_))) {
            lock(&self.mapped).insert(info.sha256.clone());
        }
        let header = header??;
        let module = self.check(header, info, path)?;
        let name = info.name.clone();
        let _ = config_sender.send((module, name, config.to_owned()));
        offers.recv_timeout(self.register_limit).map_err(hangs)?
    }

    /// Checks the layout against ours and against those of the libraries already here, and takes
    /// the module.
    fn check(
        &self,
        header: &'static LibHeader,
        info: &mut Info,
        path: &Path,
    ) -> Result<PluginModule_Ref, Reason> {
        info.interface = header.version_strings().version.to_string();
        let plugin = info.interface.clone();
        if major(&plugin) != major(VERSION) {
            return Err(Reason::Version { plugin });
        }
        // A library of ours always has a layout: export_plugin! puts it in.
        let layout = header.layout().ok_or(Reason::NoPlugin)?;
        compatible(ours(), layout).map_err(|differences| Reason::Layout { plugin, differences })?;

        let mut loaded = lock(&self.loaded);
        let known = loaded.iter().any(|library| library.sha256 == info.sha256);
        if !known {
            for library in loaded.iter() {
                compatible(library.layout, layout).map_err(|differences| Reason::Fork {
                    other: library.path.clone(),
                    differences,
                })?;
            }
        }
        #[allow(unsafe_code)]
        // SAFETY: the layout was checked above; a prefix type knows at run time which of its
        // fields are there.
        let module = unsafe { header.init_root_module_with_unchecked_layout::<PluginModule_Ref>() };
        let module = module.map_err(reason)?;
        info.name = module.name().to_string();
        info.version = module.version().to_string();
        info.compiler = module.compiler().to_string();
        if !module.unwinds() {
            return Err(Reason::PanicAbort);
        }
        if !known {
            let (path, sha256) = (path.to_owned(), info.sha256.clone());
            loaded.push(Loaded { path, sha256, layout, module });
        }
        Ok(module)
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Refusal {
    Refusal { path: path.to_owned(), info: None, reason: Reason::Unreadable(error) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register(
    module: PluginModule_Ref,
    host: &Arc<HostSide>,
    isolation: Option<&Isolation>,
    name: &str,
    config: &str,
) -> Result<Offers, Reason> {
    let mut offers = Offers::default();
    let (services, _span) = match isolation {
        None => (host.services(name), None),
        Some(isolation) => {
            (host.services_in(isolation, name), Some(Isolation::span(name).entered()))
        }
    };
    match module.register()(Registrar::new(&mut offers), services, config.into()) {
        ROk(()) if offers.list().is_empty() => {
            Err(Reason::Offers("it registered nothing".to_owned()))
        }
        ROk(()) => Ok(offers),
        RErr(error) => Err(Reason::Register(error)),
    }
}

fn reason(error: LibraryError) -> Reason {
    match error {
        LibraryError::OpenError { path, err } => {
            // The linker's words begin with our copy's name, which means nothing to the user.
            let words = match std::error::Error::source(&*err) {
                Some(source) => source.to_string(),
                None => err.to_string(),
            };
            let words = words.replace(&format!("{}: ", path.display()), "");
            Reason::NotALibrary(words)
        }
        LibraryError::GetSymbolError { .. } => Reason::NoPlugin,
        LibraryError::InvalidAbiHeader(header) => {
            let plugin = format!("{}.{}", header.abi_major, header.abi_minor);
            Reason::OtherAbi { plugin }
        }
        LibraryError::RootModule { .. } => Reason::PanickedInInfo,
        other => {
            let text = other.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            Reason::NotALibrary(text)
        }
    }
}

/// The line of abi_stable that this host has.
pub(super) fn abi_line() -> String {
    format!("{}.{}", AbiHeader::VALUE.abi_major, AbiHeader::VALUE.abi_minor)
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

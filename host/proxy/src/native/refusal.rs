//! Why a library is not taken.

use super::library::Info;
use super::verdict::Difference;
use plugin_interface::{Error, ErrorKind, VERSION};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A library that this host does not take, and why.
#[derive(Debug)]
pub struct Refusal {
    /// The file as it was asked for.
    pub path: PathBuf,
    /// What is known of it, as far as the checks came.
    pub info: Option<Box<Info>>,
    /// The reason.
    pub reason: Reason,
}

/// Why a library is refused.
#[derive(Debug)]
pub enum Reason {
    /// The file could not be read.
    Unreadable(std::io::Error),
    /// Its content is not admitted: the reason, and what to do.
    NotTrusted(String),
    /// Its copy could not be made in the cache.
    NoCopy {
        /// The folder of the cache.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The dynamic linker does not take it: its words.
    NotALibrary(String),
    /// It exports no plugin.
    NoPlugin,
    /// It was built with another line of abi_stable.
    OtherAbi {
        /// The line it was built with.
        plugin: String,
    },
    /// It was built for another major version of the interface.
    Version {
        /// The version it was built for.
        plugin: String,
    },
    /// Its types are not those of the interface that it says it has.
    Layout {
        /// The version it was built for.
        plugin: String,
        /// Type by type.
        differences: Vec<Difference>,
    },
    /// Its copy of the interface differs from that of a library that is loaded already.
    Fork {
        /// The other library.
        other: PathBuf,
        /// Type by type.
        differences: Vec<Difference>,
    },
    /// Panics in it would end the process.
    PanicAbort,
    /// It panicked before it could say what it is.
    PanickedInInfo,
    /// Its `register` returned an error or panicked.
    Register(Error),
    /// It did not come back from being opened and registered.
    Hangs(Duration),
    /// It registered nothing, or nothing for the place it was asked for.
    Offers(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: refused: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::NotTrusted(why) => write!(f, "it is not trusted: {why}"),
            Self::NoCopy { folder, error } => write!(
                f,
                "it cannot be copied to {}: {error}; choose another folder with --state",
                folder.display()
            ),
            Self::NotALibrary(words) => {
                write!(f, "it is not a shared library that this system loads: {words}")
            }
            Self::NoPlugin => f.write_str(
                "it exports no plugin; make it one with plugin_interface::export_plugin!",
            ),
            Self::OtherAbi { plugin } => write!(
                f,
                "it was built with abi_stable {plugin}, this host has {}; rebuild it with \
                 plugin-interface {VERSION}",
                super::library::abi_line()
            ),
            Self::Version { plugin } => write!(
                f,
                "it was built for plugin-interface {plugin}, this host has {VERSION}: the {} is \
                 older; rebuild the plugin with plugin-interface {}.x",
                if older(plugin) { "plugin" } else { "host" },
                VERSION.split('.').next().unwrap_or(VERSION),
            ),
            Self::Layout { plugin, differences } => {
                write!(f, "its plugin-interface {plugin} is not this host's {VERSION}")?;
                match plugin.as_str() {
                    VERSION => f.write_str(", although the versions are equal: one was changed")?,
                    _ if older(plugin) => f.write_str(": the plugin's is older")?,
                    _ => f.write_str(": the host's is older")?,
                }
                list(f, differences)?;
                write!(f, "\nrebuild the plugin with plugin-interface {VERSION} as released")
            }
            Self::Fork { other, differences } => {
                write!(
                    f,
                    "its plugin-interface differs from that of {}, which is loaded already",
                    other.display()
                )?;
                list(f, differences)?;
                f.write_str("\nrebuild both with the same release of plugin-interface")
            }
            Self::PanicAbort => f.write_str(
                "it was built with panic = \"abort\", so that a panic in it would end the \
                 process; rebuild it with panic = \"unwind\"",
            ),
            Self::PanickedInInfo => f.write_str("it panicked when asked what it is"),
            Self::Register(error) if error.kind() == ErrorKind::PANICKED => {
                write!(f, "it panicked in register: {error}")
            }
            Self::Register(error) => write!(f, "it could not register: {error}"),
            Self::Hangs(limit) => write!(
                f,
                "it did not come back from register within {limit:?}; what takes long belongs \
                 into a task of HostServices::spawn"
            ),
            Self::Offers(text) => f.write_str(text),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, differences: &[Difference]) -> fmt::Result {
    const SHOWN: usize = 5;
    for difference in differences.iter().take(SHOWN) {
        write!(f, "\n  {difference}")?;
    }
    match differences.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

/// Whether a plugin's version of the interface is older than this host's.
fn older(plugin: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
    };
    numbers(plugin) < numbers(VERSION)
}

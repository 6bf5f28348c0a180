//! Rust for WebAssembly.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::find_or_get;
use super::program::{answer, apt_install, quietly, versions};
use crate::cargo::for_another_target;
use crate::step;

/// The environment variable that chooses: `rustup`, or `debian`.
const CHOICE: &str = "TENON_WASM_TOOLCHAIN";
const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's Rust for its browsers: newer than its own, and with the sources of the standard
/// library, but without one compiled for this target.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// A Rust that compiles for WebAssembly.
pub enum WasmToolchain {
    /// The compiler in use has the target, from rustup or otherwise.
    InUse,
    /// Debian's, which compiles the standard library along; with a linker.
    Debian(PathBuf),
}

impl WasmToolchain {
    /// What is there wins over what would have to be fetched, rustup's over Debian's. What is
    /// missing is an error unless this `may_install` it.
    pub fn find(may_install: bool) -> Result<Self> {
        let choice = env::var(CHOICE).ok();
        let (rustup, debian) = match choice.as_deref() {
            None | Some("") => (true, true),
            Some("rustup") => (true, false),
            Some("debian") => (false, true),
            Some(other) => bail!("{CHOICE} is {other:?}; it can be rustup or debian"),
        };
        let find = || {
            let in_use = (rustup && has_target()).then_some(Self::InUse);
            in_use.or_else(|| if debian { debians() } else { None })
        };
        let mut ways: Vec<&dyn Fn() -> Result<()>> = Vec::new();
        if may_install && rustup {
            ways.push(&add_target);
        }
        let install = || apt_install(&PACKAGES);
        if may_install && debian {
            ways.push(&install);
        }
        let missing = match rustup {
            true => format!("there is no Rust for WebAssembly; get it: rustup target add {TARGET}"),
            false => format!("Debian's packages {} are not installed", PACKAGES.join(" ")),
        };
        find_or_get(&missing, find, &ways)
    }

    /// A `cargo build` for WebAssembly in the workspace in `folder`.
    pub fn build(&self, folder: &Path) -> Command {
        let mut command = match self {
            Self::InUse => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            Self::Debian(_) => Command::new("/usr/bin/cargo"),
        };
        for_another_target(&mut command);
        command.current_dir(folder).args(["build", "--target", TARGET]);
        if let Self::Debian(linker) = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1") // for -Z, which a stable cargo refuses
                .env("RUSTC", "/usr/bin/rustc")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }
}

impl fmt::Display for WasmToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => write!(f, "the Rust in use, which has the target {TARGET}"),
            Self::Debian(linker) => {
                write!(f, "Debian's rustc-web with {}, compiling std along", linker.display())
            }
        }
    }
}

fn has_target() -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    answer(rustc.args(["--print", "target-libdir", "--target", TARGET]))
        .is_some_and(|folder| Path::new(&folder).is_dir())
}

fn add_target() -> Result<()> {
    step(&format!("rustup target add {TARGET}"));
    quietly(Command::new("rustup").args(["target", "add", TARGET]))
}

fn debians() -> Option<WasmToolchain> {
    let sysroot = answer(Command::new("/usr/bin/rustc").args(["--print", "sysroot"]))?;
    let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std");
    let complete = sources.is_dir() && Path::new("/usr/bin/cargo").is_file();
    let linker = versions("wasm-ld").into_iter().next()?;
    complete.then_some(WasmToolchain::Debian(linker))
}

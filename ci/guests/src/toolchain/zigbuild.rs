//! cargo-zigbuild and zig: cargo with a linker for any version of glibc.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::find_or_get;
use super::program::{answer, pip_install};

const MISSING: &str = "there is no linker for older versions of glibc; get it: \
                       python3 -m pip install cargo-zigbuild, which brings zig with it";

/// A cargo-zigbuild with its zig.
#[derive(Debug)]
pub struct ZigBuild {
    /// Where cargo-zigbuild is, if it is not on the search path.
    programs: Option<PathBuf>,
    zig: PathBuf,
    /// What they say of their versions.
    versions: String,
}

impl ZigBuild {
    /// What is on the search path, or else what is kept below cargo's `target` folder, from PyPI.
    /// What is missing is an error unless this `may_install` it there.
    pub fn find(target: &Path, may_install: bool) -> Result<Self> {
        let packages = target.join("tools/cargo-zigbuild");
        let pypi = || pip_install(&packages, "cargo-zigbuild", "100 MB");
        let ways: &[&dyn Fn() -> Result<()>] = if may_install { &[&pypi] } else { &[] };
        let present = || {
            Self::present(None, "zig".into())
                .or_else(|| Self::present(Some(packages.join("bin")), packages.join("ziglang/zig")))
        };
        find_or_get(MISSING, present, ways)
    }

    fn present(programs: Option<PathBuf>, zig: PathBuf) -> Option<Self> {
        let program = programs.clone().unwrap_or_default().join("cargo-zigbuild");
        let cargo = answer(Command::new(program).arg("--version"))?;
        let versions = format!("{cargo} and zig {}", answer(Command::new(&zig).arg("version"))?);
        Some(Self { programs, zig, versions })
    }

    /// Lets a cargo find both: `cargo zigbuild` is then `cargo build` with this linker.
    pub fn use_in(&self, cargo: &mut Command) {
        cargo.env("CARGO_ZIGBUILD_ZIG_PATH", &self.zig);
        if let Some(programs) = &self.programs {
            let path = env::var_os("PATH").unwrap_or_default();
            let folders = [programs.clone()].into_iter().chain(env::split_paths(&path));
            if let Ok(path) = env::join_paths(folders) {
                cargo.env("PATH", path);
            }
        }
    }
}

impl fmt::Display for ZigBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.versions)
    }
}

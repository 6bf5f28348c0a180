//! C for WebAssembly.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::find_or_get;
use super::program::{answer, apt_install, quietly, versions};
use crate::step;

const MISSING: &str = "there is no C compiler for WebAssembly; install clang and lld from your \
                       system's packages, or zig (PyPI: ziglang)";

/// A C compiler with a linker for `wasm32`, without a C library.
#[derive(Debug)]
pub(crate) struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Compiler {
    /// clang, or else zig; zig from PyPI is kept in `folder`.
    pub(crate) fn find(folder: &Path, may_install: bool) -> Result<Self> {
        let packages = folder.join("ziglang");
        let debian = || apt_install(&["clang", "lld"]);
        let pypi = || pip_install(&packages);
        let ways: &[&dyn Fn() -> Result<()>] = if may_install { &[&debian, &pypi] } else { &[] };
        find_or_get(MISSING, || Self::present(&packages), ways)
    }

    /// The compiler, told what to compile for.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    fn present(packages: &Path) -> Option<Self> {
        let linker = versions("wasm-ld").into_iter().next();
        let clangs = versions("clang").into_iter().map(|clang| Self::clang(clang, linker.as_ref()));
        let zigs = ["zig".into(), packages.join("ziglang/zig")];
        clangs.chain(zigs.map(Self::zig)).find(Self::works)
    }

    fn clang(program: PathBuf, linker: Option<&PathBuf>) -> Self {
        let mut arguments = vec!["--target=wasm32".into()];
        // clang looks for a wasm-ld without a version, which Debian does not have.
        arguments.extend(linker.map(|it| format!("-fuse-ld={}", it.display()).into()));
        Self { program, arguments }
    }

    fn zig(program: PathBuf) -> Self {
        Self { program, arguments: ["cc", "--target=wasm32-freestanding"].map(Into::into).into() }
    }

    /// Whether it compiles and links: many a clang is built without this target or has no linker.
    fn works(&self) -> bool {
        let Ok(folder) = tempfile::tempdir() else { return false };
        let source = folder.path().join("probe.c");
        let written = std::fs::write(&source, "int probe(void) { return 0; }\n");
        let mut command = self.command();
        command.args(["-nostdlib", "-Wl,--no-entry", "-o"]).arg(folder.path().join("probe.wasm"));
        written.is_ok() && answer(command.arg(source)).is_some()
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.display())
    }
}

fn pip_install(folder: &Path) -> Result<()> {
    step("installing ziglang from PyPI (80 MB)");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    quietly(pip.arg(folder).arg("ziglang"))
}

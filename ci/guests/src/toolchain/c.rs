//! C for WebAssembly.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::find_or_get;
use super::program::{answer, apt_install, pip_install, versions};

const MISSING: &str = "there is no C compiler for WebAssembly; install clang, lld and make from \
                       your system's packages, or zig (PyPI: ziglang) instead of the first two";

/// A C compiler with a linker for `wasm32` but no C library, and make.
///
/// Shown as the beginning of a command line in the shell: `'/usr/bin/clang' '--target=wasm32'`.
#[derive(Debug)]
pub struct Compiler {
    words: Vec<String>,
}

impl Compiler {
    /// clang, or else zig; zig from PyPI is kept in `folder`. What is missing is an error unless
    /// this `may_install` it.
    pub fn find(folder: &Path, may_install: bool) -> Result<Self> {
        let packages = folder.join("ziglang");
        let debian = || apt_install(&["clang", "lld", "make"]);
        let pypi = || pip_install(&packages, "ziglang", "80 MB");
        let ways: &[&dyn Fn() -> Result<()>] = if may_install { &[&debian, &pypi] } else { &[] };
        find_or_get(MISSING, || Self::present(&packages), ways)
    }

    fn present(packages: &Path) -> Option<Self> {
        answer(Command::new("make").arg("--version"))?;
        let linker = versions("wasm-ld").into_iter().next();
        let clangs =
            versions("clang").into_iter().map(|clang| Self::clang(&clang, linker.as_ref()));
        let zigs = ["zig".into(), packages.join("ziglang/zig")];
        clangs.chain(zigs.map(|zig| Self::zig(&zig))).find(Self::works)
    }

    fn clang(program: &Path, linker: Option<&PathBuf>) -> Self {
        let mut words = vec![program.display().to_string(), "--target=wasm32".to_owned()];
        // clang looks for a wasm-ld without a version, which Debian's packages may not have.
        words.extend(linker.map(|it| format!("-fuse-ld={}", it.display())));
        Self { words }
    }

    fn zig(program: &Path) -> Self {
        let program = program.display().to_string();
        Self { words: vec![program, "cc".to_owned(), "--target=wasm32-freestanding".to_owned()] }
    }

    /// Whether it compiles and links: many a clang is built without this target or has no linker.
    fn works(&self) -> bool {
        let Ok(folder) = tempfile::tempdir() else { return false };
        let source = folder.path().join("probe.c");
        let written = std::fs::write(&source, "int probe(void) { return 0; }\n");
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(["-nostdlib", "-Wl,--no-entry", "-o"]);
        command.arg(folder.path().join("probe.wasm")).arg(source);
        written.is_ok() && answer(&mut command).is_some()
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<_> = self.words.iter().map(|it| it.replace('\'', r"'\''")).collect();
        write!(f, "'{}'", quoted.join("' '"))
    }
}

//! How cargo is called from a program that cargo runs.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

/// Takes from a command's environment what cargo tells a program or a test of its own package.
///
/// Build scripts look at some of it (`CARGO_MANIFEST_DIR`) and would run anew each time.
pub fn outside_of_a_package(command: &mut Command) {
    const OF_A_PACKAGE: [&str; 5] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    let of_a_package = |name: &OsStr| {
        let name = name.to_string_lossy();
        name == "LD_LIBRARY_PATH" || OF_A_PACKAGE.iter().any(|start| name.starts_with(start))
    };
    for (name, _) in env::vars_os().filter(|(name, _)| of_a_package(name)) {
        command.env_remove(name);
    }
}

/// Takes away the flags as well: they are meant for programs of this machine, as in
/// `-C target-cpu=native`, and WebAssembly's linker refuses most of them.
pub(crate) fn for_another_target(command: &mut Command) {
    const FLAGS: [&str; 4] =
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"];
    outside_of_a_package(command);
    for name in FLAGS {
        command.env_remove(name);
    }
}

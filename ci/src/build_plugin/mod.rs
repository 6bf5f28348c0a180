//! `cargo xtask build-plugin`

mod glibc;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use guests::toolchain::ZigBuild;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{build, cargo, step};
use glibc::{Need, Version};

/// Build a plugin or a patch from a folder and put the library where you want it.
///
/// The folder may be anywhere, in or outside this workspace, and its package may depend on
/// anything that cargo can fetch. A rust-toolchain file in the folder is respected: a plugin need
/// not be built by the compiler of its host.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder of the plugin: the one with its Cargo.toml
    #[arg(long, value_name = "DIR")]
    path: PathBuf,
    /// Where to put the library, for example `patches/reverse_proxy.so`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Cargo profile; `dev` for a debug build
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Toolchain by its rustup name, for example nightly or 1.95.0
    #[arg(long, value_name = "NAME")]
    toolchain: Option<String>,
    /// Oldest glibc that the library is to load on, as in 2.28, which is no newer than this
    /// system's: linked by zig, which is got from PyPI with cargo-zigbuild if it is not there
    #[arg(long, value_name = "VERSION")]
    glibc: Option<Version>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.out.is_dir() {
        bail!("{} is a folder; give --out the name of a file in it", options.out.display());
    }
    let toolchain = options.toolchain.as_deref();
    let library = library(&options.path, &options.profile, toolchain, options.glibc)?;
    let bytes = fs::read(&library).with_context(|| format!("cannot read {}", library.display()))?;
    let checked = Need::of(&bytes).and_then(|need| {
        let too_new = need.as_ref().zip(options.glibc).map(|(need, asked)| need.check(asked));
        too_new.transpose().map(|_| need)
    });
    let need = checked.with_context(|| format!("{} is not usable", library.display()))?;
    install(&library, &options.out)
        .with_context(|| format!("cannot write {}", options.out.display()))?;
    println!("{}", options.out.display());
    println!("size   {} ({} bytes)", build::size(bytes.len() as u64), bytes.len());
    println!("sha256 {}", sha256(&bytes));
    match need {
        Some(need) => println!("glibc  {need}"),
        None => println!("glibc  not needed"),
    }
    Ok(())
}

/// Builds the one cdylib of the package in `folder` and returns where cargo has put it.
pub(crate) fn library(
    folder: &Path,
    profile: &str,
    toolchain: Option<&str>,
    glibc: Option<Version>,
) -> Result<PathBuf> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        bail!("there is no Cargo.toml in {}; give --path the plugin's folder", folder.display());
    }
    let folder =
        folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let metadata = describe(&folder, toolchain)?;
    let package = cdylib_package(&metadata, &folder)?;

    step(&format!("building {} ({profile})", package.name));
    let mut command = cargo::cargo_of(toolchain, &folder);
    match glibc {
        Some(version) => zigbuild(&mut command, &target(toolchain, &folder)?, version)?,
        None => _ = command.arg("build"),
    }
    command.args(["--lib", "--profile", profile, "--manifest-path"]).arg(&package.manifest_path);
    cargo::build(&mut command)?
        .into_iter()
        .find(|artefact| artefact.package == package.id)
        .map(|artefact| artefact.file)
        .with_context(|| format!("cargo reported no shared library for {}", package.name))
}

/// Has cargo link with zig, which has the symbols of every version of glibc.
fn zigbuild(command: &mut Command, target: &str, version: Version) -> Result<()> {
    let tool = ZigBuild::find(&cargo::target_directory()?, true)?;
    step(&format!("linking for glibc {version} with {tool}"));
    tool.use_in(command);
    command.args(["zigbuild", "--target"]).arg(format!("{target}.{version}"));
    Ok(())
}

/// What the toolchain builds for: this system.
fn target(toolchain: Option<&str>, folder: &Path) -> Result<String> {
    let output = cargo::cargo_of(toolchain, folder).arg("-vV").output();
    let output = output.context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("cargo -vV does not say what system this is")?;
    if !host.ends_with("-linux-gnu") {
        bail!("--glibc is for systems with glibc, and this is {host}");
    }
    Ok(host.to_owned())
}

fn describe(folder: &Path, toolchain: Option<&str>) -> Result<Metadata> {
    let arguments = MetadataCommand::new().no_deps().cargo_command();
    let output = cargo::cargo_of(toolchain, folder)
        .args(arguments.get_args())
        .output()
        .context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("cargo cannot read {}:\n{}", folder.join("Cargo.toml").display(), said.trim());
    }
    MetadataCommand::parse(String::from_utf8_lossy(&output.stdout))
        .context("cannot read what cargo metadata has printed")
}

/// The folder's own package, or the only one with a cdylib if the folder is just a workspace.
fn cdylib_package<'a>(metadata: &'a Metadata, folder: &Path) -> Result<&'a Package> {
    let manifest = folder.join("Cargo.toml");
    if let Some(package) = metadata.packages.iter().find(|it| it.manifest_path == manifest) {
        return has_cdylib(package).then_some(package).ok_or_else(|| {
            anyhow!(
                "the package {} is no cdylib; add `[lib] crate-type = [\"cdylib\"]` to {}",
                package.name,
                manifest.display()
            )
        });
    }
    let cdylibs: Vec<_> = metadata.packages.iter().filter(|it| has_cdylib(it)).collect();
    match cdylibs[..] {
        [package] => Ok(package),
        [] => bail!("no package of the workspace {} is a cdylib", folder.display()),
        _ => {
            let folders = cdylibs.iter().filter_map(|it| it.manifest_path.parent());
            let folders: Vec<_> = folders.map(|it| format!("\n  {it}")).collect();
            bail!(
                "the workspace {} has {} cdylibs; give --path one of their folders:{}",
                folder.display(),
                cdylibs.len(),
                folders.concat()
            )
        }
    }
}

fn has_cdylib(package: &Package) -> bool {
    package.targets.iter().any(|target| target.kind.contains(&TargetKind::CDyLib))
}

/// Copies beside `out` and renames: a host that starts meanwhile never sees half a file, and one
/// that has the old file open keeps it whole.
fn install(library: &Path, out: &Path) -> Result<()> {
    let folder = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut copy = NamedTempFile::new_in(folder)?;
    let mut source = File::open(library)?;
    io::copy(&mut source, &mut copy)?;
    copy.as_file().set_permissions(source.metadata()?.permissions())?;
    copy.as_file().sync_all()?;
    copy.persist(out)?;
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(bytes)))
}

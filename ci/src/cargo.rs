//! How the tasks call cargo, and what they read from its messages.

use std::env;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand, PackageId, TargetKind};

/// A program or a shared library that cargo has built.
pub(crate) struct Artefact {
    pub(crate) package: PackageId,
    pub(crate) manifest: PathBuf,
    pub(crate) target: String,
    pub(crate) file: PathBuf,
}

/// The root of the workspace: `cargo run` says where this package is, and by hand it is here.
///
/// Not known at compile time: cargo takes a program in a shared target folder for fresh although
/// another checkout has compiled it.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.as_deref().and_then(Path::parent).unwrap_or(Path::new(".")).to_owned()
}

/// cargo's target folder for the workspace.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let mut metadata = MetadataCommand::new();
    metadata.no_deps().manifest_path(root().join("Cargo.toml"));
    Ok(metadata.exec().context("cargo cannot read the workspace")?.target_directory.into())
}

/// The cargo that runs this task, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), &root())
}

/// The cargo of a toolchain by its rustup name, or else of the one that `folder` asks for.
///
/// Not the one that runs this task: rustup hands its choice down in an environment variable, which
/// would win over the folder's rust-toolchain file.
pub(crate) fn cargo_of(toolchain: Option<&str>, folder: &Path) -> Command {
    let mut command = command("cargo".into(), folder);
    command.env_remove("CARGO");
    match toolchain {
        Some(name) => command.env("RUSTUP_TOOLCHAIN", name),
        None => command.env_remove("RUSTUP_TOOLCHAIN"),
    };
    command
}

fn command(cargo: OsString, folder: &Path) -> Command {
    let mut command = Command::new(cargo);
    guests::outside_of_a_package(&mut command);
    command.current_dir(folder);
    command
}

/// Whether a command can be started and succeeds; what it prints is dropped.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a cargo command whose output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a `cargo build` and returns the programs and C libraries it made, dependencies' included.
///
/// Diagnostics and progress go to the terminal as in any build.
pub(crate) fn build(command: &mut Command) -> Result<Vec<Artefact>> {
    let shown = shown(command);
    command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    let mut artefacts = Vec::new();
    if let Some(messages) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(messages)) {
            if let Message::CompilerArtifact(built) =
                message.context("cannot read the messages of cargo")?
            {
                artefacts.extend(artefact(built));
            }
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("{shown} failed ({status}); its messages are above");
    }
    Ok(artefacts)
}

/// The file among `artefacts` of the target `name`, a program or a library.
pub(crate) fn find(artefacts: &[Artefact], name: &str) -> Result<PathBuf> {
    artefacts
        .iter()
        .find(|artefact| artefact.target == name)
        .map(|artefact| artefact.file.clone())
        .with_context(|| format!("cargo has built no program or shared library {name}"))
}

fn artefact(built: cargo_metadata::Artifact) -> Option<Artefact> {
    let library = || {
        // A package may ask for an rlib beside its cdylib; both are in the list then.
        let shared = |file: &&cargo_metadata::camino::Utf8PathBuf| {
            file.extension() == Some(env::consts::DLL_EXTENSION)
        };
        let cdylib = built.target.kind.contains(&TargetKind::CDyLib);
        built.filenames.iter().find(shared).filter(|_| cdylib).cloned()
    };
    let file = built.executable.clone().or_else(library)?;
    Some(Artefact {
        package: built.package_id,
        manifest: built.manifest_path.into(),
        target: built.target.name,
        file: file.into(),
    })
}

fn shown(command: &Command) -> String {
    format!("`cargo {}`", arguments(command))
}

/// The arguments of a command as one would type them.
pub(crate) fn arguments(command: &Command) -> String {
    let typed: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
    typed.join(" ")
}

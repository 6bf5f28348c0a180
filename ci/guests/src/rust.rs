//! Plugins in Rust.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Artifact, Message};

use crate::toolchain::WasmToolchain;
use crate::{Guest, Language, Workshop, files, step};

/// The workspaces, and which packages of them; none: all. The examples that users start from, what
/// only tests and benchmarks use, and two plugins that are native libraries as well.
const WORKSPACES: [(&str, Option<&str>); 4] = [
    ("plugins/event/rust", None),
    ("fixtures/guests/rust", None),
    (".", Some("ip-filter-plugin")),
    ("fixtures/plugins", Some("both")),
];

pub(crate) fn build(workshop: &Workshop) -> Result<Vec<Guest>> {
    let toolchain = WasmToolchain::find(workshop.may_install)?;
    let mut guests = Vec::new();
    for (workspace, package) in WORKSPACES {
        let workspace = workshop.root.join(workspace);
        if !workspace.join("Cargo.toml").is_file() {
            continue;
        }
        step(&format!("building {} by {toolchain}", workspace.display()));
        let mut command = toolchain.build(&workspace);
        command.arg("--target-dir").arg(workshop.folder.join("cargo"));
        match package {
            None => command.arg("--workspace"),
            Some(package) => command.args(["--package", package]),
        };
        if !workshop.may_install {
            command.arg("--quiet"); // a test says nothing while it goes well
        }
        for artifact in artifacts(&mut command)? {
            guests.extend(guest(workshop, &artifact)?);
        }
    }
    Ok(guests)
}

fn artifacts(build: &mut Command) -> Result<Vec<Artifact>> {
    build
        .args(["--lib", "--release", "--message-format=json-render-diagnostics"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = build.spawn().context("cannot start cargo")?;
    let mut artifacts = Vec::new();
    if let Some(messages) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(messages)) {
            if let Message::CompilerArtifact(built) =
                message.context("cannot read the messages of cargo")?
            {
                artifacts.push(built);
            }
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("cargo failed ({status}); its messages are above");
    }
    Ok(artifacts)
}

/// The artifact as a guest, if it is one and not a dependency.
fn guest(workshop: &Workshop, artifact: &Artifact) -> Result<Option<Guest>> {
    let Some(wasm) = artifact.filenames.iter().find(|it| it.extension() == Some("wasm")) else {
        return Ok(None);
    };
    let folder = artifact.manifest_path.parent().and_then(|it| it.file_name());
    let name = folder.with_context(|| format!("{} is in no folder", artifact.manifest_path))?;
    let file: PathBuf = workshop.output(Language::Rust, name);
    files::install(wasm.as_std_path(), &file)?;
    Ok(Some(Guest { language: Language::Rust, name: name.to_owned(), file }))
}

//! A Rust package of the repository as it begins elsewhere: under another name, with the kit in
//! `vendor`, and with the versions of all else that it was tested with.

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, value};

use crate::vendor::{Files, embedded};

const WORKSPACE: &str = "
# Of its own, wherever this folder is. What is in vendor/ belongs to the kit.
[workspace]
exclude = [\"vendor\"]
";

/// An example.
pub(super) struct Package {
    /// The folder of the workspace that the examples are in, which all depend on the same.
    workspace: &'static str,
    /// Its folder in there.
    folder: String,
}

impl Package {
    pub(super) fn new(workspace: &'static str, folder: String) -> Self {
        Self { workspace, folder }
    }

    /// The name for a plugin that is to be called `name`: it cannot be that of a package that it
    /// depends on.
    pub(super) fn free_name(&self, name: &str) -> Result<String> {
        let (lock, members) = (self.lock()?, self.members()?);
        let mut taken = lock.split("\n\n").filter_map(package_name);
        Ok(match taken.any(|it| it == name) && !members.iter().any(|it| it == name) {
            true => format!("{name}-plugin"),
            false => name.to_owned(),
        })
    }

    /// Manifest, lock file and code.
    pub(super) fn files(&self, name: &str) -> Result<Files> {
        let mut files = Files::default();
        let manifest = self.manifest(name).context("an example's manifest cannot be used")?;
        files.text("Cargo.toml", manifest);
        files.text("Cargo.lock", self.lock_of(name)?);
        files.copy_all(&format!("{}/{}/src", self.workspace, self.folder), "src");
        Ok(files)
    }

    /// The example's manifest, outside of the workspace of examples but with its profiles.
    fn manifest(&self, name: &str) -> Result<String> {
        let mut manifest = self.read(&self.folder)?;
        manifest["package"]["name"] = value(name);
        for table in ["dependencies", "dev-dependencies"] {
            let dependencies = manifest.get_mut(table).and_then(Item::as_table_mut);
            for (name, dependency) in dependencies.into_iter().flat_map(|it| it.iter_mut()) {
                if dependency.get("path").is_some() {
                    dependency["path"] = value(format!("vendor/{name}"));
                }
            }
        }
        let mut profiles: DocumentMut =
            embedded::text(&format!("{}/Cargo.toml", self.workspace))?.parse()?;
        profiles.remove("workspace");
        Ok(format!("{manifest}{WORKSPACE}{profiles}"))
    }

    /// The lock file of the examples, with this one under its new name, and without the others.
    fn lock_of(&self, name: &str) -> Result<String> {
        let (lock, members) = (self.lock()?, self.members()?);
        let manifest = self.read(&self.folder)?;
        let own = name_in(&manifest);
        let mut blocks = lock.trim_end().split("\n\n");
        let head = blocks.next().unwrap_or_default();
        let mut packages = Vec::new();
        for block in blocks {
            match package_name(block) {
                Some(it) if it == own => {
                    let (old, new) = (format!("name = \"{own}\""), format!("name = \"{name}\""));
                    packages.push(block.replacen(&old, &new, 1));
                }
                Some(it) if members.iter().any(|member| member == it) => {}
                _ => packages.push(block.to_owned()),
            }
        }
        packages.sort_unstable();
        Ok(format!("{head}\n\n{}\n", packages.join("\n\n")))
    }

    /// The names of all examples' packages.
    fn members(&self) -> Result<Vec<String>> {
        let folders = embedded::under(self.workspace)
            .filter_map(|(path, _)| path.strip_suffix("/Cargo.toml"));
        folders.map(|folder| Ok(name_in(&self.read(folder)?).to_owned())).collect()
    }

    fn read(&self, folder: &str) -> Result<DocumentMut> {
        let path = format!("{}/{folder}/Cargo.toml", self.workspace);
        embedded::text(&path)?.parse().with_context(|| format!("{path} in this host is damaged"))
    }

    fn lock(&self) -> Result<&'static str> {
        embedded::text(&format!("{}/Cargo.lock", self.workspace))
    }
}

fn name_in(manifest: &DocumentMut) -> &str {
    let name = manifest.get("package").and_then(|package| package.get("name"));
    name.and_then(Item::as_str).unwrap_or_default()
}

fn package_name(block: &str) -> Option<&str> {
    block.strip_prefix("[[package]]\nname = \"")?.split('"').next()
}

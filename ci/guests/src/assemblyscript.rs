//! Plugins in AssemblyScript.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::toolchain::{node, quietly};
use crate::{Guest, Language, Workshop, files, step};

const PLUGINS: &str = "plugins/event/assemblyscript";
/// What every plugin has around its own code: package.json, asconfig.json, the entry.
const TEMPLATE: &str = "event-sdk/assemblyscript/template";

/// Builds each plugin as it is in the folder of a user, and a second time with its tests: `count`
/// and `count-test`.
pub(crate) fn build(workshop: &Workshop, host: &Path) -> Result<Vec<Guest>> {
    node::provide(workshop.may_install)?;
    let template = workshop.root.join(TEMPLATE);
    let modules = node::modules(&template, &workshop.folder.join("npm"))?;
    let vendor = workshop.folder.join("vendor");
    remove(&vendor)?;
    quietly(Command::new(host).arg("vendor").arg(&vendor))?;

    let mut guests = Vec::new();
    for source in files::folders(&workshop.root.join(PLUGINS))? {
        let name = files::name(&source)?;
        let plugin = Plugin { source, template: &template, vendor: &vendor, modules: &modules };
        let names = [name.clone(), format!("{name}-test")];
        let [production, test] =
            names.clone().map(|it| workshop.output(Language::AssemblyScript, &it));
        let inputs = plugin.inputs()?;
        files::unless_fresh(&inputs, &test, || {
            step(&format!("building {}", plugin.source.display()));
            let folder = workshop.folder.join("assemblyscript").join(&name);
            plugin.put_together(&folder)?;
            quietly(node::npm(&folder).args(["run", "asbuild"]))?;
            let asc = "asc vendor/plugin_test.ts --config asconfig.json --target test";
            quietly(node::npm(&folder).args(["exec", "--offline", "--call", asc]))?;
            files::install(&folder.join("build/production.wasm"), &production)?;
            files::install(&folder.join("build/test.wasm"), &test)
        })?;
        for (name, file) in names.into_iter().zip([production, test]) {
            guests.push(Guest { language: Language::AssemblyScript, name, file });
        }
    }
    Ok(guests)
}

struct Plugin<'a> {
    source: PathBuf,
    template: &'a Path,
    vendor: &'a Path,
    modules: &'a Path,
}

impl Plugin<'_> {
    fn parts(&self) -> [(&Path, &'static str); 3] {
        [(self.template, ""), (&self.source, ""), (self.vendor, "vendor")]
    }

    fn inputs(&self) -> Result<String> {
        let mut inputs = Vec::new();
        for (from, _) in self.parts() {
            inputs.extend(sources(from)?);
        }
        files::hash(&inputs)
    }

    fn put_together(&self, folder: &Path) -> Result<()> {
        remove(folder)?;
        for (from, to) in self.parts() {
            let to = folder.join(to);
            for file in sources(from)? {
                let path = file.strip_prefix(from).unwrap_or(&file);
                files::install(&file, &to.join(path))?;
            }
        }
        let link = folder.join("node_modules");
        symlink(self.modules, &link).with_context(|| format!("cannot make {}", link.display()))
    }
}

/// All files of a plugin but those that npm and the compiler have made there.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = files::under(folder)?;
    sources.retain(|file| {
        let path = file.strip_prefix(folder).unwrap_or(file);
        !["node_modules", "build", "vendor"].iter().any(|made| path.starts_with(made))
    });
    Ok(sources)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

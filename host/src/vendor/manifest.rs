//! A package of this repository as it is in another: its manifest without the workspace.

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// What a package outside of the workspace cannot have, or nobody else needs.
const LEFT_OUT: [&str; 3] = ["dev-dependencies", "lints", "test"];

/// The manifest with what it takes from the workspace's written out. Packages that are at the root
/// of the workspace are expected beside this one.
pub(super) fn outside_of_workspace(manifest: &str, workspace: &str) -> Result<String> {
    let workspace: DocumentMut = workspace.parse()?;
    let shared = |table: &str| workspace.get("workspace")?.get(table)?.as_table();
    let shared = |table| shared(table).with_context(|| format!("there is no workspace.{table}"));
    let mut manifest: DocumentMut = manifest.parse()?;
    for name in LEFT_OUT {
        manifest.remove(name);
    }
    if let Some(package) = manifest.get_mut("package").and_then(Item::as_table_mut) {
        resolve(package, shared("package")?, |_, shared| Some(shared.clone()))?;
    }
    let mut tables: Vec<&mut Item> = Vec::new();
    for (name, item) in manifest.iter_mut() {
        match name.get() {
            "dependencies" => tables.push(item),
            "target" => {
                let targets = item.as_table_mut().into_iter().flat_map(Table::iter_mut);
                tables.extend(targets.filter_map(|(_, target)| target.get_mut("dependencies")));
            }
            _ => {}
        }
    }
    for table in tables.into_iter().filter_map(Item::as_table_mut) {
        resolve(table, shared("dependencies")?, dependency)?;
    }
    Ok(manifest.to_string())
}

/// Replaces each `name.workspace = true` by what `merge` makes of it and of the workspace's.
fn resolve(
    table: &mut Table,
    shared: &Table,
    merge: impl Fn(&Item, &Item) -> Option<Item>,
) -> Result<()> {
    for (name, item) in table.iter_mut() {
        if item.get("workspace").is_some() {
            let name = name.get();
            let whole = shared.get(name).and_then(|shared| merge(item, shared));
            *item = whole.with_context(|| format!("the workspace says nothing of {name}"))?;
        }
    }
    Ok(())
}

/// A dependency as it is here, on top of what the workspace says of it.
fn dependency(here: &Item, shared: &Item) -> Option<Item> {
    let mut whole = match shared.as_value()? {
        Value::InlineTable(table) => table.clone(),
        version => InlineTable::from_iter([("version", version.clone())]),
    };
    if let Some(path) = whole.get_mut("path") {
        *path = format!("../{}", path.as_str()?).into();
    }
    let own = here.as_table_like()?.iter().filter(|(name, _)| *name != "workspace");
    for (name, value) in own {
        let value = value.as_value()?;
        match (whole.get_mut(name).and_then(Value::as_array_mut), value.as_array()) {
            (Some(features), Some(own)) => {
                features.extend(own.iter().cloned());
                features.fmt();
            }
            _ => drop(whole.insert(name, value.clone())),
        }
    }
    whole.fmt();
    Some(Item::Value(Value::InlineTable(whole)))
}

#[cfg(test)]
mod tests {
    use super::outside_of_workspace;

    const WORKSPACE: &str = r#"
        [workspace.package]
        version = "1.2.3"

        [workspace.dependencies]
        log = "0.4"
        proto = { path = "proto" }
        prost = { version = "0.14", default-features = false, features = ["std"] }
    "#;

    #[test]
    fn what_the_workspace_says_is_written_out() {
        let manifest = "\
[package]
name = \"kit\"
version.workspace = true

[dependencies]
log.workspace = true
prost = { workspace = true, features = [\"derive\"] }

# Not in a guest.
[target.'cfg(not(wasm))'.dependencies]
proto = { workspace = true, features = [\"descriptors\"] }

[dev-dependencies]
proptest.workspace = true

[[test]]
name = \"kit\"
required-features = [\"std\"]

[lints]
workspace = true
";
        let resolved = "\
[package]
name = \"kit\"
version = \"1.2.3\"

[dependencies]
log = { version = \"0.4\" }
prost = { version = \"0.14\", default-features = false, features = [\"std\", \"derive\"] }

# Not in a guest.
[target.'cfg(not(wasm))'.dependencies]
proto = { path = \"../proto\", features = [\"descriptors\"] }
";
        assert_eq!(outside_of_workspace(manifest, WORKSPACE).unwrap(), resolved);
    }

    #[test]
    fn a_dependency_that_the_workspace_does_not_have_is_an_error() {
        let manifest = "[dependencies]\nserde.workspace = true\n";
        let error = outside_of_workspace(manifest, WORKSPACE).unwrap_err();
        assert_eq!(error.to_string(), "the workspace says nothing of serde");
    }
}

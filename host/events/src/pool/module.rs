//! What a module is, read from its bytes before anything of it runs.

use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef, Validator};

/// A module that may be put into a [`super::Pool`], by its bytes.
#[derive(Debug, Default)]
pub struct Module {
    /// It imports WASI, which is then lent: clocks and random numbers, no files, no network.
    pub(crate) wasi: bool,
    imports: Vec<(String, String)>,
    exports: Vec<String>,
}

/// The namespaces that the host knows beside those of [`super::PoolBuilder::functions`].
const ENV: &str = "extism:host/env";

fn is_wasi(namespace: &str) -> bool {
    namespace.starts_with("wasi")
}

/// The elements of a table. Extism's limit of memory does not count them.
const TABLE: u64 = 100_000;

impl Module {
    /// Reads a module. An error says what the bytes are instead.
    pub fn read(wasm: &[u8]) -> Result<Self, String> {
        if !wasm.starts_with(b"\0asm") {
            return Err("is no WebAssembly; build it for a wasm target first".to_owned());
        }
        let damaged = |error: wasmparser::BinaryReaderError| {
            format!("is a damaged WebAssembly module, build it again: {error}")
        };
        Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(wasm)
            .map_err(damaged)?;
        let mut module = Self::default();
        let (mut large, mut open, mut grows) = (false, false, false);
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(damaged)? {
                Payload::Version { encoding: wasmparser::Encoding::Component, .. } => {
                    return Err("is a component; build it as a plain module".to_owned());
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.map_err(damaged)?;
                        module.wasi |= is_wasi(import.module);
                        if matches!(import.ty, TypeRef::Func(_)) {
                            module.imports.push((import.module.to_owned(), import.name.to_owned()));
                        }
                    }
                }
                Payload::TableSection(tables) => {
                    for table in tables {
                        let table = table.map_err(damaged)?.ty;
                        large |= table.initial > TABLE;
                        open |= table.maximum.is_none_or(|maximum| maximum > TABLE);
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let mut operators = body.get_operators_reader().map_err(damaged)?;
                    while !operators.eof() {
                        let operator = operators.read().map_err(damaged)?;
                        grows |= matches!(operator, Operator::TableGrow { .. });
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export.map_err(damaged)?;
                        if export.kind == ExternalKind::Func {
                            module.exports.push(export.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        if large || (open && grows) {
            return Err(format!(
                "has, or grows, a table of more than {TABLE} elements, which no limit of memory counts; \
                 give its tables a maximum"
            ));
        }
        Ok(module)
    }

    /// The functions that it exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().map(String::as_str)
    }

    /// The functions that it imports, each with its namespace.
    pub fn imports(&self) -> impl Iterator<Item = (&str, &str)> {
        self.imports.iter().map(|(namespace, name)| (&**namespace, &**name))
    }

    /// An import that none of the functions given satisfies, as `namespace.name`. Extism's own are
    /// left to the SDK.
    pub(crate) fn unmet<'a>(
        &self,
        functions: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<String> {
        let given: Vec<_> = functions.collect();
        let known = |module: &str, name: &str| {
            module == ENV || is_wasi(module) || given.contains(&(module, name))
        };
        let unmet = self.imports.iter().find(|(module, name)| !known(module, name));
        unmet.map(|(module, name)| format!("{module}.{name}"))
    }
}

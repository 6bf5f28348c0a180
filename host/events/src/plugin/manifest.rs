//! What a plugin may do, and what happens when it fails.

use crate::pool::{BuildError, PoolBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What becomes of an event when the plugin fails on it. Each failure is logged and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It goes on unchanged.
    #[default]
    Pass,
    /// It goes nowhere.
    Drop,
    /// The pipeline ends, and with it the program that waits for it.
    Stop,
}

/// The configuration of one event plugin.
#[derive(Clone)]
pub struct Manifest {
    /// The module.
    pub path: PathBuf,
    /// Its name in logs, metrics and the store: what it has stored belongs to this name.
    pub name: String,
    /// How long a call may take.
    pub timeout: Duration,
    /// How many instances there are.
    pub concurrency: Option<usize>,
    /// How many bytes an instance may have.
    pub memory: u64,
    /// What it reads with its PDK's `config` functions.
    pub config: BTreeMap<String, String>,
    /// What it reads with `secret_get`.
    pub secrets: BTreeMap<String, String>,
    /// What becomes of an event when it fails.
    pub on_error: OnError,
    /// The export to call instead of the contract's.
    pub handler: Option<String>,
}

impl Manifest {
    /// The defaults, for a module; its name is the file's without its ending.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_stem().map(|it| it.to_string_lossy().into_owned());
        Self {
            name: name.unwrap_or_else(|| "plugin".to_owned()),
            path,
            timeout: PoolBuilder::TIMEOUT,
            concurrency: None,
            memory: PoolBuilder::MEMORY,
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            on_error: OnError::default(),
            handler: None,
        }
    }

    /// The module's bytes, as they are in the file now.
    pub fn read(&self) -> Result<Vec<u8>, BuildError> {
        std::fs::read(&self.path)
            .map_err(|error| BuildError::Read { path: self.path.display().to_string(), error })
    }
}

/// Without what is secret.
impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("path", &self.path)
            .field("name", &self.name)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

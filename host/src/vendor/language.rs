//! The languages that there is a kit for event plugins in.

use clap::ValueEnum;

/// What an event plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Typed events, tests also without the host
    Rust,
    /// Like TypeScript; needs Node.js
    #[value(name = "assemblyscript")]
    AssemblyScript,
    /// One header; events as JSON
    C,
}

impl Language {
    /// The name of its folders in the repository.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::AssemblyScript => "assemblyscript",
            Self::C => "c",
        }
    }

    /// As people write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::AssemblyScript => "AssemblyScript",
            Self::C => "C",
        }
    }
}

//! Flags that say which plugins are loaded, and the commands that go with them.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Which plugins are loaded. The same flags for whatever loads some.
#[derive(Clone, Debug, Default, Args)]
pub struct TrustFlags {
    /// Load only what this file allows, native or WebAssembly: its lines are SHA-256 hashes, and
    /// minisign public keys whose signatures lie beside the plugins (PLUGIN.minisig); more in host trust
    /// --help
    #[arg(long, value_name = "FILE", help_heading = "Plugins")]
    pub plugin_trust: Option<PathBuf>,
    /// Load plugins and patches that anybody may change or replace, since their file or a folder on
    /// the way to it is world-writable. And a state folder, where there is one, that others may write in
    #[arg(long, help_heading = "Plugins")]
    pub allow_world_writable: bool,
}

/// Flags of `host trust`.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TrustCommand,
    /// The trust file. One that is not there is made by add
    #[arg(long, value_name = "FILE", default_value = "./plugin-trust", global = true)]
    pub plugin_trust: PathBuf,
}

/// What is done with a trust file.
#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Allows plugins, each as it is now, or keys and all that they sign
    Add {
        /// A plugin's file (its SHA-256 is added), a public key's file, or a hash or key itself
        #[arg(required = true, value_name = "FILE|KEY.pub|RW…|SHA256")]
        what: Vec<String>,
    },
    /// Lists what is allowed
    List,
    /// Allows something no longer (exit code 1 if it was not allowed by itself)
    Remove {
        /// As for add, or the short number of a key, as the list has it
        #[arg(required = true, value_name = "FILE|KEY.pub|RW…|SHA256|ID")]
        what: Vec<String>,
    },
}

/// Flags of `host sign`.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The plugins to sign
    #[arg(required_unless_present = "generate", conflicts_with = "generate")]
    pub plugins: Vec<PathBuf>,
    /// Make a key: the secret one in the file of --key, the public one beside it, in .pub
    #[arg(long)]
    pub generate: bool,
    /// The file of the secret key [default: ~/.minisign/minisign.key]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// A file with the secret key's password in its first line. Without it the password is that of
    /// the environment variable TENON_SIGN_PASSWORD, or asked for
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Make a key that needs no password: whoever can read its file can sign
    #[arg(long, requires = "generate", conflicts_with = "password_file")]
    pub no_password: bool,
}

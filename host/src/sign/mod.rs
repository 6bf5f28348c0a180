//! `host sign`: signatures of plugins in minisign's format, and the keys that make them.

mod key;

use crate::Usage;
use crate::cli::SignArgs;
use crate::config::first_line;
use crate::trust::{key_id, replace, signature_of};
use anyhow::{Context, Result, ensure};
use minisign::{PublicKey, SecretKey};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// The environment variable with the password of the secret key.
const PASSWORD: &str = "TENON_SIGN_PASSWORD";
/// Where minisign keeps the secret key, from the user's home.
const DEFAULT: &str = ".minisign/minisign.key";

/// Signs plugins, or makes a key.
pub fn run(args: &SignArgs) -> Result<ExitCode> {
    let path = match &args.key {
        Some(path) => path.clone(),
        None => default_key()?,
    };
    match args.generate {
        true => generate(args, &path)?,
        false => sign(args, &path)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn default_key() -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or_else(|| Usage("there is no home folder; give --key FILE".to_owned()))?;
    Ok(home.join(DEFAULT))
}

fn generate(args: &SignArgs, path: &Path) -> Result<()> {
    let protection = match args.no_password {
        true => key::Protection::None,
        false => match password(args)? {
            Some(password) => key::Protection::Password(password),
            None => key::Protection::Ask,
        },
    };
    let (public, public_path) = key::generate(path, protection)?;
    say!("{} is the secret key: keep it to yourself, and keep a copy", path.display())?;
    say!("{} is the public key {}", public_path.display(), id(&public))?;
    say!("to allow what it signs: host trust add {}", public_path.display())?;
    Ok(())
}

fn sign(args: &SignArgs, path: &Path) -> Result<()> {
    for plugin in &args.plugins {
        ensure!(plugin.is_file(), "{} cannot be signed: there is no such file", plugin.display());
    }
    let secret = key::read(path, || password(args))?;
    let public = PublicKey::from_secret_key(&secret)?;
    for plugin in &args.plugins {
        let signature = sign_one(plugin, &secret, &public)
            .with_context(|| format!("{} cannot be signed", plugin.display()))?;
        say!("{} is signed by the key {}", plugin.display(), id(&public))?;
        say!("its signature is {}", signature.display())?;
    }
    Ok(())
}

fn sign_one(plugin: &Path, secret: &SecretKey, public: &PublicKey) -> Result<PathBuf> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let name = plugin.file_name().unwrap_or_default().to_string_lossy();
    // A comment is a line.
    let name: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let signed = format!("timestamp:{seconds}\tfile:{name}\thashed"); // as minisign says it
    let comment = format!("signature from host sign, key {}", id(public));
    let content = File::open(plugin)?;
    let signature = minisign::sign(Some(public), secret, content, Some(&signed), Some(&comment))?;
    let path = signature_of(plugin);
    replace(&path, signature.into_string().as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// The password that is given; none if it has to be asked for.
fn password(args: &SignArgs) -> Result<Option<String>> {
    let (password, place) = match (&args.password_file, std::env::var(PASSWORD)) {
        (Some(path), _) => (first_line(path, "the password file")?, path.display().to_string()),
        (None, Ok(password)) => (password, PASSWORD.to_owned()),
        (None, Err(_)) => return Ok(None),
    };
    match password.is_empty() {
        true => Err(Usage(format!("the password in {place} is empty")).into()),
        false => Ok(Some(password)),
    }
}

fn id(public: &PublicKey) -> String {
    key_id(&public.to_base64()).unwrap_or_default()
}

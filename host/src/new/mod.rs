//! `host new`: a folder for a new plugin, which builds and tests by itself.

mod assemblyscript;
mod c;
mod name;
mod native;
mod npm;
mod package;
mod rust;
mod start;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::NewArgs;
use crate::vendor::{Files, Language};
use start::Start;

/// What an example brings to a folder, beside what all have.
struct Plugin {
    files: Files,
    readme: String,
    /// The `.gitignore`: what is made there.
    ignored: &'static str,
    /// The commands that the author begins with.
    next: Vec<String>,
}

/// Writes the folder, and says what to do next.
pub fn run(args: &NewArgs) -> Result<ExitCode> {
    let start = Start::of(args)?;
    let name = name::of(&args.dir);
    let plugin = match start {
        Start::Event(Language::Rust, example) => rust::plugin(&name, example)?,
        Start::Event(Language::AssemblyScript, example) => assemblyscript::plugin(&name, example)?,
        Start::Event(Language::C, example) => c::plugin(&name, example),
        Start::Middleware(place, example) => native::middleware(&name, place, example)?,
        Start::Patch(point) => native::patch(&name, point)?,
    };
    let mut files = plugin.files;
    files.text("README.md", plugin.readme);
    files.text(".gitignore", plugin.ignored.to_owned());
    if let Start::Event(..) = start {
        files.copy_all("fixtures/events", "fixtures");
    }
    files.add("vendor", start.kit().files()?);
    files.write_new(&args.dir)?;
    let (language, example) = (start.language(), start.example());
    say!("{} is a plugin in {}, from the example {example}", shown(&args.dir), language.name())?;

    let installed = match language {
        Language::AssemblyScript if !args.no_install => npm::install(&args.dir),
        _ => Ok(()),
    };
    say!("next:\n  cd {}", shown(&args.dir))?;
    if language == Language::AssemblyScript && (args.no_install || installed.is_err()) {
        say!("  npm ci")?;
    }
    for command in plugin.next {
        say!("  {command}")?;
    }
    installed.context("the folder is whole, but its npm packages are not installed")?;
    Ok(ExitCode::SUCCESS)
}

/// The folder as a shell takes it.
fn shown(folder: &Path) -> String {
    let path = folder.display().to_string();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+".contains(letter);
    match path.chars().all(plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;
    use std::path::Path;

    #[test]
    fn paths_are_shown_as_a_shell_takes_them() {
        assert_eq!(shown(Path::new("/home/ann/my-plugin")), "/home/ann/my-plugin");
        assert_eq!(shown(Path::new("My Plugin!")), "'My Plugin!'");
        assert_eq!(shown(Path::new("it's")), r"'it'\''s'");
    }
}

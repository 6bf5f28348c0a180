//! `host new`: a folder for a new plugin, which builds and tests by itself.

mod assemblyscript;
mod c;
mod name;
mod npm;
mod rust;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::Usage;
use crate::cli::NewArgs;
use crate::vendor::{Files, Language, embedded, kit};

/// The smallest example, for who does not ask for another.
const FIRST: &str = "dump";

/// What a language brings to a folder, beside what all have.
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
    let language = args.lang;
    let example = example(language, args.example.as_deref())?;
    let name = name::of(&args.dir);
    let plugin = match language {
        Language::Rust => rust::plugin(&name, example)?,
        Language::AssemblyScript => assemblyscript::plugin(&name, example)?,
        Language::C => c::plugin(&name, example),
    };
    let mut files = plugin.files;
    files.text("README.md", plugin.readme);
    files.text(".gitignore", plugin.ignored.to_owned());
    files.copy_all("fixtures/events", "fixtures");
    files.add("vendor", kit(language)?);
    files.write_new(&args.dir)?;
    println!("{} is a plugin in {}, from the example {example}", shown(&args.dir), language.name());

    let installed = match language {
        Language::AssemblyScript if !args.no_install => npm::install(&args.dir),
        _ => Ok(()),
    };
    println!("next:\n  cd {}", shown(&args.dir));
    if language == Language::AssemblyScript && (args.no_install || installed.is_err()) {
        println!("  npm ci");
    }
    for command in plugin.next {
        println!("  {command}");
    }
    installed.context("the folder is whole, but its npm packages are not installed")?;
    Ok(ExitCode::SUCCESS)
}

/// The example to start from: the one asked for, or else the first.
fn example(language: Language, asked: Option<&str>) -> Result<&'static str, Usage> {
    let examples = examples(language);
    let found = match asked {
        Some(name) => examples.iter().find(|it| **it == name),
        None => examples.iter().find(|it| **it == FIRST).or(examples.first()),
    };
    found.copied().ok_or_else(|| {
        let (name, language) = (asked.unwrap_or(FIRST), language.name());
        Usage(format!(
            "there is no example {name} in {language}; give -e {}",
            examples.join(" or ")
        ))
    })
}

/// The examples that there are in a language, in order.
fn examples(language: Language) -> Vec<&'static str> {
    let files = embedded::under("plugins/event").filter_map(|(path, _)| {
        let (example, _) =
            path.strip_prefix(language.folder())?.strip_prefix('/')?.split_once('/')?;
        Some(example)
    });
    let mut examples: Vec<_> = files.collect();
    examples.dedup();
    examples
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
    use super::*;
    use std::fs;

    const LANGUAGES: [Language; 3] = [Language::Rust, Language::AssemblyScript, Language::C];

    #[test]
    fn every_example_of_the_repository_is_offered() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/event");
        for language in LANGUAGES {
            let folders = fs::read_dir(root.join(language.folder())).unwrap();
            let folders = folders.map(|it| it.unwrap()).filter(|it| it.path().is_dir());
            let mut names: Vec<_> =
                folders.map(|it| it.file_name().into_string().unwrap()).collect();
            names.retain(|name| name != "target");
            names.sort();
            assert_eq!(examples(language), names, "build.rs names what is embedded");
        }
    }

    #[test]
    fn without_a_wish_it_is_the_smallest_example_that_there_is() {
        assert_eq!(example(Language::Rust, None).unwrap(), "dump");
        assert_eq!(example(Language::C, None).unwrap(), "skip");
    }

    #[test]
    fn paths_are_shown_as_a_shell_takes_them() {
        assert_eq!(shown(Path::new("/home/ann/my-plugin")), "/home/ann/my-plugin");
        assert_eq!(shown(Path::new("My Plugin!")), "'My Plugin!'");
        assert_eq!(shown(Path::new("it's")), r"'it'\''s'");
    }
}

//! What a new plugin starts from: the examples of the repository.

use crate::Usage;
use crate::cli::{Kind, NewArgs, Point};
use crate::vendor::{Kit, Language, embedded};

/// An example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Of an event plugin.
    Event(Language, &'static str),
    /// Of what is put before or after authentication.
    Middleware(Place, &'static str),
    /// Of what replaces a part of the host.
    Patch(Point),
}

/// Where a middleware runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Pre,
    Post,
}

impl Start {
    /// The one that the user asked for, or else the smallest of its kind.
    pub(super) fn of(args: &NewArgs) -> Result<Self, Usage> {
        if args.kind != Kind::Event && args.lang != Language::Rust {
            let (kind, language) = (name(args.kind), args.lang.name());
            return Err(Usage(format!(
                "there is no {kind} plugin in {language}, only in Rust: leave --lang out, or give \
                 --kind event"
            )));
        }
        if args.kind != Kind::Patch && args.point.is_some() {
            return Err(Usage("--point says what a patch replaces: give --kind patch".to_owned()));
        }
        let asked = args.example.as_deref();
        let middleware = |place: Place, first| {
            let what = format!("for {}", name(args.kind));
            example(&place.folder(), &what, asked, first).map(|it| Self::Middleware(place, it))
        };
        match args.kind {
            Kind::Event => {
                let (folder, what) = (folder(args.lang), format!("in {}", args.lang.name()));
                example(&folder, &what, asked, "dump").map(|it| Self::Event(args.lang, it))
            }
            Kind::Pre => middleware(Place::Pre, "gate"),
            Kind::Post => middleware(Place::Post, "role"),
            Kind::Patch if asked.is_some() => Err(Usage(
                "a patch starts from what it replaces: leave -e out, and give --point".to_owned(),
            )),
            Kind::Patch => Ok(Self::Patch(args.point.unwrap_or(Point::ReverseProxy))),
        }
    }

    /// What it is built with.
    pub(super) fn kit(self) -> Kit {
        match self {
            Self::Event(language, _) => Kit::Event(language),
            Self::Middleware(..) | Self::Patch(_) => Kit::Native,
        }
    }

    /// What it is written in.
    pub(super) fn language(self) -> Language {
        match self {
            Self::Event(language, _) => language,
            Self::Middleware(..) | Self::Patch(_) => Language::Rust,
        }
    }

    /// Its name, for the user.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Event(_, example) | Self::Middleware(_, example) => example,
            Self::Patch(point) => point_name(point),
        }
    }
}

impl Place {
    /// As the host's flag begins: `pre`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
        }
    }

    fn folder(self) -> String {
        format!("plugins/starters/{}", self.name())
    }
}

/// A patch point as the host calls it.
pub(super) fn point_name(point: Point) -> &'static str {
    match point {
        Point::ReverseProxy => "reverse_proxy",
        Point::Authenticator => "authenticator",
        Point::ErrorPage => "error_page",
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "event",
        Kind::Pre => "pre",
        Kind::Post => "post",
        Kind::Patch => "patch",
    }
}

/// The folder of the examples of event plugins.
fn folder(language: Language) -> String {
    format!("plugins/event/{}", language.folder())
}

/// The example to start from: the one asked for, or else the first.
fn example(
    folder: &str,
    what: &str,
    asked: Option<&str>,
    first: &str,
) -> Result<&'static str, Usage> {
    let examples = examples(folder);
    let found = match asked {
        Some(name) => examples.iter().find(|it| **it == name),
        None => examples.iter().find(|it| **it == first).or(examples.first()),
    };
    found.copied().ok_or_else(|| {
        let name = asked.unwrap_or(first);
        Usage(format!("there is no example {name} {what}; give -e {}", examples.join(" or ")))
    })
}

/// The examples that there are in a folder, in order.
fn examples(folder: &str) -> Vec<&'static str> {
    let files = embedded::under(folder);
    let mut examples: Vec<_> =
        files.filter_map(|(path, _)| Some(path.split_once('/')?.0)).collect();
    examples.dedup();
    examples
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn started(args: &[&str]) -> Result<Start, String> {
        #[derive(clap::Parser)]
        struct New {
            #[command(flatten)]
            args: NewArgs,
        }
        let new: New = clap::Parser::parse_from([&["new", "folder"], args].concat());
        Start::of(&new.args).map_err(|usage| usage.to_string())
    }

    #[test]
    fn every_example_of_the_repository_is_offered() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in [
            "plugins/event/rust",
            "plugins/event/assemblyscript",
            "plugins/event/c",
            "plugins/starters/pre",
            "plugins/starters/post",
            "plugins/starters/patch",
        ] {
            let folders = fs::read_dir(root.join(folder)).unwrap();
            let folders = folders.map(|it| it.unwrap()).filter(|it| it.path().is_dir());
            let mut names: Vec<_> =
                folders.map(|it| it.file_name().into_string().unwrap()).collect();
            names.retain(|name| name != "target");
            names.sort();
            assert_eq!(examples(folder), names, "build.rs names what is embedded");
        }
    }

    #[test]
    fn without_a_wish_it_is_the_smallest_example_that_there_is() {
        assert_eq!(started(&[]), Ok(Start::Event(Language::Rust, "dump")));
        assert_eq!(started(&["--lang", "c"]), Ok(Start::Event(Language::C, "skip")));
        assert_eq!(started(&["--kind", "pre"]), Ok(Start::Middleware(Place::Pre, "gate")));
        assert_eq!(started(&["--kind", "post"]), Ok(Start::Middleware(Place::Post, "role")));
        assert_eq!(started(&["--kind", "patch"]), Ok(Start::Patch(Point::ReverseProxy)));
    }

    /// Each is the folder of an example, and the part of the host that is called so.
    #[test]
    fn every_point_can_be_chosen() {
        use clap::ValueEnum;
        let points = Point::value_variants();
        let mut names: Vec<_> = points.iter().map(|point| point_name(*point)).collect();
        assert_eq!(names, host_proxy::native::PATCH_POINTS);
        for (point, name) in points.iter().zip(&names) {
            let start = started(&["--kind", "patch", "--point", name]);
            assert_eq!(start, Ok(Start::Patch(*point)));
        }
        names.sort_unstable();
        assert_eq!(examples("plugins/starters/patch"), names);
    }
}

//! Which glibc a shared library needs: the newest version among the symbols that it takes from it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::{FromStr, from_utf8};

use anyhow::{Context, Result, bail};
use object::elf::{FileHeader32, FileHeader64, SHT_DYNSYM, VER_FLG_WEAK, VERSYM_VERSION};
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, FileKind};

/// What the standard library of Rust needs, on every architecture that has it.
const OLDEST: Version = Version([2, 17, 0]);
/// How many symbols a message names.
const NAMED: usize = 3;

/// A version of glibc: 2.28, and among old symbols 2.2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u32; 3]);

/// What a library needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Need {
    version: Version,
    /// Because of these.
    symbols: BTreeSet<String>,
}

impl Need {
    /// What this library needs; none if it takes nothing from glibc, or is no library of Linux.
    pub(crate) fn of(library: &[u8]) -> Result<Option<Self>> {
        match FileKind::parse(library) {
            Ok(FileKind::Elf64) => of_elf::<FileHeader64<Endianness>>(library),
            Ok(FileKind::Elf32) => of_elf::<FileHeader32<Endianness>>(library),
            _ => Ok(None), // another system's
        }
    }

    /// An error if this is more than was `asked` for.
    pub(crate) fn check(&self, asked: Version) -> Result<()> {
        if self.version > asked {
            bail!("it needs glibc {self}, and no newer one than {asked} was asked for");
        }
        Ok(())
    }
}

/// As in `2.34 (for dlsym, pthread_create, stat and 4 more)`.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.version)?;
        let named: Vec<_> = self.symbols.iter().take(NAMED).map(String::as_str).collect();
        match (named.join(", "), self.symbols.len().saturating_sub(NAMED)) {
            (named, _) if named.is_empty() => Ok(()),
            (named, 0) => write!(f, " (for {named})"),
            (named, more) => write!(f, " (for {named} and {more} more)"),
        }
    }
}

fn of_elf<Elf: FileHeader<Endian = Endianness>>(library: &[u8]) -> Result<Option<Need>> {
    let header = Elf::parse(library)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, library)?;
    let Some((mut files, link)) = sections.gnu_verneed(endian, library)? else { return Ok(None) };
    let strings = sections.strings(endian, library, link)?;
    let mut newest: Option<Version> = None;
    // The numbers by which symbols refer to it: one for each library that has it.
    let mut numbers = BTreeSet::new();
    while let Some((_, mut versions)) = files.next()? {
        while let Some(entry) = versions.next()? {
            // The loader only warns when it has no version that all refer to weakly.
            if entry.vna_flags.get(endian) & VER_FLG_WEAK != 0 {
                continue;
            }
            let Some(version) = Version::of_symbols(from_utf8(entry.name(endian, strings)?)?)?
            else {
                continue;
            };
            if newest.is_none_or(|newest| version > newest) {
                newest = Some(version);
                numbers.clear();
            }
            if newest == Some(version) {
                numbers.insert(entry.vna_other.get(endian) & VERSYM_VERSION);
            }
        }
    }
    let Some(version) = newest else { return Ok(None) };
    let mut symbols = BTreeSet::new();
    if let Some(versions) = sections.versions(endian, library)? {
        let table = sections.symbols(endian, library, SHT_DYNSYM)?;
        for (index, symbol) in table.enumerate() {
            if numbers.contains(&versions.version_index(endian, index).index()) {
                let name = symbol.name(endian, table.strings())?;
                symbols.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    Ok(Some(Need { version, symbols }))
}

impl Version {
    /// The version in the name of a symbol version, as in `GLIBC_2.17`; none for other libraries'.
    fn of_symbols(name: &str) -> Result<Option<Self>> {
        let Some(version) = name.strip_prefix("GLIBC_") else { return Ok(None) };
        if version == "ABI_DT_RELR" {
            return Ok(Some(Self([2, 36, 0]))); // the first whose loader knows such relocations
        }
        let version = Self::parse(version);
        Ok(Some(version.with_context(|| format!("it needs {name}, which no version promises"))?))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut version = [0; 3];
        let parts: Vec<_> = text.split('.').collect();
        if !(2..=3).contains(&parts.len()) {
            return None;
        }
        for (number, part) in version.iter_mut().zip(parts) {
            *number = part.parse().ok()?;
        }
        Some(Self(version))
    }
}

/// As it is asked for.
impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let version = Self::parse(text).filter(|version| version.0[2] == 0);
        let version = version.ok_or("write it as in 2.28")?;
        match version < OLDEST {
            true => Err(format!("Rust's standard library needs {OLDEST}")),
            false => Ok(version),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [major, minor, 0] => write!(f, "{major}.{minor}"),
            [major, minor, patch] => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Need, Version};

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("2.9") < version("2.17") && version("2.2.5") < version("2.3"));
        assert!(version("2.39") < version("3.0"));
        assert_eq!(version("2.2.5").to_string(), "2.2.5");
        assert_eq!("2.28".parse(), Ok(version("2.28")));
        assert_eq!("2.16".parse::<Version>(), Err("Rust's standard library needs 2.17".to_owned()));
        for text in ["2", "2.28.1", "2.x", "glibc 2.28", ""] {
            assert_eq!(text.parse::<Version>(), Err("write it as in 2.28".to_owned()), "{text}");
        }
    }

    #[test]
    fn symbols_of_other_libraries_do_not_count() {
        let of = |name| Version::of_symbols(name).map_err(|error| error.to_string());
        assert_eq!(of("GCC_3.3"), Ok(None));
        assert_eq!(of("GLIBCXX_3.4.30"), Ok(None));
        assert_eq!(of("GLIBC_2.2.5"), Ok(Version::parse("2.2.5")));
        assert_eq!(of("GLIBC_ABI_DT_RELR"), Ok(Version::parse("2.36")));
        let words = "it needs GLIBC_PRIVATE, which no version promises";
        assert_eq!(of("GLIBC_PRIVATE"), Err(words.to_owned()));
    }

    /// Built by this system's linker against this system's glibc, which is not that old.
    #[test]
    fn a_library_of_this_system_is_too_new_for_an_old_one() {
        let library = std::fs::read(fixtures::library("pre-plugin")).unwrap();
        let need = Need::of(&library).unwrap().expect("it calls the C library");
        assert!(!need.symbols.is_empty(), "{need}");
        need.check(need.version).unwrap();
        let error = need.check(Version([2, 17, 0])).unwrap_err().to_string();
        assert!(error.starts_with(&format!("it needs glibc {} (for ", need.version)), "{error}");
        assert!(error.ends_with("and no newer one than 2.17 was asked for"), "{error}");
    }

    #[test]
    fn what_is_broken_is_an_error_and_what_is_not_elf_needs_nothing() {
        assert_eq!(Need::of(b"\xcf\xfa\xed\xfe of a Mac").unwrap(), None);
        assert!(Need::of(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0").is_err());
        let need = Need { version: Version([2, 34, 0]), symbols: [].into() };
        assert_eq!(need.to_string(), "2.34");
        let many = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let need = Need { version: Version([2, 34, 0]), symbols: many.into() };
        assert_eq!(need.to_string(), "2.34 (for a, b, c and 2 more)");
    }
}

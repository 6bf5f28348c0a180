//! The layout check, and its result in words.

use plugin_interface::host::PluginModule_Ref;
use plugin_interface::host::abi_stable::StableAbi;
use plugin_interface::host::abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityErrors, CheckingGlobals, check_layout_compatibility_with_globals,
};
use plugin_interface::host::abi_stable::type_layout::{TLData, TLFieldOrFunction, TypeLayout};
use std::fmt;

/// One difference between two copies of the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The innermost type of the interface and the way from there: `ResponseParts.status`.
    pub place: String,
    /// What the host's is.
    pub host: String,
    /// What the plugin's is.
    pub plugin: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: host {}, plugin {}", self.place, self.host, self.plugin)
    }
}

/// This host's layout of what a library exports.
pub(super) fn ours() -> &'static TypeLayout {
    <PluginModule_Ref as StableAbi>::LAYOUT
}

/// Whether one of the two layouts is the other with fields and methods added at the end.
///
/// A check allows the second to have more than the first, not less. So the older goes first; which
/// one that is shows by trying. With fresh globals each time: abi_stable's own remember all types
/// ever checked, and its answer then depends on the order of the loads.
pub(super) fn compatible(
    ours: &'static TypeLayout,
    theirs: &'static TypeLayout,
) -> Result<(), Vec<Difference>> {
    let check = |older, newer| {
        check_layout_compatibility_with_globals(older, newer, &CheckingGlobals::new())
    };
    let Err(as_newer) = check(ours, theirs) else { return Ok(()) };
    let Err(as_older) = check(theirs, ours) else { return Ok(()) };
    // An addition shows as a difference in one direction only: what remains in the other is what
    // really differs.
    let mut differences = differences(&as_newer, false);
    let other = self::differences(&as_older, true);
    if other.len() < differences.len() && !other.is_empty() {
        differences = other;
    }
    Err(differences)
}

/// The differences, each once. abi_stable's own text has hundreds of lines.
fn differences(errors: &AbiInstabilityErrors, swapped: bool) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    for error in errors.errors.iter().filter(|error| !error.errs.is_empty()) {
        let mut place = String::new();
        for step in &error.stack_trace {
            match &step.expected {
                TLFieldOrFunction::Field(field) => {
                    place = format!("{place}.{}", field.name());
                    if field.layout().package() == "plugin-interface" {
                        place = type_name(field.layout());
                    }
                }
                TLFieldOrFunction::Function(function) => {
                    place = format!("{place}.{}()", function.name);
                }
            }
        }
        for instability in &error.errs {
            let (what, expected, actual) = words(instability);
            let (host, plugin) = if swapped { (actual, expected) } else { (expected, actual) };
            let place = match (place.is_empty(), what) {
                (true, "") => "PluginModule".to_owned(),
                (true, what) => format!("PluginModule {what}"),
                (false, "") => place.clone(),
                (false, what) => format!("{place} {what}"),
            };
            let difference = Difference { place, host, plugin };
            if !found.contains(&difference) {
                found.push(difference);
            }
        }
    }
    // Where a field's type differs, the sizes of all types around it differ too: say it once.
    let specific = found.iter().any(|it| !is_consequence(it));
    if specific {
        found.retain(|it| !is_consequence(it));
    }
    found
}

fn is_consequence(difference: &Difference) -> bool {
    difference.place.ends_with(" size") || difference.place.ends_with(" alignment")
}

/// What differs, the expected and the found.
fn words(instability: &AbiInstability) -> (&'static str, String, String) {
    match instability {
        AbiInstability::Name(it) => ("", it.expected.to_string(), it.found.to_string()),
        AbiInstability::UnexpectedField(it) => {
            ("field", it.expected.name().to_string(), it.found.name().to_string())
        }
        AbiInstability::FieldCountMismatch(it) => {
            ("fields", it.expected.to_string(), it.found.to_string())
        }
        AbiInstability::TooManyVariants(it) => {
            ("variants", it.expected.to_string(), it.found.to_string())
        }
        AbiInstability::UnexpectedVariant(it) => {
            ("variant", it.expected.to_string(), it.found.to_string())
        }
        AbiInstability::EnumDiscriminant(it) => {
            ("discriminant", format!("{:?}", it.expected), format!("{:?}", it.found))
        }
        AbiInstability::MismatchedPrimitive(it) => {
            ("", format!("{:?}", it.expected), format!("{:?}", it.found))
        }
        AbiInstability::TLDataDiscriminant(it) => {
            ("kind", format!("{:?}", it.expected), format!("{:?}", it.found))
        }
        AbiInstability::Size(it) => ("size", it.expected.to_string(), it.found.to_string()),
        AbiInstability::Alignment(it) => {
            ("alignment", it.expected.to_string(), it.found.to_string())
        }
        AbiInstability::Package(it) => ("package", it.expected.to_string(), it.found.to_string()),
        AbiInstability::PackageVersion(it) => {
            ("package version", it.expected.version.to_string(), it.found.version.to_string())
        }
        AbiInstability::MismatchedPrefixSize(it) => {
            ("prefix fields", it.expected.to_string(), it.found.to_string())
        }
        AbiInstability::FieldLifetimeMismatch(it) => {
            ("lifetimes of", it.expected.name().to_string(), it.found.name().to_string())
        }
        AbiInstability::FnLifetimeMismatch(it) => {
            ("lifetimes of", it.expected.name.to_string(), it.found.name.to_string())
        }
        AbiInstability::ReprAttr(it) => {
            ("representation", format!("{:?}", it.expected), format!("{:?}", it.found))
        }
        other => {
            let text = format!("{other:?}").split_whitespace().collect::<Vec<_>>().join(" ");
            ("", "another".to_owned(), text)
        }
    }
}

/// The name of a type; for the vtable of a `#[sabi_trait]`, which is in a module `…_trait`, that of
/// the trait.
fn type_name(layout: &TypeLayout) -> String {
    let module = layout.mod_path().to_string();
    match module.rsplit("::").next().and_then(|last| last.strip_suffix("_trait")) {
        Some(name) => name.to_owned(),
        None => match layout.data() {
            TLData::PrefixType(_) => layout.name().trim_end_matches("_Ref").to_owned(),
            _ => layout.name().to_owned(),
        },
    }
}

//! Settings: each may be a flag, a key of the configuration file, or an environment variable.
//!
//! A [`Setting`] of [`all`] says what there is to know of it, once. The flags are made of it ([`Flags`]),
//! the file is searched for it ([`Document`]), and [`Settings`] has for each what counts, and where it is
//! from.

mod flags;
mod lookup;
mod resolved;
mod table;

pub use flags::Flags;
pub(crate) use lookup::Document;
pub(crate) use resolved::Settings;
pub(crate) use table::{DEBUG, FOR_A_CLUSTER, Form, SETTINGS, Setting, all};

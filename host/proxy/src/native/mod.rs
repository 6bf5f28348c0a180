//! Native plugins: found, copied, opened, checked, registered.
//!
//! A library comes in at [`Loader::load`] and leaves as [`Plugin`], or as a [`Refusal`] that says
//! why in a line or a few. Nothing is ever unloaded (Rust libraries are not safe to unload), and a
//! library is never loaded from the path it was given under: glibc would return the old code for a
//! replaced file, and overwriting a file that is mapped crashes the process. So each content gets a
//! copy of its own, named by its hash.

mod admission;
mod cache;
mod find;
mod library;
mod log;
mod patches;
mod refusal;
mod services;
mod verdict;

pub use admission::Admission;
pub use cache::sha256;
pub use find::{Locator, NotFound};
pub use library::{Info, Loader, Offers, Plugin};
pub use patches::{PATCH_POINTS, PatchError, PatchFile, scan as scan_patches};
pub use refusal::{Reason, Refusal};
pub use services::{EventSink, HostSide, LogEvents};

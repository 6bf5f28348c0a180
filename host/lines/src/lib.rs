//! Lines: those of a file that is put aside when it is large ([`Rotating`]), and those of the log that would
//! be too many ([`LogLimit`]). What the packages of events share.

mod limit;
mod rotating;

pub use limit::LogLimit;
pub use rotating::{Rotating, Rotation};

//! Lines: JSON as one ([`line()`]), what others say as one ([`on_one_line()`]), those of a file that is put aside when it is large ([`Rotating`]), and
//! those of the log that would be too many ([`LogLimit`]). What the packages of events share.

mod limit;
mod line;
mod rotating;

pub use limit::LogLimit;
pub use line::{line, on_one_line};
pub use rotating::{Rotating, Rotation};

//! Lines: JSON as one ([`line()`]), those of a file that is put aside when it is large ([`Rotating`]), and
//! those of the log that would be too many ([`LogLimit`]). What the packages of events share.

mod limit;
mod line;
mod rotating;

pub use limit::LogLimit;
pub use line::line;
pub use rotating::{Rotating, Rotation};

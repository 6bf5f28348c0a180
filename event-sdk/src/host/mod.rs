//! What the host lends, as one set of functions: the imports of a plugin, or a fake when the
//! author's tests run natively.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod fake;
#[cfg(target_arch = "wasm32")]
mod imports;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use fake::calls::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use imports::*;

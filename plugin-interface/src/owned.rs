//! What owned values are made of: abi_stable's types where they cross the boundary, and std's in a
//! sandbox, where JSON crosses in their place.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use abi_stable::std_types::{RBox, RString, RVec};

#[cfg(target_arch = "wasm32")]
pub(crate) use {std::boxed::Box as RBox, std::string::String as RString, std::vec::Vec as RVec};

/// The value in a box.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn unbox<T>(boxed: RBox<T>) -> T {
    RBox::into_inner(boxed)
}

/// The value in a box.
#[cfg(target_arch = "wasm32")]
pub(crate) fn unbox<T>(boxed: RBox<T>) -> T {
    *boxed
}

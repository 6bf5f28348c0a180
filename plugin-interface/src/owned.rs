//! What owned values are made of: abi_stable's types where they cross the boundary, and std's in a
//! sandbox, where JSON crosses in their place.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use abi_stable::std_types::{RBox, RString, RVec};

#[cfg(target_arch = "wasm32")]
pub(crate) use {std::boxed::Box as RBox, std::string::String as RString, std::vec::Vec as RVec};

/// The value in a box.
pub(crate) fn unbox<T>(boxed: RBox<T>) -> T {
    #[cfg(not(target_arch = "wasm32"))]
    return RBox::into_inner(boxed);
    #[cfg(target_arch = "wasm32")]
    return *boxed;
}

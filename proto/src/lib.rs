//! Audit events, locks and the messages of event plugins, in protobuf.
//!
//! The events are wire-compatible with Teleport's. The code under `generated` comes from the .proto
//! files of this package, and [`events`] in turn from its tables; see its README.
//!
//! ```
//! use proto::events::{OneOf, UserLogin, one_of};
//! use proto::prost::Message;
//!
//! let event = OneOf::from(UserLogin { method: "local".into(), ..UserLogin::default() });
//! let bytes = event.encode_to_vec();
//! let Some(one_of::Event::UserLogin(login)) = OneOf::decode(&*bytes)?.event else {
//!     panic!("another event");
//! };
//! assert_eq!(login.method, "local");
//! # Ok::<(), proto::prost::DecodeError>(())
//! ```

pub use {prost, prost_types};

include!("generated/cases.rs");

mod one_of;

/// Audit events: [`OneOf`](events::OneOf) is any of them.
#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod events {
    include!("generated/events.rs");
}

/// What an event plugin is asked, and what it answers.
#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod plugin {
    include!("generated/plugin.rs");
}

/// What audit events need to know of the rest of Teleport.
#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod teleport {
    #[allow(missing_docs)]
    pub mod accesslist {
        #[allow(missing_docs)]
        pub mod v1 {
            include!("generated/teleport.accesslist.v1.rs");
        }
    }
}

/// How events are written in JSON: the options in [`DESCRIPTORS`].
#[cfg(feature = "descriptors")]
#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod tenon {
    include!("generated/tenon.rs");
}

/// Locks.
#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod types {
    include!("generated/types.rs");
}

/// Names with a list of values each.
#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod wrappers {
    include!("generated/wrappers.rs");
}

/// All .proto files of this package and what they import, as a `google.protobuf.FileDescriptorSet`
/// with the options of tenon/json.proto.
#[cfg(feature = "descriptors")]
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

//! The types that an event can be of.

use crate::wire;
use proto::events::{self, Metadata};
use std::any::Any;

/// A message that is an event, such as [`events::UserLogin`]. Implemented for every case of
/// `events.OneOf`.
pub trait EventMessage: prost::Message + Default + 'static {
    /// Its number among the cases of `events.OneOf`.
    const NUMBER: u32;

    /// Its name in protobuf: `UserLogin`.
    const NAME: &'static str;

    /// What every event has.
    fn metadata(&self) -> Option<&Metadata>;
}

/// An event message of any type, encoded as the `events.OneOf` that holds it.
pub(crate) trait Case: Any {
    fn metadata(&self) -> Option<&Metadata>;
    fn encoded_len(&self) -> usize;
    fn encode(&self, out: &mut Vec<u8>);
}

impl<T: EventMessage> Case for T {
    fn metadata(&self) -> Option<&Metadata> {
        EventMessage::metadata(self)
    }

    fn encoded_len(&self) -> usize {
        wire::field_len(T::NUMBER, prost::Message::encoded_len(self))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        wire::put_key(T::NUMBER, out);
        // A vector grows as needed: the error is that of a buffer too short.
        let written = self.encode_length_delimited(out);
        debug_assert!(written.is_ok());
    }
}

macro_rules! cases {
    ($($message:ident = $number:literal $name:literal,)*) => {
        $(
            impl EventMessage for events::$message {
                const NUMBER: u32 = $number;
                const NAME: &'static str = $name;

                fn metadata(&self) -> Option<&Metadata> {
                    self.metadata.as_ref()
                }
            }
        )*

        /// The name of the message of this number; empty if this crate knows none.
        pub(crate) fn name_of(number: u32) -> &'static str {
            match number {
                $($number => $name,)*
                _ => "",
            }
        }
    };
}

proto::for_each_case!(cases);

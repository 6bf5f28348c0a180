//! What is the same for every case of [`OneOf`].

use crate::events::{Metadata, OneOf, one_of};

macro_rules! cases {
    ($($case:ident = $number:literal $name:literal,)*) => {
        impl OneOf {
            /// The name of the case that is set, such as `UserLogin`; empty if none is.
            ///
            /// The type string of the event, such as `user.login`, is in its metadata.
            pub fn case(&self) -> &'static str {
                match &self.event {
                    $(Some(one_of::Event::$case(_)) => $name,)*
                    None => "",
                }
            }

            /// What every event has: type, code, time.
            pub fn metadata(&self) -> Option<&Metadata> {
                match &self.event {
                    $(Some(one_of::Event::$case(event)) => event.metadata.as_ref(),)*
                    None => None,
                }
            }
        }

        $(
            impl From<crate::events::$case> for OneOf {
                fn from(event: crate::events::$case) -> Self {
                    Self { event: Some(one_of::Event::$case(Box::new(event))) }
                }
            }
        )*
    };
}

for_each_case!(cases);

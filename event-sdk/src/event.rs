//! One audit event, decoded when somebody looks.

use crate::message::{Case, EventMessage, name_of};
use crate::wire::Fields;
use crate::{Error, Result};
use prost::Message as _;
use proto::events::{Metadata, OneOf};
use std::any::Any;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

/// One audit event.
///
/// It holds the bytes that came from the host and decodes them when the handler asks for a type. An
/// event that nobody has changed goes back byte for byte as it came, also one that is newer than
/// this crate.
///
/// ```
/// use event_sdk::events::{UserLogin, UserMetadata};
/// use event_sdk::{Event, Outcome, Result};
///
/// fn handle(event: &mut Event<'_>) -> Result<Outcome> {
///     if let Some(login) = event.get_mut::<UserLogin>()? {
///         login.method = "hidden".into();
///     }
///     Ok(Outcome::Keep)
/// }
/// ```
///
/// To put another event in its place: `*event = UserLogin { … }.into()`.
pub struct Event<'a> {
    /// An `events.OneOf`; stale once `changed`.
    bytes: Cow<'a, [u8]>,
    /// The event as its own type, once somebody has asked for it.
    decoded: OnceCell<Box<dyn Case>>,
    /// Somebody has had `decoded` to write to.
    changed: bool,
}

impl<'a> Event<'a> {
    pub(crate) fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { bytes: bytes.into(), decoded: OnceCell::new(), changed: false }
    }

    /// What kind of event it is, by the name of its message: `UserLogin`. Empty for one that is
    /// newer than this crate. Nothing is decoded.
    pub fn name(&self) -> &'static str {
        self.case().ok().flatten().map_or("", |(number, _)| name_of(number))
    }

    /// What kind of event it is, as Teleport writes it in JSON: `user.login`. Empty when the event
    /// does not say. Nothing is decoded.
    pub fn event_type(&self) -> &str {
        match self.decoded.get() {
            Some(message) => message.metadata().map_or("", |metadata| &metadata.r#type),
            None => self.peek_type().ok().flatten().unwrap_or_default(),
        }
    }

    /// What every event has: type, code, time, id, cluster. Decodes this part only.
    ///
    /// # Errors
    ///
    /// The event's bytes cannot be decoded.
    pub fn metadata(&self) -> Result<Metadata> {
        if let Some(message) = self.decoded.get() {
            return Ok(message.metadata().cloned().unwrap_or_default());
        }
        let metadata = self.metadata_bytes()?.unwrap_or_default();
        Metadata::decode(metadata).map_err(|error| self.undecodable("its metadata", &error))
    }

    /// Whether it is a `T`. Nothing is decoded.
    pub fn is<T: EventMessage>(&self) -> bool {
        matches!(self.case(), Ok(Some((number, _))) if number == T::NUMBER)
    }

    /// The event as a `T`, or none if it is of another type: `event.get::<UserLogin>()?`.
    ///
    /// # Errors
    ///
    /// It is a `T` by its number, and its bytes cannot be decoded as one.
    pub fn get<T: EventMessage>(&self) -> Result<Option<&T>> {
        if self.decoded.get().is_none() {
            match self.case()? {
                Some((number, contents)) if number == T::NUMBER => {
                    let message =
                        T::decode(contents).map_err(|error| self.undecodable(T::NAME, &error))?;
                    self.decoded.get_or_init(|| Box::new(message));
                }
                _ => return Ok(None),
            }
        }
        Ok(self.decoded.get().and_then(|message| {
            let message: &dyn Any = &**message;
            message.downcast_ref()
        }))
    }

    /// The event as a `T` to change. It is encoded anew afterwards, changed or not.
    ///
    /// # Errors
    ///
    /// As those of [`get`](Self::get).
    pub fn get_mut<T: EventMessage>(&mut self) -> Result<Option<&mut T>> {
        if self.get::<T>()?.is_none() {
            return Ok(None);
        }
        self.changed = true;
        Ok(self.decoded.get_mut().and_then(|message| {
            let message: &mut dyn Any = &mut **message;
            message.downcast_mut()
        }))
    }

    /// The event as an enum over all types, to match on. This has the code of all of them in the
    /// plugin, which makes it ten times as large: [`get`](Self::get) is the better choice for a
    /// few.
    ///
    /// # Errors
    ///
    /// The event's bytes cannot be decoded.
    pub fn to_one_of(&self) -> Result<OneOf> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode(&mut bytes);
        OneOf::decode(&*bytes).map_err(|error| self.undecodable("an event", &error))
    }

    /// How long [`encode`](Self::encode) makes it: an `events.OneOf`.
    pub(crate) fn encoded_len(&self) -> usize {
        match self.changed_message() {
            Some(message) => message.encoded_len(),
            None => self.bytes.len(),
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self.changed_message() {
            Some(message) => message.encode(out),
            None => out.extend_from_slice(&self.bytes),
        }
    }

    fn changed_message(&self) -> Option<&dyn Case> {
        self.decoded.get().filter(|_| self.changed).map(|message| &**message)
    }

    /// The number and contents of the case that is set.
    fn case(&self) -> Result<Option<(u32, &[u8])>> {
        let mut fields = Fields(&self.bytes);
        let mut last = None;
        while let Some(field) = fields.next()? {
            last = Some(field);
        }
        Ok(last)
    }

    fn metadata_bytes(&self) -> Result<Option<&[u8]>> {
        match self.case()? {
            // The first field of every event; a test goes through all of them.
            Some((_, contents)) => Fields(contents).find(1),
            None => Ok(None),
        }
    }

    fn peek_type(&self) -> Result<Option<&str>> {
        let Some(metadata) = self.metadata_bytes()? else { return Ok(None) };
        let name = Fields(metadata).find(2)?.unwrap_or_default();
        Ok(Some(str::from_utf8(name)?))
    }

    #[cold]
    fn undecodable(&self, target: &str, error: &prost::DecodeError) -> Error {
        let length = self.bytes.len();
        Error::new(format_args!(
            "an event of {length} bytes cannot be decoded as {target}: {error}"
        ))
    }
}

impl<T: EventMessage> From<T> for Event<'static> {
    fn from(message: T) -> Self {
        let mut bytes = Vec::new();
        Case::encode(&message, &mut bytes);
        Self::new(bytes)
    }
}

impl From<OneOf> for Event<'static> {
    fn from(event: OneOf) -> Self {
        Self::new(event.encode_to_vec())
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name())
            .field("event_type", &self.event_type())
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Event;
    use crate::message::EventMessage;
    use prost::Message;
    use proto::events::{Metadata, OneOf, Scp, UserCreate, UserLogin, one_of};

    fn named(name: &str) -> Metadata {
        Metadata { r#type: name.into(), ..Metadata::default() }
    }

    fn login() -> UserLogin {
        UserLogin {
            metadata: Some(named("user.login")),
            method: "local".into(),
            ..UserLogin::default()
        }
    }

    #[test]
    fn every_type_is_told_by_its_name_and_found_by_its_type() {
        macro_rules! check {
            ($($message:ident = $number:literal $name:literal,)*) => {$(
                let message = proto::events::$message { metadata: Some(named($name)), ..Default::default() };
                let event = Event::from(message.clone());
                assert_eq!((event.name(), event.event_type()), ($name, $name));
                assert_eq!(event.metadata().unwrap(), message.metadata.clone().unwrap());
                assert!(event.is::<proto::events::$message>());
                assert_eq!(event.get::<proto::events::$message>().unwrap(), Some(&message));
                assert_eq!(event.to_one_of().unwrap(), OneOf::from(message));
            )*};
        }
        proto::for_each_case!(check);
    }

    #[test]
    fn an_event_is_of_one_type_only() {
        let mut event = Event::from(login());
        for _ in 0..2 {
            assert!(!event.is::<UserCreate>());
            assert!(event.get::<UserCreate>().unwrap().is_none());
            assert!(event.get_mut::<UserCreate>().unwrap().is_none());
            assert!(event.get::<UserLogin>().unwrap().is_some()); // and the same once decoded
        }
        assert!(!event.changed);
    }

    #[test]
    fn what_was_changed_is_seen_everywhere() {
        let mut event = Event::from(login());
        let changed = event.get_mut::<UserLogin>().unwrap().unwrap();
        changed.metadata = Some(named("user.other"));
        changed.method = "sso".into();
        let changed = changed.clone();

        assert_eq!(event.event_type(), "user.other");
        assert_eq!(event.metadata().unwrap().r#type, "user.other");
        assert_eq!(event.to_one_of().unwrap(), OneOf::from(changed));
    }

    #[test]
    fn another_event_can_take_its_place() {
        fn replace(event: &mut Event<'_>) {
            *event = Scp { path: "/etc/passwd".into(), ..Scp::default() }.into();
        }
        let bytes = OneOf::from(login()).encode_to_vec();
        let mut event = Event::new(&bytes);
        replace(&mut event);
        assert_eq!(event.name(), "SCP");
        assert_eq!(event.get::<Scp>().unwrap().unwrap().path, "/etc/passwd");
    }

    #[test]
    fn an_event_newer_than_this_crate_is_of_no_type_that_it_knows() {
        // Field 5000, with a Metadata that has `x` as its type.
        let bytes = b"\xc2\xb8\x02\x05\x0a\x03\x12\x01x";
        let event = Event::new(&bytes[..]);
        assert_eq!((event.name(), event.event_type()), ("", "x"));
        assert!(event.get::<UserLogin>().unwrap().is_none());
        assert_eq!(event.to_one_of().unwrap(), OneOf::default());
    }

    #[test]
    fn no_event_at_all_is_of_no_type() {
        let event = Event::from(OneOf::default());
        assert_eq!((event.name(), event.event_type()), ("", ""));
        assert_eq!(event.metadata().unwrap(), Metadata::default());
        assert!(event.get::<UserLogin>().unwrap().is_none());
    }

    #[test]
    fn bytes_that_are_no_event_are_an_error_once_somebody_looks() {
        for bytes in [&b"\xff"[..], b"\x0a\x05\x0a", b"\x0a\x02\x0a\x09"] {
            let event = Event::new(bytes);
            assert!(event.get::<UserLogin>().is_err(), "{bytes:x?}");
            assert!(event.metadata().is_err());
            assert!(event.to_one_of().is_err());
            assert_eq!(event.event_type(), "");
        }
        let error = Event::new(&b"\x0a\x02\x0a\x09"[..]).get::<UserLogin>().unwrap_err();
        let expected = "an event of 4 bytes cannot be decoded as UserLogin: ";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn of_two_cases_the_last_is_the_event() {
        let mut bytes = OneOf::from(login()).encode_to_vec();
        OneOf::from(UserCreate::default()).encode(&mut bytes).unwrap();
        let event = Event::new(&bytes);
        let Some(one_of::Event::UserCreate(_)) = OneOf::decode(&*bytes).unwrap().event else {
            panic!("prost takes another one");
        };
        assert_eq!(event.name(), UserCreate::NAME);
    }
}

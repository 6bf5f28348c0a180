//! What goes along with a call: headers of the request, the user's name, the time that is left.

use crate::status::{Code, Status};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use plugin_interface::{Error, Exchange, Result};
use std::time::Duration;

/// Which metadata a call gets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    /// Headers of the request that are passed on, in lower case.
    headers: Vec<String>,
    /// The key that tells who the user is.
    identity: Option<String>,
}

impl Metadata {
    /// Refuses keys that gRPC does not allow or sets itself.
    pub(crate) fn new(headers: &[String], identity: Option<&str>) -> Result<Self> {
        let headers = headers.iter().map(|name| key("metadata", name));
        let headers = headers.collect::<Result<Vec<_>>>()?;
        let identity = identity.map(|name| key("identity_metadata", name)).transpose()?;
        if let Some(identity) = identity.as_ref().filter(|identity| headers.contains(identity)) {
            return Err(Error::new(format_args!(
                "\"metadata\": {identity:?} is the \"identity_metadata\", which no client may set"
            )));
        }
        Ok(Self { headers, identity })
    }

    /// The metadata of this exchange.
    pub(crate) fn of(&self, exchange: &Exchange<'_>) -> Result<Vec<(String, Vec<u8>)>, Status> {
        let mut pairs = Vec::new();
        exchange.each_header(|name, value| {
            if self.headers.iter().any(|listed| listed.eq_ignore_ascii_case(name)) {
                pairs.push((name.to_ascii_lowercase(), value.to_vec()));
            }
            true
        });
        if let (Some(key), Some(user)) = (&self.identity, exchange.identity()) {
            let value = match key.ends_with("-bin") {
                true => BASE64_STANDARD_NO_PAD.encode(user),
                false => user.to_owned(),
            };
            pairs.push((key.clone(), value.into()));
        }
        match pairs.iter().find(|(_, value)| !is_plain(value)) {
            Some((key, _)) => Err(Status::new(
                Code::InvalidArgument,
                format!("{key}: gRPC's metadata is printable ASCII"),
            )),
            None => Ok(pairs),
        }
    }
}

fn is_plain(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn key(setting: &str, name: &str) -> Result<String> {
    let name = name.to_ascii_lowercase();
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Error::new(format_args!("\"{setting}\": {name:?} is no key of metadata")));
    }
    let ours = ["accept-encoding", "connection", "content-encoding", "content-length"];
    let more = ["content-type", "host", "keep-alive", "proxy-connection", "te", "trailer"];
    let rest = ["transfer-encoding", "upgrade", "user-agent"];
    let mut set = ours.iter().chain(&more).chain(&rest);
    if name.starts_with("grpc-") || set.any(|it| *it == name) {
        return Err(Error::new(format_args!("\"{setting}\": {name:?} is set by gRPC or HTTP")));
    }
    Ok(name)
}

/// A time as `grpc-timeout` has it: at most eight digits and a unit.
pub(crate) fn timeout(time: Duration) -> String {
    const MOST: u128 = 99_999_999;
    match (time.as_micros(), time.as_millis()) {
        (micros, _) if micros <= MOST => format!("{}u", micros.max(1)),
        (_, millis) if millis <= MOST => format!("{millis}m"),
        _ => format!("{}S", u128::from(time.as_secs()).min(MOST)),
    }
}

/// Reads it.
pub(crate) fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (&unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Metadata, parse_timeout, timeout};
    use std::time::Duration;

    #[test]
    fn times_have_at_most_eight_digits() {
        assert_eq!(timeout(Duration::from_millis(1500)), "1500000u");
        assert_eq!(timeout(Duration::from_nanos(1)), "1u");
        assert_eq!(timeout(Duration::from_secs(3600)), "3600000m");
        assert_eq!(timeout(Duration::from_secs(1_000_000)), "1000000S");
        assert_eq!(timeout(Duration::MAX), "99999999S");
    }

    #[test]
    fn times_are_read_in_all_units() {
        for (text, time) in [
            ("2H", Duration::from_secs(7200)),
            ("2M", Duration::from_secs(120)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("5m", Duration::from_millis(5)),
            ("5u", Duration::from_micros(5)),
            ("5n", Duration::from_nanos(5)),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), Some(time), "{text}");
        }
        for text in ["", "S", "5", "5s", "-5S", "+5S", "123456789S", "1.5S"] {
            assert_eq!(parse_timeout(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn keys_that_are_not_for_the_configuration_are_refused() {
        let error = |headers: &[&str], identity| {
            let headers: Vec<_> = headers.iter().map(|&it| it.to_owned()).collect();
            Metadata::new(&headers, identity).unwrap_err().to_string()
        };
        assert_eq!(error(&["a b"], None), r#""metadata": "a b" is no key of metadata"#);
        for name in ["grpc-timeout", "TE", "host", "content-type"] {
            assert!(error(&[name], None).ends_with("is set by gRPC or HTTP"), "{name}");
        }
        assert_eq!(error(&[], Some("")), r#""identity_metadata": "" is no key of metadata"#);
        assert_eq!(
            error(&["X-User"], Some("x-user")),
            r#""metadata": "x-user" is the "identity_metadata", which no client may set"#
        );
    }
}

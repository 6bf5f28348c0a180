//! How values are written, on the command line and in the configuration file alike.

use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

/// More is a slip of the pen, and its end is beyond what the system's clock can say.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A time: `30s`, `500ms`, `1m 30s`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err(format!("{text:?} is more than 100 years")),
        Err(error) => Err(format!("{text:?} is not a time ({error}); write 30s or 500ms")),
    }
}

/// A plugin's number.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "plugins are told by the numbers that host status has".to_owned())
}

/// A network, `10.0.0.0/8`, or an address, which is a network of one.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| format!("{text:?} is not a network; write 10.0.0.0/8 or 10.1.2.3"))
}

/// A name and what belongs to it: `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("0s"), Ok(Duration::ZERO));
        for wrong in ["", "30", "soon", "-1s", "500000000000years"] {
            assert!(time(wrong).unwrap_err().starts_with(&format!("{wrong:?} is ")), "{wrong}");
        }
    }

    #[test]
    fn pairs() {
        let of = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(pair("a=b=c"), of("a", "b=c"));
        assert_eq!(pair("a="), of("a", ""));
        for wrong in ["", "a", "=b"] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks() {
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        for wrong in ["", "10.0.0", "10.0.0.0/33", "localhost"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}

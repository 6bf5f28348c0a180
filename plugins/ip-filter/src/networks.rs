//! Which addresses may come in.

use ipnet::IpNet;
use plugin_interface::{Error, Result};
use serde::Deserialize;
use std::net::IpAddr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

/// Networks that may and that may not come in.
#[derive(Debug)]
pub(crate) struct Networks {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

impl Networks {
    pub(crate) fn parse(config: &str) -> Result<Self> {
        const EXAMPLE: &str = r#"{"allow": ["10.0.0.0/8"], "deny": ["10.1.2.3"]}"#;
        // A filter that filters nothing is a mistake, and one that nobody would notice.
        let missing = || Error::new(format_args!("it needs \"allow\" or \"deny\": {EXAMPLE}"));
        if config.trim().is_empty() {
            return Err(missing());
        }
        let config: Config = serde_json::from_str(config)?;
        if config.allow.is_none() && config.deny.is_none() {
            return Err(missing());
        }
        Ok(Self { allow: networks("allow", config.allow)?, deny: networks("deny", config.deny)? })
    }

    /// Whether a client of this address may come in: `deny` goes before `allow`, and without an
    /// `allow` everyone may who is not denied.
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        // A socket for both families gives IPv4 clients as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
        let address = address.to_canonical();
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }
}

fn networks(key: &str, texts: Option<Vec<String>>) -> Result<Vec<IpNet>> {
    texts.unwrap_or_default().iter().map(|text| network(key, text)).collect()
}

fn network(key: &str, text: &str) -> Result<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = text.parse().map_err(|_| {
        Error::new(format_args!(
            "\"{key}\": {text:?} is neither an address nor a network such as 10.0.0.0/8"
        ))
    })?;
    if network.trunc() != network {
        let meant = network.trunc();
        let error = format_args!("\"{key}\": {text:?} has bits beyond its length; write {meant}");
        return Err(Error::new(error));
    }
    Ok(canonical(network))
}

/// `::ffff:10.0.0.0/104` as `10.0.0.0/8`, since that is how clients of it are looked up.
fn canonical(network: IpNet) -> IpNet {
    let (IpAddr::V4(address), Some(length)) =
        (network.network().to_canonical(), network.prefix_len().checked_sub(96))
    else {
        return network;
    };
    ipnet::Ipv4Net::new(address, length).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::Networks;

    fn admits(config: &str, address: &str) -> bool {
        Networks::parse(config).unwrap().admit(address.parse().unwrap())
    }

    fn error(config: &str) -> String {
        Networks::parse(config).unwrap_err().to_string()
    }

    #[test]
    fn deny_wins_over_allow() {
        let config = r#"{"allow": ["10.0.0.0/8", "::1"], "deny": ["10.1.0.0/16"]}"#;
        assert!(admits(config, "10.0.0.1"));
        assert!(admits(config, "10.2.0.1"));
        assert!(!admits(config, "10.1.0.1"));
        assert!(admits(config, "::1"));
        assert!(!admits(config, "::2"));
        assert!(!admits(config, "192.0.2.1"));
    }

    #[test]
    fn without_an_allow_everyone_comes_in_who_is_not_denied() {
        for config in [r#"{"deny": ["10.1.2.3"]}"#, r#"{"allow": [], "deny": ["10.1.2.3"]}"#] {
            assert!(!admits(config, "10.1.2.3"));
            assert!(admits(config, "10.1.2.4"));
            assert!(admits(config, "2001:db8::1"));
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_in_it() {
        let config = r#"{"deny": ["10.0.0.0/8"]}"#;
        assert!(!admits(config, "::ffff:10.1.2.3"));
        assert!(admits(config, "::ffff:11.1.2.3"));
        for config in [r#"{"deny": ["::ffff:10.0.0.0/104"]}"#, r#"{"deny": ["::ffff:10.1.2.3"]}"#] {
            assert!(!admits(config, "10.1.2.3"));
            assert!(!admits(config, "::ffff:10.1.2.3"));
            assert!(admits(config, "11.1.2.3"));
        }
    }

    #[test]
    fn an_ipv6_network_around_the_mapped_ones_stays_one() {
        let config = r#"{"allow": ["2001:db8::/32"]}"#;
        assert!(admits(config, "2001:db8::1"));
        assert!(!admits(config, "10.1.2.3"));
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_key_and_value() {
        let missing =
            r#"it needs "allow" or "deny": {"allow": ["10.0.0.0/8"], "deny": ["10.1.2.3"]}"#;
        assert_eq!(error(""), missing);
        assert_eq!(error("{}"), missing);
        assert_eq!(
            error(r#"{"deny": ["10.0.0.0/33"]}"#),
            r#""deny": "10.0.0.0/33" is neither an address nor a network such as 10.0.0.0/8"#
        );
        assert_eq!(
            error(r#"{"allow": ["10.0.0.1/8"]}"#),
            r#""allow": "10.0.0.1/8" has bits beyond its length; write 10.0.0.0/8"#
        );
        assert!(error(r#"{"alow": []}"#).contains("unknown field `alow`"));
        assert!(error("10.0.0.0/8").contains("line 1"));
    }
}

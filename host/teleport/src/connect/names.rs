//! What Teleport's own clients say in the TLS handshake.
//!
//! Every certificate of an auth server is for `teleport.cluster.local` and its subdomains, whatever
//! address it is reached at (`constants.APIDomain`). Which cluster a client means is in the name that
//! it asks for, hexadecimal (`utils.EncodeClusterName` of Teleport's `api`), since that is one label of
//! a wildcard however many dots a cluster's name has. A proxy looks at the first ALPN protocol: after
//! `teleport-auth@` comes that same name, and it passes the connection on to the auth server without
//! ending its TLS (`client.ConfigureALPN`; `lib/srv/alpnproxy/auth`). The auth server knows only `h2` of
//! what is offered. So the same offer fits both, and nobody has to say which of them an address is.
//!
//! Not done: the HTTP upgrade through load balancers that end TLS, and SSH tunnels.

use crate::hex::hex;
use rustls::pki_types::ServerName;
use std::net::Ipv4Addr;

const DOMAIN: &str = "teleport.cluster.local";

fn encoded(cluster: &str) -> String {
    format!("{}.{DOMAIN}", hex(cluster.as_bytes()))
}

/// The protocols to offer, in this order.
pub(super) fn protocols(cluster: Option<&str>) -> Vec<Vec<u8>> {
    let auth = cluster.map(|cluster| format!("teleport-auth@{}", encoded(cluster)).into_bytes());
    // A protocol's length is a byte.
    auth.into_iter().filter(|it| it.len() <= 255).chain([b"h2".to_vec()]).collect()
}

/// The server's name. A cluster whose name is too long for a label goes without: the auth server takes
/// that too.
pub(super) fn server(cluster: Option<&str>) -> ServerName<'static> {
    let name = cluster.and_then(|cluster| ServerName::try_from(encoded(cluster)).ok());
    name.unwrap_or_else(|| {
        ServerName::try_from(DOMAIN).unwrap_or(ServerName::IpAddress(Ipv4Addr::LOCALHOST.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_in_hexadecimal() {
        let protocols = protocols(Some("a.b"));
        assert_eq!(protocols, [&b"teleport-auth@612e62.teleport.cluster.local"[..], b"h2"]);
        assert_eq!(server(Some("a.b")).to_str(), "612e62.teleport.cluster.local");
    }

    #[test]
    fn a_name_that_is_too_long_is_left_out() {
        let long = "teleport.production.example-of-a-long-name.com";
        assert_eq!(server(Some(long)).to_str(), DOMAIN);
        assert_eq!(protocols(Some(long)).len(), 2);
        assert_eq!(protocols(Some(&"x".repeat(200))), [b"h2"]);
        assert_eq!((server(None).to_str(), protocols(None).len()), (DOMAIN.into(), 1));
    }
}

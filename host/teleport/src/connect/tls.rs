//! TLS to the auth server: both sides show a certificate.

use super::identity::Identity;
use super::names;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

pub(super) fn client_config(identity: &Identity) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for root in &identity.roots {
        roots.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())?;
    config.alpn_protocols = names::protocols(identity.cluster.as_deref());
    Ok(config)
}

//! An authority, and what it signs for fluentd and for us.
//!
//! Keys are ECDSA ones on P-256, which OpenSSL, and so fluentd, has known for two decades: ring, the
//! cryptography of this program, makes no RSA keys.

use crate::cli::ConfigureArgs;
use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::time::{Duration, SystemTime};

/// Clocks differ.
const BEFORE: Duration = Duration::from_secs(3600);

/// A certificate and its key, in PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// The authority's, fluentd's and ours.
pub(super) fn make(args: &ConfigureArgs) -> Result<[Pair; 3]> {
    let mut params = params("Tenon event handler CA", args.ttl)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = Pair { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() };
    let issuer = Issuer::new(params, key);

    let first = args.dns_names.first().map_or("fluentd", String::as_str);
    let mut server = leaf(first, ExtendedKeyUsagePurpose::ServerAuth, args.ttl)?;
    for name in &args.dns_names {
        let name = name.trim().try_into();
        let name = name.with_context(|| "--dns-names has what is no DNS name".to_owned())?;
        server.subject_alt_names.push(SanType::DnsName(name));
    }
    let addresses = args.ip.iter().map(|address| SanType::IpAddress(*address));
    server.subject_alt_names.extend(addresses);
    let client = leaf("teleport-event-handler", ExtendedKeyUsagePurpose::ClientAuth, args.ttl)?;
    Ok([authority, sign(&server, &issuer)?, sign(&client, &issuer)?])
}

fn params(name: &str, ttl: Duration) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    let end = now.checked_add(ttl).context("--ttl is too long")?;
    params.not_before = (now - BEFORE).into();
    params.not_after = end.into();
    Ok(params)
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose, ttl: Duration) -> Result<CertificateParams> {
    let mut params = params(name, ttl)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn sign(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Pair> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(Pair { certificate, key: key.serialize_pem() })
}

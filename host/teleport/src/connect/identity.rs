//! Who we are: read from files, and read again while running.

use super::{names, tls};
use crate::config::{Config, Credentials};
use crate::error::Error;
use crate::metrics::Metrics;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the files have.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Whom we believe.
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// Of which cluster the certificate is: its issuer's name.
    pub(super) cluster: Option<String>,
    /// When the certificate ends, in seconds since 1970.
    expires: i64,
    /// All bytes of the files: whether they have changed.
    bytes: Vec<u8>,
}

impl Identity {
    fn read(credentials: &Credentials) -> Result<Self, Error> {
        match credentials {
            // The lines for SSH between the PEM are skipped. The first certificate is ours, the others
            // are those of authorities.
            Credentials::Identity(path) => {
                let bytes = read(path)?;
                let mut certificates = certificates(path, &bytes)?.into_iter();
                let certificate = certificates.next();
                let roots: Vec<_> = certificates.collect();
                let key = key(path, &bytes)?;
                match certificate {
                    Some(certificate) if !roots.is_empty() => {
                        Self::new(path, (certificate, key), roots, bytes)
                    }
                    _ => Err(Error::credentials(
                        path,
                        "it is no identity file: that has a key, a certificate and those of its \
                         authorities",
                    )),
                }
            }
            Credentials::Files { ca, cert, key: of } => {
                let [cas, certs, keys] = [read(ca)?, read(cert)?, read(of)?];
                let (roots, key) = (certificates(ca, &cas)?, key(of, &keys)?);
                let certificate = certificates(cert, &certs)?.swap_remove(0);
                Self::new(cert, (certificate, key), roots, [cas, certs, keys].concat())
            }
        }
    }

    fn new(
        path: &Path,
        (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
        roots: Vec<CertificateDer<'static>>,
        bytes: Vec<u8>,
    ) -> Result<Self, Error> {
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|error| Error::credentials(path, format_args!("no certificate: {error}")))?;
        // Teleport's authorities have the cluster's name as their organization and common name.
        let issuer = parsed.issuer();
        let name = issuer.iter_organization().chain(issuer.iter_common_name()).next();
        let cluster = name.and_then(|name| name.as_str().ok()).map(str::to_owned);
        let expires = parsed.validity().not_after.timestamp();
        Ok(Self { certificate, key, roots, cluster, expires, bytes })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::credentials(path, error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if read.is_empty() => {
            Err(Error::credentials(path, "there is no certificate in it, or it is not PEM"))
        }
        read => read.map_err(|error| Error::credentials(path, error)),
    }
}

fn key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            Error::credentials(path, "there is no private key in it, or it is not PEM")
        }
        error => Error::credentials(path, error),
    })
}

/// What a connection is made with.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) name: ServerName<'static>,
    /// Another number for other credentials.
    pub(super) generation: u64,
    bytes: Vec<u8>,
}

/// The credentials that are in use.
#[derive(Debug)]
pub(crate) struct Identities {
    credentials: Credentials,
    current: RwLock<Arc<Current>>,
    metrics: Metrics,
}

impl Identities {
    pub(super) fn load(config: &Config, metrics: &Metrics) -> Result<Self, Error> {
        let (credentials, metrics) = (config.credentials.clone(), metrics.clone());
        let current = RwLock::new(Arc::new(current(&credentials, 0, &metrics)?));
        Ok(Self { credentials, current, metrics })
    }

    pub(super) fn current(&self) -> Arc<Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again. If they are damaged or only half there what was read before stays.
    pub(crate) fn refresh(&self) {
        let old = self.current();
        match current(&self.credentials, old.generation + 1, &self.metrics) {
            Ok(new) if new.bytes != old.bytes => {
                tracing::info!("the credentials for Teleport have changed");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("the credentials for Teleport stay as they were: {error}"),
        }
    }
}

fn current(
    credentials: &Credentials,
    generation: u64,
    metrics: &Metrics,
) -> Result<Current, Error> {
    let path = match credentials {
        Credentials::Identity(path) | Credentials::Files { cert: path, .. } => path,
    };
    let identity = Identity::read(credentials)?;
    let tls = tls::client_config(&identity)
        .map_err(|error| Error::credentials(path, format_args!("it cannot be used: {error}")))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if u64::try_from(identity.expires).unwrap_or(0) <= now {
        let when = jiff::Timestamp::from_second(identity.expires);
        let when = when.map(|when| when.to_string()).unwrap_or_default();
        return Err(Error::credentials(
            path,
            format_args!("the certificate has expired at {when}"),
        ));
    }
    metrics.expires.set(identity.expires);
    let name = names::server(identity.cluster.as_deref());
    Ok(Current { tls: Arc::new(tls), name, generation, bytes: identity.bytes })
}

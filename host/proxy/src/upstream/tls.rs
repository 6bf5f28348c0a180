//! TLS to the upstream: whom to trust, and who we are.

use crate::config::ClientConfig;
use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig as Tls, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system's certificate authorities.
    #[error(
        "the system's certificate authorities cannot be read ({0}); give some with --upstream-ca"
    )]
    System(std::io::Error),
}

impl TlsError {
    pub(crate) fn file(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }
}

pub(super) fn client_config(config: &ClientConfig) -> Result<Tls, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = Tls::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::System(std::io::Error::other(error)))?;
    let builder = match &config.ca {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None => match builder.clone().with_native_roots() {
            Ok(builder) => builder,
            // A machine without any can still reach an upstream without TLS; one with TLS is then
            // refused with its own clear error.
            Err(error) => {
                tracing::warn!("no certificate authorities of the system: {error}");
                builder.with_root_certificates(RootCertStore::empty())
            }
        },
    };
    match &config.certificate {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| TlsError::file(certificate, error)),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::file(path, error))?;
    }
    Ok(roots)
}

/// The certificates of a PEM file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| TlsError::file(path, error))?;
    let certificates: Result<Vec<_>, _> = read.collect();
    let certificates = certificates.map_err(|error| TlsError::file(path, error))?;
    if certificates.is_empty() {
        return Err(TlsError::file(path, "there is no certificate in it, or it is not PEM"));
    }
    Ok(certificates)
}

/// The private key of a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            TlsError::file(path, "there is no private key in it, or it is not PEM")
        }
        error => TlsError::file(path, error),
    })
}

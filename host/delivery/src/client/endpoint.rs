//! A URL that events are sent to.

use super::{Answer, Body, Client, Connector, client_config};
use ::http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use ::http::uri::Scheme;
use ::http::{Method, Request, Uri};
use bytes::Bytes;
use std::path::Path;
use std::time::Duration;

/// The files that TLS needs; none: the system's authorities, and no certificate of ours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TlsFiles<'a> {
    pub(crate) ca: Option<&'a Path>,
    pub(crate) cert: Option<&'a Path>,
    pub(crate) key: Option<&'a Path>,
}

impl<'a> TlsFiles<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.ca.is_none() && self.cert.is_none() && self.key.is_none()
    }

    /// Certificate and key: both or neither.
    pub(crate) fn certificate(&self) -> Result<Option<(&'a Path, &'a Path)>, String> {
        match (self.cert, self.key) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            _ => Err("give both `cert` and `key`, or neither".to_owned()),
        }
    }
}

/// A URL, and how its server is reached.
pub(crate) struct Endpoint {
    client: Client,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
}

impl Endpoint {
    /// An error says what is wrong with the URL or a file. Nothing is connected yet.
    pub(crate) fn new(url: &str, tls: TlsFiles<'_>, timeout: Duration) -> Result<Self, String> {
        let uri: Uri = url
            .parse()
            .map_err(|error| format!("{url:?} is no URL such as http://HOST:PORT/PATH: {error}"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(format!("{url:?} is no URL: it begins with http:// or https://"));
        };
        if authority.as_str().contains('@') {
            return Err("a user and password cannot be in a URL: set the header `Authorization`, \
                        its value from `env` or `file`"
                .to_owned());
        }
        let certificate = tls.certificate()?;
        let (config, usual) = match scheme {
            it if *it == Scheme::HTTPS => {
                (Some(client_config(tls.ca, certificate, &[b"h2", b"http/1.1"])?), 443)
            }
            it if *it == Scheme::HTTP && tls.is_empty() => (None, 80),
            it if *it == Scheme::HTTP => {
                return Err(format!("ca, cert and key are for TLS, and {url:?} is without"));
            }
            other => return Err(format!("{other} in {url:?} is not spoken here: http or https")),
        };
        let port = authority.port_u16().unwrap_or(usual);
        let connector = Connector::new(authority.host(), port, config)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?;
        let agent = HeaderValue::from_static(concat!("tenon/", env!("CARGO_PKG_VERSION")));
        let headers = HeaderMap::from_iter([(HOST, host), (USER_AGENT, agent)]);
        let client = Client::new(connector, timeout);
        Ok(Self { client, uri, method: Method::POST, headers })
    }

    pub(crate) fn set_method(&mut self, method: Method) {
        self.method = method;
    }

    /// Headers of every request.
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Sends a body to the URL. An error is for people to read, and may pass.
    pub(crate) async fn send(&self, body: Bytes) -> Result<Answer, String> {
        self.send_to(self.uri.clone(), body).await
    }

    /// The same to another path of the server.
    pub(crate) async fn send_to(&self, uri: Uri, body: Bytes) -> Result<Answer, String> {
        let mut request = Request::new(Body::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        self.client.send(&request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str, tls: TlsFiles<'_>) -> String {
        Endpoint::new(url, tls, Duration::from_secs(1)).err().unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let none = TlsFiles::default();
        assert!(problem("localhost:80/x", none).contains("http"));
        assert!(problem("/path", none).contains("begins with http://"));
        assert!(problem("ftp://host/", none).contains("not spoken here"));
        assert!(problem("http://u:p@host/", none).contains("Authorization"));
        let ca = TlsFiles { ca: Some(Path::new("/no/ca.pem")), ..none };
        assert!(problem("http://host/", ca).contains("is without"));
        assert!(problem("https://host/", ca).contains("/no/ca.pem"));
        let cert = TlsFiles { cert: Some(Path::new("/no/cert.pem")), ..none };
        assert!(problem("https://host/", cert).contains("both"));
    }
}

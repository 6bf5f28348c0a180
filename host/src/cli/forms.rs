//! Values that are one of a few words.

use clap::ValueEnum;
use host_proxy::{Format, UpstreamHttp};

/// [`UpstreamHttp`] as a flag.
#[derive(Clone, Copy, Debug, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpArg {
    /// What TLS negotiates; without TLS HTTP/1.1, or HTTP/2 for gRPC
    Auto,
    /// HTTP/1.1
    #[value(name = "1")]
    #[serde(rename = "1")]
    One,
    /// HTTP/2
    #[value(name = "2")]
    #[serde(rename = "2")]
    Two,
}

impl From<HttpArg> for UpstreamHttp {
    fn from(arg: HttpArg) -> Self {
        match arg {
            HttpArg::Auto => Self::Auto,
            HttpArg::One => Self::One,
            HttpArg::Two => Self::Two,
        }
    }
}

/// [`Format`] as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatArg {
    /// Lines for people
    Text,
    /// JSON objects for programs
    Json,
}

impl From<FormatArg> for Format {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Text => Self::Text,
            FormatArg::Json => Self::Json,
        }
    }
}

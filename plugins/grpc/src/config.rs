//! The configuration, parsed once.

use crate::json::Mapping;
use crate::metadata::Metadata;
use crate::routes::Routes;
use crate::rule::Route;
use crate::settings::Settings;
use http::Uri;
use plugin_interface::{Error, Result};
use prost_reflect::{DescriptorPool, DeserializeOptions, SerializeOptions};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXAMPLE: &str =
    r#"{"upstream": "http://127.0.0.1:50051", "descriptor_set": "/etc/tenon/api.pb"}"#;

/// Messages are kept in memory, and their JSON and what it is made from beside them.
const MESSAGE_LIMIT: usize = 256 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    upstream: String,
    descriptor_set: PathBuf,
    services: Option<Vec<String>>,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    metadata: Vec<String>,
    identity_metadata: Option<String>,
    #[serde(default = "half_a_minute")]
    timeout: String,
    stream_timeout: Option<String>,
    #[serde(default = "four_megabytes")]
    message_limit: usize,
    #[serde(default)]
    emit_defaults: bool,
    #[serde(default)]
    proto_names: bool,
    #[serde(default)]
    enum_numbers: bool,
    #[serde(default)]
    ignore_unknown: bool,
}

fn half_a_minute() -> String {
    "30s".to_owned()
}

/// What gRPC's own libraries take.
fn four_megabytes() -> usize {
    4 << 20
}

/// Reads the configuration, and the descriptor set that it names.
pub(crate) fn parse(text: &str) -> Result<(Settings, Routes)> {
    if text.trim().is_empty() {
        return Err(Error::new(format_args!("it needs at least {EXAMPLE}")));
    }
    let raw: Raw = serde_json::from_str(text)?;
    if !(1..=MESSAGE_LIMIT).contains(&raw.message_limit) {
        return Err(Error::new(format_args!(
            "\"message_limit\" is in bytes, from 1 to {MESSAGE_LIMIT}"
        )));
    }
    let pool = descriptors(&raw.descriptor_set)?;
    let routes = Routes::new(&pool, raw.services.as_deref(), raw.routes)?;
    let settings = Settings {
        origin: origin(&raw.upstream)?,
        metadata: Metadata::new(&raw.metadata, raw.identity_metadata.as_deref())?,
        timeout: time("timeout", &raw.timeout)?,
        stream_timeout: raw.stream_timeout.map(|text| time("stream_timeout", &text)).transpose()?,
        message_limit: raw.message_limit,
        mapping: Mapping {
            pool,
            read: DeserializeOptions::new().deny_unknown_fields(!raw.ignore_unknown),
            write: SerializeOptions::new()
                .skip_default_fields(!raw.emit_defaults)
                .use_proto_field_name(raw.proto_names)
                .use_enum_numbers(raw.enum_numbers),
            ignores_unknown: raw.ignore_unknown,
        },
    };
    Ok((settings, routes))
}

fn descriptors(file: &Path) -> Result<DescriptorPool> {
    let told = format!("\"descriptor_set\": {}", file.display());
    let bytes = std::fs::read(file).map_err(|error| Error::from(error).context(&told))?;
    DescriptorPool::decode(bytes.as_slice()).map_err(|error| {
        let how = "write it with protoc --include_imports --descriptor_set_out";
        Error::new(format_args!("{told}: it is no complete descriptor set ({error}); {how}"))
    })
}

fn origin(url: &str) -> Result<String> {
    let wrong = || Error::new(format_args!("\"upstream\": {url:?} is not like http://host:port"));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn time(key: &str, text: &str) -> Result<Duration> {
    match humantime::parse_duration(text) {
        Ok(time) if time > Duration::ZERO => Ok(time),
        _ => Err(Error::new(format_args!("\"{key}\": {text:?} is no time such as 500ms or 30s"))),
    }
}

//! Fixtures, where no host reads them for the plugin.

use crate::{Error, Result};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

#[allow(clippy::expect_used)] // a constant, and another package's test
static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(proto::DESCRIPTORS).expect("the descriptors can be decoded")
});

/// The fixture of this number in the folder `fixtures` of the package under test, as protobuf.
pub(crate) fn fixture(number: u64) -> Result<Vec<u8>> {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| ".".into(), PathBuf::from);
    let path = find(&package.join("fixtures"), number)?;
    let in_file = |error: Error| error.context(path.display());
    let text = fs::read(&path).map_err(|error| in_file(error.into()))?;
    encode(&text).map_err(in_file)
}

fn find(folder: &Path, number: u64) -> Result<PathBuf> {
    let in_folder = |error: std::io::Error| Error::from(error).context(folder.display());
    let prefix = format!("{number}-");
    for entry in fs::read_dir(folder).map_err(in_folder)? {
        let path = entry.map_err(in_folder)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(".json") {
            return Ok(path);
        }
    }
    Err(Error::new(format_args!("no fixture {number}: {}/{number}-*.json", folder.display())))
}

fn encode(text: &[u8]) -> Result<Vec<u8>> {
    let mut fixture: Value = serde_json::from_slice(text)?;
    let name = match fixture.get("type").and_then(Value::as_str) {
        // What the framework's fixtures call it; the message is in package `events`.
        None | Some("types.OneOf") => "events.OneOf",
        Some(other) => other,
    };
    let message = POOL
        .get_message_by_name(name)
        .ok_or_else(|| Error::new(format_args!("there is no message {name}")))?;
    let data = fixture.get_mut("data").ok_or_else(|| Error::new("it has no `data`"))?;
    Ok(DynamicMessage::deserialize(message, data.take())?.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_fixture_is_the_message_that_it_spells_out() {
        let text = br#"{"type": "types.OneOf", "data": {"UserLogin": {"Method": "local"}}}"#;
        assert_eq!(encode(text).unwrap(), b"\x0a\x07\x22\x05local");
        let text = br#"{"type": "types.LockV2", "data": {"Kind": "lock"}}"#;
        assert_eq!(encode(text).unwrap(), b"\x0a\x04lock");
    }

    #[test]
    fn a_mistake_in_a_fixture_is_named() {
        let error = |text: &str| encode(text.as_bytes()).unwrap_err().to_string();
        assert!(error("{").contains("EOF"));
        assert_eq!(error("{}"), "it has no `data`");
        assert_eq!(error(r#"{"type": "types.Login"}"#), "there is no message types.Login");
        assert!(error(r#"{"data": {"UserLogn": {}}}"#).contains("UserLogn"));
    }
}

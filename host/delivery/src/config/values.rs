//! Values that several tables have.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a delivery may take: `10s`.
pub(crate) const fn timeout() -> Duration {
    Duration::from_secs(10)
}

/// So many bytes of JSON in a batch: 1 MiB.
pub(crate) const fn batch_bytes() -> usize {
    1 << 20
}

/// The keys of a table, whatever is in it.
pub(crate) fn keys<'de, D: Deserializer<'de>>(table: D) -> Result<Vec<String>, D::Error> {
    let table = BTreeMap::<String, serde_json::Value>::deserialize(table)?;
    Ok(table.into_keys().collect())
}

/// `10s`, `1m 30s`.
pub(crate) mod duration {
    use super::{Deserialize, Deserializer, Duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(value)?;
        humantime::parse_duration(&text).map_err(|error| {
            let text = format!("{text:?} is no time span such as \"10s\" or \"1m 30s\": {error}");
            serde::de::Error::custom(text)
        })
    }
}

/// The same where it may be left out.
pub(crate) mod optional_duration {
    use super::{Deserializer, Duration, duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        value: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(value).map(Some)
    }
}

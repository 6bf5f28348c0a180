//! How values are written in the file.

use crate::values::{network, time};
use host_proxy::Listen;
use ipnet::IpNet;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt::{self, Formatter};
use std::iter;
use std::marker::PhantomData;
use std::time::Duration;

pub(crate) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    time(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}

/// Tables of plugins; of what is none the error says how they are written.
pub(crate) fn tables<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct Tables<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Tables<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
            f.write_str("tables, each under [[…]] and with a path, as in [[pre-plugin]]")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<Vec<T>, A::Error> {
            iter::from_fn(|| tables.next_element().transpose()).collect()
        }
    }
    from.deserialize_seq(Tables(PhantomData))
}

pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| network(text)).collect::<Result<_, _>>().map_err(D::Error::custom)
}

pub(super) fn parsed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Listen>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

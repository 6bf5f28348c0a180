//! The tables in proto/tables: lines of fields with a tab between, the first line names them.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use csv::StringRecord;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// What the tables say, row by row, not yet checked against each other.
pub(super) struct Tables {
    pub(super) fields: Vec<Row<FieldRow>>,
    pub(super) enums: Vec<Row<EnumRow>>,
    pub(super) event_types: Vec<Row<EventTypeRow>>,
    pub(super) reserved: Vec<Row<ReservedRow>>,
}

/// A row and where it stands.
pub(super) struct Row<T> {
    pub(super) place: Place,
    pub(super) value: T,
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    table: &'static str,
    line: u64,
}

/// A field of a message; a row without a field declares a message that has none.
#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "columns")]
pub(super) struct FieldRow {
    pub(super) message: String,
    pub(super) field: String,
    pub(super) number: Option<i32>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "flag")]
    pub(super) repeated: bool,
    pub(super) json_key: String,
    #[serde(deserialize_with = "flag")]
    pub(super) json_omit_empty: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) json_flatten: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) json_skip: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) nullable: bool,
    pub(super) time: String,
    pub(super) cast_type: String,
    pub(super) oneof: String,
}

/// A value of an enum.
#[derive(Deserialize)]
pub(super) struct EnumRow {
    #[serde(rename = "enum")]
    pub(super) name: String,
    pub(super) value: String,
    pub(super) number: i32,
}

/// An event's type string and the case of `OneOf` that carries it.
#[derive(Deserialize)]
pub(super) struct EventTypeRow {
    pub(super) event_type: String,
    pub(super) message: String,
    pub(super) oneof_number: i32,
}

/// Numbers or quoted names, with commas between, that a message must not use again.
#[derive(Deserialize)]
pub(super) struct ReservedRow {
    pub(super) message: String,
    pub(super) reserved: String,
}

impl Tables {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            fields: read(folder, "event-fields.tsv")?,
            enums: read(folder, "event-enums.tsv")?,
            event_types: read(folder, "event-types.tsv")?,
            reserved: read(folder, "reserved.tsv")?,
        })
    }
}

impl Place {
    pub(super) fn error(self, what: impl fmt::Display) -> anyhow::Error {
        anyhow!("{self}: {what}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proto/tables/{}:{}", self.table, self.line)
    }
}

fn read<T: DeserializeOwned>(folder: &Path, table: &'static str) -> Result<Vec<Row<T>>> {
    let path = folder.join(table);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .from_path(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let columns = reader.headers().with_context(|| format!("proto/tables/{table}:1"))?.clone();

    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            Place { table, line }.error(in_short(&error, &columns))
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place { table, line };
        let value = record
            .deserialize(Some(&columns))
            .map_err(|error| place.error(in_short(&error, &columns)))?;
        rows.push(Row { place, value });
    }
    Ok(rows)
}

/// What is wrong with a row, without the place, which the whole error would say once more.
fn in_short(error: &csv::Error, columns: &StringRecord) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields instead of {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => {
            let index = err.field().and_then(|index| usize::try_from(index).ok());
            match index.and_then(|index| columns.get(index)) {
                Some(column) => format!("{column}: {}", err.kind()),
                None => err.kind().to_string(),
            }
        }
        _ => error.to_string(),
    }
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match <&str>::deserialize(deserializer)? {
        "0" => Ok(false),
        "1" => Ok(true),
        other => Err(D::Error::custom(format!("{other:?} is neither 0 nor 1"))),
    }
}

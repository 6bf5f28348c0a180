//! Times: RFC 3339 in JSON, `google.protobuf.Timestamp` in protobuf.

use std::io::Write;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::fmt::temporal::Pieces;

use super::error::Fault;
use super::schema::Precision;
use super::wire::{self, Fields};

/// Seconds since 1970 and nanoseconds.
pub(super) type Time = (i64, i32);

/// The first of January in the year 1, which in Go is a time that nobody has set.
pub(super) const UNSET: Time = (-62_135_596_800, 0);

/// The last second of the year 9999, the last one that RFC 3339 can express.
const LAST: i64 = 253_402_300_799;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// `None`: the text is no RFC 3339 time, or one that is not between the years 1 and 9999 in UTC.
pub(super) fn parse(text: &str) -> Option<Time> {
    let pieces = Pieces::parse(text).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let offset = pieces.to_numeric_offset()?;
    let since = pieces.date().to_datetime(pieces.time()?).duration_since(EPOCH);
    let seconds = since.as_secs() - i64::from(offset.seconds());
    // Before 1970 a duration has negative nanoseconds, a Timestamp never.
    let (seconds, nanos) = match since.subsec_nanos() {
        nanos if nanos < 0 => (seconds - 1, nanos + 1_000_000_000),
        nanos => (seconds, nanos),
    };
    (UNSET.0..=LAST).contains(&seconds).then_some((seconds, nanos))
}

/// Writes the fields of a Timestamp.
#[allow(clippy::cast_sign_loss)] // that is how negative numbers go over the wire
pub(super) fn encode((seconds, nanos): Time, out: &mut Vec<u8>) {
    for (number, value) in [(1, seconds), (2, nanos.into())] {
        if value != 0 {
            wire::put_tag(out, number, wire::VARINT);
            wire::put_varint(out, value as u64);
        }
    }
}

/// Reads the fields of a Timestamp.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // as on the wire
pub(super) fn decode(message: &[u8]) -> Result<Time, Fault> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = Fields(message);
    while let Some((number, payload)) = fields.next()? {
        match number {
            1 => seconds = payload.varint()? as i64,
            2 => nanos = payload.varint()? as i32,
            _ => {}
        }
    }
    let fits = (UNSET.0..=LAST).contains(&seconds) && (0..1_000_000_000).contains(&nanos);
    fits.then_some((seconds, nanos)).ok_or(Fault::Time)
}

/// Prints a time in UTC and in quotes, without zeros at the end of the fraction.
pub(super) fn print((seconds, nanos): Time, precision: Precision, out: &mut Vec<u8>) {
    let (seconds, nanos) = match precision {
        Precision::Nanoseconds => (seconds, nanos),
        // As Go rounds, half up; but not beyond the year 9999.
        Precision::Milliseconds => match (nanos + 500_000) / 1_000_000 {
            1000 if seconds == LAST => (seconds, 999_000_000),
            1000 => (seconds + 1, 0),
            millis => (seconds, millis * 1_000_000),
        },
    };
    let time = EPOCH.saturating_add(SignedDuration::new(seconds, nanos));
    // Writing to a vector does not fail.
    _ = write!(out, "\"{time}Z\"");
}

//! Times and dates, between protobuf, files and the standard library.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use prost::Message;
use std::time::{Duration, SystemTime};

/// Since 1970, in UTC; before it below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Milliseconds(pub(crate) i64);

impl From<SystemTime> for Milliseconds {
    fn from(time: SystemTime) -> Self {
        let milliseconds = |it: Duration| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => milliseconds(after),
            Err(before) => -milliseconds(before.duration()),
        })
    }
}

impl From<Milliseconds> for SystemTime {
    fn from(Milliseconds(milliseconds): Milliseconds) -> Self {
        let distance = Duration::from_millis(milliseconds.unsigned_abs());
        let time = match milliseconds {
            0.. => Self::UNIX_EPOCH.checked_add(distance),
            _ => Self::UNIX_EPOCH.checked_sub(distance),
        };
        time.unwrap_or(Self::UNIX_EPOCH)
    }
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Stamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

impl Stamp {
    /// None for what is no time: protobuf has the years from 1 to 9999.
    pub(crate) fn time(&self) -> Option<SystemTime> {
        if !(-62_135_596_800..=253_402_300_799).contains(&self.seconds) {
            return None;
        }
        let nanos = Duration::from_nanos(u64::try_from(self.nanos).ok()?);
        let seconds = Duration::from_secs(self.seconds.unsigned_abs());
        let whole = match self.seconds {
            0.. => SystemTime::UNIX_EPOCH.checked_add(seconds),
            _ => SystemTime::UNIX_EPOCH.checked_sub(seconds),
        };
        whole?.checked_add(nanos)
    }
}

impl From<Timestamp> for Stamp {
    fn from(time: Timestamp) -> Self {
        let whole = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
        let nanos = (time.subsec_nanosecond() + 1_000_000_000) % 1_000_000_000;
        Self { seconds: whole, nanos }
    }
}

impl From<Date> for Stamp {
    fn from(date: Date) -> Self {
        start_of(date).into()
    }
}

/// Midnight, in UTC: Teleport's days are those of UTC.
pub(crate) fn start_of(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn date_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

pub(crate) fn today() -> Date {
    date_of(Timestamp::now())
}

/// To the second, as the state's files have it.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_in_all_its_forms() {
        for text in ["2024-02-23T19:00:22.473Z", "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"] {
            let time: Timestamp = text.parse().unwrap();
            let stamp = Stamp::from(time);
            assert!(stamp.nanos >= 0, "{stamp:?}");
            let system = stamp.time().unwrap();
            assert_eq!(Timestamp::try_from(system).unwrap(), time);
            assert_eq!(Milliseconds::from(system).0, time.as_millisecond());
            assert_eq!(SystemTime::from(Milliseconds(time.as_millisecond())), system);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let time: Timestamp = "2024-02-23T23:59:59.999Z".parse().unwrap();
        assert_eq!(date_of(time).to_string(), "2024-02-23");
        assert_eq!(start_of(date_of(time)).to_string(), "2024-02-23T00:00:00Z");
        assert_eq!(whole_seconds(time).to_string(), "2024-02-23T23:59:59Z");
    }

    #[test]
    fn a_strange_time_is_no_time() {
        assert_eq!(Stamp { seconds: i64::MAX, nanos: 0 }.time(), None);
        assert_eq!(Stamp { seconds: 0, nanos: -1 }.time(), None);
    }
}

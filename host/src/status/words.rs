//! How states, times and sizes are written.

pub(super) fn state(state: &str, reason: &str) -> String {
    if reason.is_empty() { state.to_owned() } else { format!("{state}: {reason}") }
}

pub(super) fn time(microseconds: Option<f64>) -> String {
    match microseconds {
        None => "-".to_owned(),
        Some(us) if us < 1.0 => format!("{:.0}ns", us * 1e3),
        Some(us) if us < 1e3 => format!("{us:.1}µs"),
        Some(us) if us < 1e6 => format!("{:.1}ms", us / 1e3),
        Some(us) => format!("{:.1}s", us / 1e6),
    }
}

#[allow(clippy::cast_precision_loss)] // of bytes, to one digit
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let times = [None, Some(0.04), Some(12.34), Some(1500.0), Some(2_500_000.0)].map(time);
        assert_eq!(times, ["-", "40ns", "12.3µs", "1.5ms", "2.5s"]);
    }
}

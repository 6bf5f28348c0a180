//! How it is going: for probes, and for somebody at a terminal.

use super::source::LineMetrics;
use host_delivery::Delivery;
use host_events::EventPlugin;
use prometheus_client::registry::Registry;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A backfill is over when the newest event is as young as this.
const CAUGHT_UP: Duration = Duration::from_secs(60);
/// The server answers at least every poll; a silence as long as this is worth to be told of.
const SILENCE: Duration = Duration::from_secs(300);

/// What a source counts.
pub(crate) enum Meter {
    Teleport(host_teleport::Metrics),
    Lines(LineMetrics),
}

impl Meter {
    pub(crate) fn register(&self, registry: &mut Registry) {
        match self {
            Self::Teleport(metrics) => metrics.register(registry),
            Self::Lines(metrics) => metrics.register(registry),
        }
    }

    fn events(&self) -> u64 {
        match self {
            Self::Teleport(metrics) => metrics.progress().events,
            Self::Lines(metrics) => metrics.events(),
        }
    }

    fn newest(&self) -> Option<SystemTime> {
        match self {
            Self::Teleport(metrics) => metrics.progress().newest,
            Self::Lines(metrics) => metrics.newest(),
        }
    }

    /// How long the server has not answered.
    fn silence(&self) -> Option<Duration> {
        let Self::Teleport(metrics) = self else { return None };
        SystemTime::now().duration_since(metrics.progress().answered?).ok()
    }
}

/// Looks at everything again and again.
#[derive(Default)]
pub(crate) struct Watch(Mutex<State>);

#[derive(Default)]
struct State {
    phase: Phase,
    meter: Option<Meter>,
    plugins: Vec<Arc<EventPlugin>>,
    sinks: Vec<host_delivery::Status>,
    /// Since when, and events by then.
    before: Option<(Instant, u64)>,
    began: Option<Instant>,
    /// Whether there is a line on the terminal.
    shown: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Starting,
    Running,
    Draining,
}

impl Watch {
    /// How often it looks.
    pub(crate) const EVERY: Duration = Duration::from_millis(500);

    pub(crate) fn started(&self, meter: Meter, delivery: &Delivery, plugins: &[Arc<EventPlugin>]) {
        let mut state = self.state();
        state.phase = Phase::Running;
        state.meter = Some(meter);
        state.plugins = plugins.to_vec();
        state.sinks = delivery.status();
        state.began = Some(Instant::now());
    }

    pub(crate) fn draining(&self) {
        let mut state = self.state();
        state.phase = Phase::Draining;
        state.wipe();
    }

    /// To be called every [`EVERY`](Self::EVERY).
    pub(crate) fn look(&self, delivery: &Delivery) {
        let mut state = self.state();
        state.sinks = delivery.status();
        if std::io::stderr().is_terminal() {
            state.show();
        }
    }

    /// Says what has been done.
    pub(crate) fn ended(&self) {
        let mut state = self.state();
        state.wipe();
        let events = state.meter.as_ref().map_or(0, Meter::events);
        let took = state.began.map(|began| began.elapsed()).unwrap_or_default();
        tracing::info!("{events} events were read in {:.1} s", took.as_secs_f64());
        for plugin in &state.plugins {
            let counts = plugin.counts();
            tracing::info!(
                plugin = plugin.name(),
                kept = counts.kept,
                changed = counts.changed,
                skipped = counts.skipped,
                failed = counts.failed,
                "what the plugin {} has done",
                plugin.name()
            );
        }
    }

    /// What is wrong; nothing if it is ready.
    pub(crate) fn faults(&self) -> Vec<String> {
        let state = self.state();
        let mut faults = Vec::new();
        match state.phase {
            Phase::Starting => faults.push("starting".to_owned()),
            Phase::Draining => faults.push("draining".to_owned()),
            Phase::Running => {}
        }
        if let Some(silence) = state.meter.as_ref().and_then(Meter::silence)
            && silence > SILENCE
        {
            faults.push(format!("the auth server has not answered for {} s", silence.as_secs()));
        }
        for sink in &state.sinks {
            if let Some((since, reason)) = &sink.failing {
                let since = since.elapsed().unwrap_or_default().as_secs();
                faults.push(format!("the sink {} has failed for {since} s: {reason}", sink.name));
            }
        }
        for plugin in &state.plugins {
            if let Some(rest) = plugin.rests() {
                let rest = rest.as_secs();
                faults.push(format!("the plugin {} rests for {rest} s more", plugin.name()));
            }
        }
        faults
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show(&mut self) {
        let Some(meter) = &self.meter else { return };
        let (now, events) = (Instant::now(), meter.events());
        let lag = meter.newest().and_then(|newest| newest.elapsed().ok());
        let backfill = lag.is_some_and(|lag| lag > CAUGHT_UP);
        let Some((then, before)) = self.before.replace((now, events)) else { return };
        if !backfill || (events == before && !self.shown) {
            return self.wipe();
        }
        let milliseconds = now.duration_since(then).as_millis().max(1);
        let rate = u128::from(events.saturating_sub(before)) * 1000 / milliseconds;
        let waiting: usize = self.sinks.iter().map(|sink| sink.waiting).sum();
        let line = line(events, rate, lag, meter.newest(), waiting);
        self.shown = true;
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(
    events: u64,
    rate: u128,
    lag: Option<Duration>,
    newest: Option<SystemTime>,
    waiting: usize,
) -> String {
    let mut line = format!("{events} events, {rate} a second, {waiting} under way");
    if let (Some(lag), Some(newest)) = (lag, newest) {
        let date = humantime::format_rfc3339_seconds(newest).to_string();
        let lag = humantime::format_duration(Duration::from_secs(lag.as_secs() / 60 * 60));
        // Into a String: it cannot fail.
        let _ = write!(line, ", {date}, {lag} to go");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_how_fast_and_how_far() {
        let newest = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(86_400));
        let lag = Some(Duration::from_secs(7_265));
        assert_eq!(
            line(1200, 600, lag, newest, 7),
            "1200 events, 600 a second, 7 under way, 1970-01-02T00:00:00Z, 2h 1m to go"
        );
        assert_eq!(line(0, 0, None, None, 0), "0 events, 0 a second, 0 under way");
    }
}

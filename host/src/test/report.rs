//! How the tests went, for people.

use host_events::harness::{Test, Verdict};
use std::io::Result;
use std::time::{Duration, Instant};

/// Prints each test as it ends.
pub(super) struct Report {
    verbose: bool,
    /// How wide the longest name is.
    width: usize,
    begin: Instant,
    passed: usize,
    failed: usize,
}

impl Report {
    pub(super) fn new(tests: &[Test], verbose: bool) -> Self {
        let widths = tests.iter().map(|test| test.to_string().chars().count());
        let width = widths.max().unwrap_or_default();
        Self { verbose, width, begin: Instant::now(), passed: 0, failed: 0 }
    }

    /// One line, and below it why it failed and what the plugin has logged.
    pub(super) fn add(
        &mut self,
        test: &Test,
        verdict: &Verdict,
        time: Duration,
        log: &[String],
    ) -> Result<()> {
        let failed = *verdict != Verdict::Passed;
        *(if failed { &mut self.failed } else { &mut self.passed }) += 1;
        let word = if failed { "FAILED" } else { "passed" };
        say!("{word}  {:<2$}  {:>5} ms", test.to_string(), time.as_millis(), self.width)?;
        match verdict {
            Verdict::Passed => {}
            Verdict::Failed(reason) => indent(reason)?,
            Verdict::Different(differences) => {
                for difference in differences {
                    indent(&difference.to_string())?;
                }
            }
        }
        if failed || self.verbose {
            for line in log {
                indent(line)?;
            }
        }
        Ok(())
    }

    /// The last line. Says whether all have passed.
    pub(super) fn finish(self) -> Result<bool> {
        let Self { passed, failed, begin, .. } = self;
        say!("{passed} passed, {failed} failed, {:.1} s", begin.elapsed().as_secs_f64())?;
        Ok(failed == 0)
    }
}

fn indent(text: &str) -> Result<()> {
    text.lines().try_for_each(|line| say!("        {line}"))
}

//! The measurement: proxies take turns, so that a slow minute of the machine hits all of them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::machine::{Cores, cpu_time, resident_kb};
use super::peers::{self, Peer};
use super::{Built, Options};
use crate::service::Service;
use crate::step;

const ROUNDS: u32 = 7;
const WARM_UP: u32 = 2_000;

/// What one proxy has cost.
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) rounds: Vec<Round>,
    pub(super) resident_kb: u64,
}

pub(super) struct Round {
    /// CPU microseconds of the proxy for one request.
    pub(super) cpu_us: f64,
    pub(super) requests_per_second: f64,
}

pub(super) async fn measure(
    built: &Built,
    folder: &Path,
    options: &Options,
) -> Result<Vec<Measured>> {
    let cores = Cores::choose()?;
    let mut upstream = Service::start("the upstream", cores.rest(&built.upstream))?;
    let target = upstream.address().await?;
    let mut peers = peers::start(built, cores, folder, &target).await?;
    let bench = Bench { built, cores };

    step("warming up");
    for peer in &mut peers {
        bench.round(peer, WARM_UP).await?;
    }
    let requests = bench.calibrate(&mut peers, options).await?;

    let nothing = |peer: &Peer| Measured { name: peer.name, rounds: Vec::new(), resident_kb: 0 };
    let mut measured: Vec<_> = peers.iter().map(nothing).collect();
    for round in 1..=ROUNDS {
        step(&format!("round {round} of {ROUNDS}: {requests} requests to each proxy"));
        for (peer, measured) in peers.iter_mut().zip(&mut measured) {
            measured.rounds.push(bench.round(peer, requests).await?);
            measured.resident_kb = resident_kb(peer.service.pid()?)?;
        }
    }
    Ok(measured)
}

struct Bench<'a> {
    built: &'a Built,
    cores: Cores,
}

impl Bench<'_> {
    /// How many requests the smallest proxy answers in a proxy's share of one round.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole, small number"
    )]
    async fn calibrate(&self, peers: &mut [Peer], options: &Options) -> Result<u32> {
        let seconds = if options.quick { 1 } else { options.seconds };
        let smallest = peers.first_mut().context("there is nothing to measure")?;
        let rate = self.round(smallest, 5 * WARM_UP).await?.requests_per_second;
        Ok((rate * f64::from(seconds) / f64::from(ROUNDS)).max(f64::from(WARM_UP)) as u32)
    }

    async fn round(&self, peer: &mut Peer, requests: u32) -> Result<Round> {
        let pid = peer.service.pid()?;
        let before = cpu_time(pid)?;
        let seconds = tokio::select! {
            seconds = self.load(peer.name, &peer.address, peer.authorization, requests) => seconds?,
            error = peer.service.ended() => return Err(error),
        };
        let used: Duration = cpu_time(pid)?.saturating_sub(before);
        Ok(Round {
            cpu_us: used.as_secs_f64() * 1e6 / f64::from(requests),
            requests_per_second: f64::from(requests) / seconds,
        })
    }

    /// Sends the requests and returns the seconds that they took.
    async fn load(
        &self,
        name: &str,
        address: &str,
        authorization: Option<&str>,
        requests: u32,
    ) -> Result<f64> {
        let output = self
            .cores
            .rest(&self.built.load)
            .args([address, &requests.to_string()])
            .args(authorization)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start the load")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("the load on {name} failed: {}", said.trim());
        }
        let seconds = String::from_utf8_lossy(&output.stdout);
        seconds.trim().parse().context("the load has not printed its seconds")
    }
}

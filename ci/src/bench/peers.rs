//! The proxies that the benchmark compares: the host in several set-ups and its peers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::Built;
use super::machine::{Cores, free_port};
use crate::service::Service;
use crate::{cargo, step};

/// `test:test` in basic authentication.
const AUTHORIZATION: &str = "Basic dGVzdDp0ZXN0";

/// A running proxy.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) service: Service,
    pub(super) address: String,
    pub(super) authorization: Option<&'static str>,
}

/// Starts what can be compared here; the smallest proxy, which the others are held against, first.
pub(super) async fn start(
    built: &Built,
    cores: Cores,
    folder: &Path,
    upstream: &str,
) -> Result<Vec<Peer>> {
    let mut smallest = cores.proxy(&built.smallest_proxy);
    smallest.arg(upstream);
    let mut peers = vec![open("smallest hyper proxy", smallest).await?];

    let host = Host { binary: &built.host, built, cores, folder, upstream };
    peers.push(host.noop("host", 0).await?);
    peers.push(host.noop("host, 1 no-op plugin", 1).await?);
    peers.push(host.noop("host, 4 no-op plugins", 4).await?);
    peers.push(host.noop("host, 16 no-op plugins", 16).await?);
    peers.push(host.complete("host, pre + auth + post", "off").await?);
    peers.push(host.complete("the same with access log", "/dev/null").await?);
    if let Some(binary) = &built.other {
        let other = Host { binary, ..host };
        peers.push(other.noop("other host", 0).await?);
        peers.push(other.complete("other, pre + auth + post", "off").await?);
    }

    if cargo::works(std::process::Command::new("nginx").arg("-v")) {
        peers.push(nginx(cores, folder, upstream).await?);
    } else {
        step("SKIPPED: nginx; it is not installed");
    }
    if cargo::works(std::process::Command::new("haproxy").arg("-v")) {
        peers.push(haproxy(cores, folder, upstream).await?);
    } else {
        step("SKIPPED: haproxy; it is not installed");
    }
    Ok(peers)
}

/// Starts a proxy that chooses its own port and logs it.
async fn open(name: &'static str, command: Command) -> Result<Peer> {
    let mut service = Service::start(name, command)?;
    let address = service.address().await?;
    Ok(Peer { name, service, address, authorization: None })
}

struct Host<'a> {
    binary: &'a Path,
    built: &'a Built,
    cores: Cores,
    folder: &'a Path,
    upstream: &'a str,
}

impl Host<'_> {
    async fn noop(&self, name: &'static str, plugins: usize) -> Result<Peer> {
        let mut command = self.command(name, "off");
        for _ in 0..plugins {
            command.arg("--pre-plugin").arg(&self.built.noop_plugin);
        }
        open(name, command).await
    }

    async fn complete(&self, name: &'static str, access_log: &str) -> Result<Peer> {
        let mut command = self.command(name, access_log);
        command
            .arg("--pre-plugin")
            .arg(&self.built.pre_plugin)
            .arg("--post-plugin")
            .arg(&self.built.post_plugin)
            .args(["--basic-user", "test", "--basic-password", "test"]);
        let peer = open(name, command).await?;
        Ok(Peer { authorization: Some(AUTHORIZATION), ..peer })
    }

    fn command(&self, name: &str, access_log: &str) -> Command {
        let mut command = self.cores.proxy(self.binary);
        command
            .args(["--port", "127.0.0.1:0", "--access-log", access_log])
            .args(["--target", &format!("http://{}", self.upstream)])
            .arg("--patches")
            .arg(self.folder)
            .arg("--state")
            .arg(self.folder.join(name));
        command
    }
}

async fn nginx(cores: Cores, folder: &Path, upstream: &str) -> Result<Peer> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let home = folder.join("nginx");
    fs::create_dir(&home).context("cannot make a folder for nginx")?;
    // One process, like the others, and connections that outlive the default of 1000 requests.
    let config = format!(
        "daemon off;
        master_process off;
        pid nginx.pid;
        error_log stderr error;
        events {{ worker_connections 1024; }}
        http {{
            access_log off;
            client_body_temp_path temp;
            proxy_temp_path temp;
            fastcgi_temp_path temp;
            uwsgi_temp_path temp;
            scgi_temp_path temp;
            keepalive_requests 1000000000;
            upstream bench {{
                server {upstream};
                keepalive 64;
                keepalive_requests 1000000000;
            }}
            server {{
                listen {address};
                location / {{
                    proxy_pass http://bench;
                    proxy_http_version 1.1;
                    proxy_set_header Connection \"\";
                }}
            }}
        }}"
    );
    fs::write(home.join("nginx.conf"), config).context("cannot write nginx.conf")?;
    let mut command = cores.proxy("nginx");
    command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(&home);
    silent("nginx", command, address).await
}

async fn haproxy(cores: Cores, folder: &Path, upstream: &str) -> Result<Peer> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let config = format!(
        "global
    nbthread 1
    maxconn 1024
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
listen bench
    bind {address}
    server upstream {upstream}
"
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config).context("cannot write haproxy.cfg")?;
    let mut command = cores.proxy("haproxy");
    command.args(["-q", "-db", "-f"]).arg(&file);
    silent("haproxy", command, address).await
}

/// Starts a proxy that says nothing when it is ready: asks until it takes a connection.
async fn silent(name: &'static str, command: Command, address: String) -> Result<Peer> {
    let mut service = Service::start(name, command)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(&address).await.is_err() {
        tokio::select! {
            error = service.ended() => return Err(error),
            () = sleep(Duration::from_millis(20)) => {}
        }
        if Instant::now() > deadline {
            bail!("{name} does not listen on {address} after 10 s");
        }
    }
    Ok(Peer { name, service, address, authorization: None })
}

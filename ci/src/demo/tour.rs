//! What the demo shows, step by step.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hyper::StatusCode;
use hyper::header::WWW_AUTHENTICATE;
use tokio::process::Command;

use super::client::{Answer, get};
use super::{Built, Options};
use crate::cargo::arguments;
use crate::service::Service;
use crate::step;

const USER: &str = "test:test";
const PATCHED: &str = "Loading patched reverse_proxy module";

pub(super) async fn show(built: &Built, folder: &Path, options: &Options) -> Result<()> {
    let mut echo = Command::new(&built.host);
    echo.args(["echo", "--port", "127.0.0.1:0"]);
    let mut echo = Service::start("the echo", echo)?;
    let host = Host { built, folder, port: options.port, target: echo.address().await? };
    let no_patches = folder.join("no-patches");
    let patches = folder.join("patches");
    fs::create_dir(&no_patches).context("cannot make a folder for patches")?;
    fs::create_dir(&patches).context("cannot make a folder for patches")?;

    step("the host with a PRE plugin, basic authentication and a POST plugin");
    let (service, address) = host.start("/", &no_patches).await?;

    step("without credentials: refused, and told how to authenticate");
    refused(&get(&address, "/get", None).await?)?;

    step("with a wrong password: refused");
    refused(&get(&address, "/get", Some("test:wrong")).await?)?;

    step("with the right one: the upstream sees what the plugins have added");
    let answer = get(&address, "/get", Some(USER)).await?;
    arrived_as(&answer, "/get")?;
    let trace = answer.seen_header("X-Trace-Id").unwrap_or_default();
    ensure!(!trace.is_empty(), "expected the PRE plugin's X-Trace-Id at the upstream, found none");
    let username = answer.seen_header("Username");
    ensure!(
        username == Some("test"),
        "expected the POST plugin's `Username: test` at the upstream, found {username:?}"
    );
    service.stop().await?;

    step("with --prefix /prefix: the built-in reverse proxy does not take it off (a known bug)");
    let (service, address) = host.start("/prefix", &no_patches).await?;
    arrived_as(&get(&address, "/prefix/get", Some(USER)).await?, "/prefix/get")?;
    service.stop().await?;

    step("the same host with a patch for its reverse proxy: the prefix is gone");
    let patch = patches.join("reverse_proxy.so");
    fs::copy(&built.reverse_proxy, &patch)
        .with_context(|| format!("cannot write {}", patch.display()))?;
    let (mut service, address) = host.start("/prefix", &patches).await?;
    service.logged(PATCHED).await?;
    println!("the log of the host: {PATCHED}\n");
    arrived_as(&get(&address, "/prefix/get", Some(USER)).await?, "/get")?;

    step("every answer was as expected");
    if options.once {
        return Ok(());
    }
    println!("The host is up until Ctrl-C: curl -i -u {USER} http://{address}/prefix/get");
    tokio::select! {
        error = service.ended() => Err(error),
        error = echo.ended() => Err(error),
    }
}

/// The parts of the host's command line that stay the same through the tour.
struct Host<'a> {
    built: &'a Built,
    folder: &'a Path,
    port: u16,
    target: String,
}

impl Host<'_> {
    async fn start(&self, prefix: &str, patches: &Path) -> Result<(Service, String)> {
        let mut command = Command::new(&self.built.host);
        command
            .args(["--port", &format!("127.0.0.1:{}", self.port)])
            .args(["--target", &format!("http://{}", self.target)])
            .args(["--prefix", prefix])
            .args(["--basic-user", "test", "--basic-password", "test"])
            .arg("--pre-plugin")
            .arg(&self.built.pre_plugin)
            .arg("--post-plugin")
            .arg(&self.built.post_plugin)
            .arg("--patches")
            .arg(patches)
            .arg("--state")
            .arg(self.folder.join("state"));
        println!("$ {} {}\n", self.built.host.display(), arguments(command.as_std()));
        let mut service = Service::start("the host", command)?;
        let address = service.address().await?;
        Ok((service, address))
    }
}

fn refused(answer: &Answer) -> Result<()> {
    expect_status(answer, StatusCode::UNAUTHORIZED)?;
    ensure!(
        answer.headers.contains_key(WWW_AUTHENTICATE),
        "expected a www-authenticate header beside the status 401, found none"
    );
    Ok(())
}

fn arrived_as(answer: &Answer, path: &str) -> Result<()> {
    expect_status(answer, StatusCode::OK)?;
    let seen = answer.seen_path();
    ensure!(seen == Some(path), "expected the upstream to be asked for {path}, found {seen:?}");
    Ok(())
}

fn expect_status(answer: &Answer, status: StatusCode) -> Result<()> {
    ensure!(answer.status == status, "expected the status {status}, found {}", answer.status);
    Ok(())
}

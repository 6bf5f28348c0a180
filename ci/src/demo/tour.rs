//! What the demo shows, step by step.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use hyper::StatusCode;
use hyper::header::WWW_AUTHENTICATE;
use tokio::process::Command;

use super::client::{Answer, get};
use super::{Built, Options};
use crate::cargo::arguments;
use crate::service::Service;

const USER: &str = "test:test";

pub(super) async fn show(built: &Built, folder: &Path, options: &Options) -> Result<()> {
    let no_patches = folder.join("no-patches");
    let patches = folder.join("patches");
    fs::create_dir(&no_patches).context("cannot make a folder for patches")?;
    fs::create_dir(&patches).context("cannot make a folder for patches")?;

    let mut echo = Command::new(&built.host);
    echo.args(["echo", "--port", "127.0.0.1:0"]);
    let mut echo = Service::start("the echo", echo)?;
    let target = format!("http://{}", echo.address().await?);
    let host = Host { built, folder, port: options.port, target };

    say("A host with a PRE plugin, basic authentication and a POST plugin");
    let (service, address) = host.start("/", &no_patches).await?;
    blame(&service, plugins_and_authentication(&address).await)?;
    service.stop().await?;

    say("With --prefix /prefix: the built-in reverse proxy leaves the prefix on, a bug on purpose");
    let (service, address) = host.start("/prefix", &no_patches).await?;
    blame(&service, prefix_arrives_as(&address, "/prefix/get").await)?;
    service.stop().await?;

    say("The same with a patch for the reverse proxy: the prefix is gone");
    let patch = patches.join("reverse_proxy.so");
    fs::copy(&built.reverse_proxy, &patch)
        .with_context(|| format!("cannot write {}", patch.display()))?;
    let (mut patched, address) = host.start("/prefix", &patches).await?;
    println!("{}\n", patched.logged("Loading patched reverse_proxy module").await?);
    blame(&patched, prefix_arrives_as(&address, "/get").await)?;
    patched.stop().await?;

    say("With an event plugin that counts failed logins: the fourth locks the user out");
    let (mut service, address) = host.start("/prefix", &patches).await?;
    blame(&service, lockout(&host, &address).await)?;

    say(
        "The event handler without a cluster: from a file, past a plugin that skips, to the output",
    );
    super::file::show(built, folder).await?;

    say("Every answer was as expected");
    if options.once {
        return Ok(());
    }
    println!("The host is up until Ctrl-C: curl -i -u {USER} http://{address}/prefix/get");
    tokio::select! {
        error = service.ended() => Err(error),
        error = echo.ended() => Err(error),
    }
}

async fn plugins_and_authentication(address: &str) -> Result<()> {
    say("Without credentials: refused, and told how to authenticate");
    refused(&get(address, "/get", None).await?)?;

    say("With a wrong password: refused");
    refused(&get(address, "/get", Some("test:wrong")).await?)?;

    say("With the right one: the upstream sees the headers that the plugins add");
    let answer = get(address, "/get", Some(USER)).await?;
    arrived_as(&answer, "/get")?;
    let trace = answer.seen_header("X-Trace-Id").unwrap_or_default();
    ensure!(!trace.is_empty(), "expected the PRE plugin's X-Trace-Id at the upstream, found none");
    let username = answer.seen_header("Username");
    ensure!(
        username == Some("test"),
        "expected the POST plugin's `Username: test` at the upstream, found {username:?}"
    );
    Ok(())
}

async fn lockout(host: &Host<'_>, address: &str) -> Result<()> {
    for _ in 0..4 {
        refused(&get(address, "/prefix/get", Some("test:wrong")).await?)?;
    }
    let lock = host.lock().await?;
    say("Now the right password does not help");
    expect_status(&get(address, "/prefix/get", Some(USER)).await?, StatusCode::FORBIDDEN)?;
    host.locks(&["list"]).await?;
    host.locks(&["remove", &lock]).await?;
    say("The lock is lifted");
    arrived_as(&get(address, "/prefix/get", Some(USER)).await?, "/get")
}

async fn prefix_arrives_as(address: &str, path: &str) -> Result<()> {
    arrived_as(&get(address, "/prefix/get", Some(USER)).await?, path)
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
            .args(["--target", &self.target, "--prefix", prefix])
            .arg("--pre-plugin")
            .arg(&self.built.pre_plugin)
            .arg("--post-plugin")
            .arg(&self.built.post_plugin)
            .args(["--basic-user", "test", "--basic-password", "test"])
            .arg("--patches")
            .arg(patches)
            .arg("--event-plugin")
            .arg(&self.built.lockout)
            .arg("--state")
            .arg(self.folder.join("state"));
        println!("$ {} {}\n", self.built.host.display(), arguments(command.as_std()));
        let mut service = Service::start("the host", command)?;
        let address = service.address().await?;
        Ok((service, address))
    }
}

impl Host<'_> {
    /// Waits for a lock, which the plugin makes soon after the request that it is for; its name.
    async fn lock(&self) -> Result<String> {
        for _ in 0..100 {
            let output = self.locks_command(&["list", "--json"]).output().await?;
            let locks: serde_json::Value = serde_json::from_slice(&output.stdout)?;
            if let Some(name) = locks[0]["name"].as_str() {
                return Ok(name.to_owned());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(anyhow!("expected a lock after four failed logins, found none"))
    }

    /// Shows what `host locks` does.
    async fn locks(&self, args: &[&str]) -> Result<()> {
        let mut command = self.locks_command(args);
        println!("$ {} {}", self.built.host.display(), arguments(command.as_std()));
        let output = command.output().await?;
        println!("{}", String::from_utf8_lossy(&output.stdout));
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn locks_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.built.host);
        command.arg("locks").arg("--state").arg(self.folder.join("state")).args(args);
        command
    }
}

/// Clients see less of an error than the log.
fn blame(service: &Service, checked: Result<()>) -> Result<()> {
    checked.map_err(|error| anyhow!("{error:#}; the log of the host:\n{}", service.log()))
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

/// A heading, on standard output like the requests and answers below it.
fn say(what: &str) {
    println!("# {what}");
}

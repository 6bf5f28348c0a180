//! Patch of the point `authenticator`: basic authentication (RFC 7617) of many users, whose
//! passwords are hashed in a file.
//!
//! A hash takes some 50 ms of a processor by design. So it is made on the plugin's own runtime and
//! not on the host's threads, by a few at a time, and its outcome is remembered for a while.

mod basic;
mod config;
mod memory;
mod users;

use basic::Credentials;
use config::Config;
use memory::Memory;
use plugin_interface::runtime::OwnRuntime;
use plugin_interface::{
    Authenticator, Exchange, HostServices, Registrar, Response, Result, Verdict, tracing,
};
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use users::Users;

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    let config = Config::parse(config)?;
    Users::read(&config.users_file)?;
    registrar.authenticator(
        "users",
        UsersFile {
            memory: Memory::new(config.remember),
            turns: Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))),
            places: Semaphore::new(PLACES),
            runtime: OwnRuntime::start("authenticator", 1)?,
            config,
        },
    );
    Ok(())
}

/// How many may wait for their turn. More would wait longer than a client does, and be an easy way
/// to keep all processors busy.
const PLACES: usize = 64;

struct UsersFile {
    config: Config,
    memory: Memory,
    /// One for each processor.
    turns: Arc<Semaphore>,
    places: Semaphore,
    runtime: OwnRuntime,
}

impl Authenticator for UsersFile {
    fn challenge(&self) -> String {
        format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.config.realm)
    }

    fn authenticate(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        Ok(match Credentials::of(exchange) {
            None => Verdict::Abstain,
            Some(Err(_)) => self.reject(),
            Some(Ok(credentials)) if self.memory.knows(&credentials) => {
                Verdict::Accept(credentials.user)
            }
            Some(Ok(_)) => Verdict::Defer,
        })
    }

    async fn authenticate_async(&self, exchange: &mut Exchange<'_>) -> Result<Verdict> {
        let Some(Ok(credentials)) = Credentials::of(exchange) else { return Ok(self.reject()) };
        let Ok(_place) = self.places.try_acquire() else {
            tracing::warn!("more than {PLACES} clients wait for their passwords to be verified");
            return Ok(Verdict::Reject(busy()));
        };
        let turn = self.turns.clone().acquire_owned().await?;
        // A client that opens many connections at once waits for one hash, not for many.
        if self.memory.knows(&credentials) {
            return Ok(Verdict::Accept(credentials.user));
        }
        let path = self.config.users_file.clone();
        let verify = move || {
            // Hashing goes on when the client has left, and so it keeps its turn.
            let _turn = turn;
            Users::read(&path).map(|users| (users.verify(&credentials), credentials))
        };
        let (verified, credentials) = self.runtime.handle().spawn_blocking(verify).await??;
        if !verified {
            tracing::debug!(user = credentials.user, "wrong user or password");
            return Ok(self.reject());
        }
        self.memory.remember(&credentials);
        Ok(Verdict::Accept(credentials.user))
    }
}

impl UsersFile {
    /// The same for all that may be wrong.
    fn reject(&self) -> Verdict {
        let response = Response::text(401, "wrong user or password\n");
        Verdict::Reject(response.header("www-authenticate", self.challenge()))
    }
}

fn busy() -> Response {
    Response::text(503, "busy, try again\n").header("retry-after", "1")
}

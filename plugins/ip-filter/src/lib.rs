//! PRE middleware: lets clients in by the network that they come from.

mod networks;

use networks::Networks;
use plugin_interface::{
    Counter, Exchange, HostServices, Middleware, Registrar, Response, Result, Step, tracing,
};

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, host: HostServices, config: &str) -> Result<()> {
    let networks = Networks::parse(config)?;
    let denied =
        host.counter("ip_filter_denied_total", "Requests refused for their address", &[])?;
    registrar.middleware("ip-filter", IpFilter { networks, denied });
    Ok(())
}

struct IpFilter {
    networks: Networks,
    denied: Counter,
}

impl Middleware for IpFilter {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        let address = exchange.peer().ip();
        if self.networks.admit(address) {
            return Ok(Step::Next);
        }
        tracing::debug!(%address, "refused by its address");
        self.denied.add(1);
        Ok(Step::Respond(Response::text(403, "not from this address\n")))
    }
}

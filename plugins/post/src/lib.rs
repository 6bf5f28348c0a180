//! POST middleware: tells the upstream in a header who the user is.

use http::HeaderName;
use plugin_interface::{
    Error, Exchange, HostServices, Middleware, Registrar, Result, Step, tracing,
};
use serde::Deserialize;

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    registrar.middleware("post", Username::new(config)?);
    Ok(())
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    header: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { header: "Username".to_owned() }
    }
}

#[derive(Debug)]
struct Username {
    header: HeaderName,
}

impl Username {
    fn new(config: &str) -> Result<Self> {
        let config: Config = match config.trim() {
            "" => Config::default(),
            text => serde_json::from_str(text)?,
        };
        let header = config.header.parse().map_err(|_| {
            let name = config.header;
            Error::new(format_args!("\"header\": {name:?} is not a header's name"))
        })?;
        Ok(Self { header })
    }
}

impl Middleware for Username {
    fn on_request(&self, exchange: &mut Exchange<'_>) -> Result<Step> {
        tracing::debug!("running POST plugin");
        let name = self.header.as_str();
        // The upstream trusts this header: what a client claims in it never passes.
        match exchange.identity().map(str::to_owned) {
            Some(user) => exchange.set_header(name, user)?,
            None => _ = exchange.remove_header(name),
        }
        Ok(Step::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::{Username, register};
    use plugin_interface::testing::{Host, TestExchange};

    /// What the upstream sees in the header, whatever the client has put there.
    fn seen(config: &str, header: &str, user: Option<&str>) -> Vec<String> {
        let plugin = Host::new().load(register, config).unwrap();
        let mut exchange = TestExchange::get("/").with_header(header, "forged");
        if let Some(user) = user {
            exchange = exchange.with_identity(user);
        }
        plugin.on_request(&mut exchange).unwrap();
        exchange.request_headers(header).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_upstream_sees_who_is_logged_in_and_nobody_else() {
        assert_eq!(seen("", "Username", Some("ann")), ["ann"]);
        assert_eq!(seen("", "Username", None), [""; 0]);
        let config = r#"{"header": "X-User"}"#;
        assert_eq!(seen(config, "x-user", Some("ann")), ["ann"]);
        assert_eq!(seen(config, "x-user", None), [""; 0]);
    }

    fn error(config: &str) -> String {
        Username::new(config).unwrap_err().to_string()
    }

    #[test]
    fn the_header_is_username_unless_configured() {
        assert_eq!(Username::new("").unwrap().header, "username");
        assert_eq!(Username::new("{}").unwrap().header, "username");
        assert_eq!(Username::new(r#"{"header": "X-User"}"#).unwrap().header, "x-user");
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_its_name() {
        assert_eq!(error(r#"{"header": "a b"}"#), r#""header": "a b" is not a header's name"#);
        assert!(error(r#"{"heder": "X-User"}"#).contains("unknown field `heder`"));
        assert!(error("Username").starts_with("expected value"));
    }
}

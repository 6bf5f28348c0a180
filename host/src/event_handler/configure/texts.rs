//! The texts of the files.

use super::{FLUENTD, HANDLER, ROLE};
use crate::cli::ConfigureArgs;
use std::path::Path;

/// A role that may read events and recordings and make locks, and a user who has it.
pub(super) fn role() -> String {
    "\
# tctl create -f teleport-event-handler-role.yaml
kind: role
metadata:
  name: teleport-event-handler
spec:
  allow:
    rules:
      - resources: ['event', 'session']
        verbs: ['list', 'read']
      # For locks of users who fail to log in, and for those that plugins make.
      - resources: ['lock']
        verbs: ['create', 'update']
version: v5
---
kind: user
metadata:
  name: teleport-event-handler
spec:
  roles: ['teleport-event-handler']
version: v2
"
    .to_owned()
}

/// A server that takes events over HTTPS, of whoever has a certificate of the authority.
pub(super) fn fluentd(args: &ConfigureArgs) -> String {
    let ConfigureArgs { ca, server, .. } = args;
    format!(
        "\
<source>
  @type http
  port 8888
  <transport tls>
    client_cert_auth true
    # Where fluentd sees these files, if it is in a container.
    ca_path /keys/{ca}.crt
    cert_path /keys/{server}.crt
    private_key_path /keys/{server}.key
  </transport>
  <parse>
    @type json
    time_key time
    time_type string
    time_format %Y-%m-%dT%H:%M:%S.%L%z
    keep_time_key true
  </parse>
</source>

# Events.
<match test.log>
  @type stdout
</match>

# Events of session recordings.
<match session.**>
  @type stdout
</match>
"
    )
}

/// What `host event-handler start` reads.
pub(super) fn handler(args: &ConfigureArgs, folder: &Path) -> String {
    let path = |name: &str, ending: &str| text(&folder.join(format!("{name}.{ending}")));
    let ConfigureArgs { ca, client, addr, dns_names, .. } = args;
    let host = dns_names.first().map_or("localhost", String::as_str);
    let storage = text(&folder.join("storage"));
    let identity = text(&folder.join("identity"));
    let (ca, cert, key) = (path(ca, "crt"), path(client, "crt"), path(client, "key"));
    let addr = toml::Value::from(addr.as_str());
    format!(
        "\
# host event-handler start -c {HANDLER}
storage = {storage}
timeout = \"10s\"
batch = 20
window-size = \"24h\"
# Only these types; all, if it is empty.
types = \"\"
# From when on; from now on, without it. It cannot be changed later.
# start-time = \"2024-01-01T00:00:00Z\"

[forward.fluentd]
ca = {ca}
cert = {cert}
key = {key}
url = \"https://{host}:8888/test.log\"
session-url = \"https://{host}:8888/session\"
# Events in a request, as a JSON array: faster by far.
# batch = 500

[teleport]
addr = {addr}
# tctl auth sign --user=teleport-event-handler --out=identity
identity = {identity}

# A plugin that sees every event.
# [wasm]
# plugin = \"plugin.wasm\"
"
    )
}

/// What there is now, and what is to be done.
pub(super) fn next<'a>(
    folder: &Path,
    args: &ConfigureArgs,
    files: impl Iterator<Item = &'a str>,
) -> String {
    let (folder, ca) = (folder.display(), &args.ca);
    let files = files.fold(String::new(), |files, name| files + "  " + name + "\n");
    format!(
        "\
written to {folder}:
{files}
Keys are ECDSA P-256 ones, whatever --length says, and are not encrypted: their files are yours alone.
Keep {ca}.key away; nothing needs it but new certificates.

1. Make the role and its user, then an identity for it:
     tctl create -f {folder}/{ROLE}
     tctl auth sign --user=teleport-event-handler --out={folder}/identity
   (or let tbot write it, and set [teleport] refresh.enabled = true)
2. Start fluentd with {folder}/{FLUENTD}, with the certificates in /keys.
3. Start the event handler:
     host event-handler start -c {folder}/{HANDLER}
"
    )
}

fn text(path: &Path) -> toml::Value {
    toml::Value::from(path.display().to_string())
}

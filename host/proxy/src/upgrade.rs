//! Connections that become something else than HTTP: WebSocket and its kin (RFC 9110, section 7.8).

use crate::service::OneInFlight;
use crate::span::under;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio_util::task::TaskTracker;

/// Joins the two connections once both sides have switched, and copies until both have ended.
///
/// For as long as that the connection is in use: nobody waits for a request on it.
pub(crate) fn join(
    client: OnUpgrade,
    upstream: OnUpgrade,
    tunnels: &TaskTracker,
    in_use: OneInFlight,
) {
    let span = under(tracing::Span::current);
    tunnels.spawn(tracing::Instrument::instrument(
        async move {
            let _in_use = in_use;
            let (client, upstream) = match tokio::try_join!(client, upstream) {
                Ok(both) => both,
                Err(error) => {
                    tracing::warn!("the switch of protocols did not happen: {error}");
                    return;
                }
            };
            let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
            match copy_bidirectional(&mut client, &mut upstream).await {
                Ok((sent, received)) => tracing::debug!(sent, received, "the tunnel has ended"),
                Err(error) => tracing::debug!("the tunnel has broken: {error}"),
            }
        },
        span,
    ));
}

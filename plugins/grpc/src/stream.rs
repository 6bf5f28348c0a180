//! A stream of messages as lines of JSON or as server-sent events.

use crate::call::Call;
use crate::messages::Messages;
use crate::settings::Settings;
use crate::status::{Code, Status};
use crate::tally::Counted;
use plugin_interface::{BodyStream, Chunk, Error, Frame, HostServices, Result};
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What has arrived together goes out together, up to about so many bytes.
const BATCH: usize = 64 << 10;

/// How long the message of a failure may take to the client before the connection is cut: HTTP/2
/// resets a stream in front of what is still to be sent, and HTTP/1.1 does much the same.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Newline-delimited JSON.
    Lines,
    /// `text/event-stream`, as browsers read it (HTML Standard, section 9.2).
    Events,
}

impl Format {
    /// What the client accepts: events if it names them, lines if not.
    pub(crate) fn accepted(accept: &str) -> Self {
        let events = accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next().is_some_and(|it| it.eq_ignore_ascii_case("text/event-stream"));
            let weight = parts.find_map(|it| it.strip_prefix("q=").or(it.strip_prefix("Q=")));
            named && weight.is_none_or(|it| it.parse().is_ok_and(|weight: f32| weight > 0.0))
        });
        if events { Self::Events } else { Self::Lines }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    fn before(self) -> &'static [u8] {
        match self {
            Self::Lines => b"",
            Self::Events => b"data: ",
        }
    }

    /// The mapping writes no line ends: each of these ends one message.
    fn after(self) -> &'static [u8] {
        match self {
            Self::Lines => b"\n",
            Self::Events => b"\n\n",
        }
    }
}

/// The body of the answer: asks the service for more when the client has taken what there was.
pub(crate) struct JsonStream {
    messages: Messages,
    call: Arc<Call>,
    settings: Arc<Settings>,
    host: HostServices,
    format: Format,
    counted: Counted,
    state: State,
}

enum State {
    Open,
    /// The failure is told; the connection is cut when this is over.
    Cutting(Pin<Box<dyn Future<Output = ()> + Send + Sync>>, Code),
    Over,
}

impl JsonStream {
    pub(crate) fn new(
        messages: Messages,
        call: Arc<Call>,
        settings: Arc<Settings>,
        host: HostServices,
        format: Format,
        counted: Counted,
    ) -> Self {
        Self { messages, call, settings, host, format, counted, state: State::Open }
    }

    /// What there is, as text; none if the call has ended well and there is nothing more.
    fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut text = Vec::new();
        while text.len() < BATCH {
            let next = match self.messages.poll_next(cx) {
                Poll::Pending if text.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(next) => next.and_then(|message| match message {
                    Some(message) => self.write(&message, &mut text).map(Some),
                    None => Ok(None),
                }),
            };
            match next {
                Ok(Some(())) => {}
                Ok(None) => {
                    self.end(Code::Ok, State::Over);
                    break;
                }
                Err(status) => {
                    self.write_failure(&status, &mut text);
                    let timer = Box::pin(self.host.sleep(LAST_WORDS));
                    self.end(status.code, State::Cutting(timer, status.code));
                    break;
                }
            }
        }
        Poll::Ready(Some(text).filter(|text| !text.is_empty()))
    }

    fn end(&mut self, code: Code, state: State) {
        self.counted.ended(code);
        self.state = state;
    }

    fn write(&self, message: &[u8], text: &mut Vec<u8>) -> Result<(), Status> {
        let before = text.len();
        text.extend(self.format.before());
        let written = self.call.write(message, text, &self.settings.mapping);
        if let Err(error) = written {
            text.truncate(before);
            return Err(Settings::unreadable(&self.call, &error));
        }
        text.extend(self.format.after());
        Ok(())
    }

    fn write_failure(&self, status: &Status, text: &mut Vec<u8>) {
        if self.format == Format::Events {
            text.extend(b"event: error\n");
        }
        let status = self.settings.mapping.status(status);
        let json = match self.format {
            Format::Lines => json!({"error": status}),
            Format::Events => status,
        };
        text.extend(self.format.before());
        text.extend(json.to_string().into_bytes());
        text.extend(self.format.after());
    }
}

impl BodyStream for JsonStream {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match &mut self.state {
            State::Open => {
                let text = ready!(self.poll_text(cx));
                Poll::Ready(text.map(|text| Ok(Frame::Data(Chunk::from_owner(text)))))
            }
            State::Cutting(timer, code) => {
                ready!(timer.as_mut().poll(cx));
                let error = format_args!("{} ended with {}", self.call.path, code.name());
                let error = Error::new(error);
                self.state = State::Over;
                Poll::Ready(Some(Err(error)))
            }
            State::Over => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn events_are_for_who_names_them() {
        for accept in
            ["text/event-stream", "text/html, Text/Event-Stream;q=0.5", "text/event-stream;a=b"]
        {
            assert_eq!(Format::accepted(accept), Format::Events, "{accept}");
        }
        for accept in ["", "*/*", "application/json", "text/*", "text/event-stream; q=0"] {
            assert_eq!(Format::accepted(accept), Format::Lines, "{accept}");
        }
    }
}

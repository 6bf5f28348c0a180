//! What a server has answered, and what that means for the events.

use crate::sink::{Failure, Later};
use ::http::header::{HeaderMap, RETRY_AFTER};
use ::http::{Response, StatusCode};
use bytes::Bytes;
use host_lines::on_one_line;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use std::time::{Duration, SystemTime};

/// No answer is longer: Elasticsearch says something about each of thousands of events.
const LONGEST: usize = 64 << 20;
/// Of an answer so much goes into a message.
const EXCERPT: usize = 300;
/// Nobody is left alone for longer than this, whatever a server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) wait: Option<Duration>,
    /// The whole body, or why there is none.
    pub(crate) body: Result<Bytes, String>,
}

impl Answer {
    pub(super) async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        Self {
            status: head.status,
            wait: retry_after(&head.headers, SystemTime::now()),
            body: body.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string()),
        }
    }

    /// What it means, if it is none of the answers that mean success: for one request, whatever it
    /// had in it.
    pub(crate) fn failure(&self) -> Failure {
        match Fault::of(self.status) {
            Fault::Content => Failure::Refused(self.describe()),
            Fault::Passing => Failure::Later(self.later(false)),
            Fault::Configuration => Failure::Later(self.later(true)),
        }
    }

    /// The events have to come again.
    pub(crate) fn later(&self, mend: bool) -> Later {
        let hint = match self.status {
            _ if !mend => "",
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; check the credentials (headers, cert and key) and what they may do"
            }
            StatusCode::NOT_FOUND => "; check the URL",
            status if status.is_redirection() => "; redirects are not followed, check the URL",
            _ => "; check the configuration of the sink and of the server",
        };
        Later { reason: self.describe() + hint, wait: self.wait, mend }
    }

    /// Status and the beginning of the body.
    pub(crate) fn describe(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let body = on_one_line(body, EXCERPT);
        match body.trim() {
            "" => format!("the answer is {}", self.status),
            body => format!("the answer is {}: {body}", self.status),
        }
    }
}

/// Whose fault a status other than success is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The event's: it will never be taken.
    Content,
    /// It may pass by itself.
    Passing,
    /// Somebody has to change something, and until then no event is taken.
    Configuration,
}

impl Fault {
    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 413 | 422 => Self::Content,
            408 | 425 | 429 | 500..=599 => Self::Passing,
            _ => Self::Configuration,
        }
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            SystemTime::from(date).duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_means() {
        use Fault::{Configuration, Content, Passing};
        for (status, fault) in [
            (400, Content),
            (401, Configuration),
            (403, Configuration),
            (404, Configuration),
            (405, Configuration),
            (408, Passing),
            (413, Content),
            (415, Configuration),
            (422, Content),
            (429, Passing),
            (500, Passing),
            (503, Passing),
            (301, Configuration),
        ] {
            assert_eq!(Fault::of(StatusCode::from_u16(status).unwrap()), fault, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // the RFC's example
        for (value, wait) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("99999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let seconds = retry_after(&headers, now).map(|wait| wait.as_secs());
            assert_eq!(seconds, wait, "{value}");
        }
    }
}

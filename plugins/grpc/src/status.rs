//! What became of a call: gRPC's status, and how HTTP says it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode;
use plugin_interface::Header;
use prost::Message as _;
use prost_types::Any;

/// The codes of gRPC's statuses, with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

/// Each code, its name, and the HTTP status that `google.rpc.Code` has for it.
pub(crate) const CODES: [(Code, &str, u16); 17] = [
    (Code::Ok, "OK", 200),
    (Code::Cancelled, "CANCELLED", 499),
    (Code::Unknown, "UNKNOWN", 500),
    (Code::InvalidArgument, "INVALID_ARGUMENT", 400),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
    (Code::NotFound, "NOT_FOUND", 404),
    (Code::AlreadyExists, "ALREADY_EXISTS", 409),
    (Code::PermissionDenied, "PERMISSION_DENIED", 403),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", 400),
    (Code::Aborted, "ABORTED", 409),
    (Code::OutOfRange, "OUT_OF_RANGE", 400),
    (Code::Unimplemented, "UNIMPLEMENTED", 501),
    (Code::Internal, "INTERNAL", 500),
    (Code::Unavailable, "UNAVAILABLE", 503),
    (Code::DataLoss, "DATA_LOSS", 500),
    (Code::Unauthenticated, "UNAUTHENTICATED", 401),
];

impl Code {
    /// The code of a number in text; one that gRPC does not have is an unknown error.
    fn parse(text: &[u8]) -> Self {
        let number: Option<usize> = std::str::from_utf8(text).ok().and_then(|it| it.parse().ok());
        number.and_then(|it| CODES.get(it)).map_or(Self::Unknown, |&(code, ..)| code)
    }

    /// As in `NOT_FOUND`.
    pub(crate) fn name(self) -> &'static str {
        CODES[self as usize].1
    }
}

/// How a call has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    /// For the client.
    pub(crate) message: String,
    pub(crate) details: Vec<Any>,
    /// The HTTP status, where it is another than the code's.
    http: Option<u16>,
}

/// `google.rpc.Status`, which servers that have details send along in binary.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// Binary metadata comes with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), http: None }
    }

    /// The same with another HTTP status than that of its code.
    pub(crate) fn with_http(self, status: u16) -> Self {
        Self { http: Some(status), ..self }
    }

    /// The HTTP status of the answer.
    pub(crate) fn http(&self) -> u16 {
        self.http.unwrap_or(CODES[self.code as usize].2)
    }

    /// The status in trailers, or in the head of an answer that is nothing but a status; none if
    /// there is none.
    pub(crate) fn from_headers(headers: &[Header]) -> Option<Self> {
        let value = |name: &str| {
            let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(header.value.as_slice())
        };
        let code = Code::parse(value("grpc-status")?);
        let message = percent_decode(value("grpc-message").unwrap_or_default());
        let message = message.decode_utf8_lossy().into_owned();
        let details = value("grpc-status-details-bin")
            .and_then(|text| BASE64.decode(text).ok())
            .and_then(|bytes| RpcStatus::decode(bytes.as_slice()).ok());
        let details = details.map(|status| status.details).unwrap_or_default();
        Some(Self { details, ..Self::new(code, message) })
    }

    /// What an answer without gRPC's status means, by its HTTP status (`http-grpc-status-mapping.md`
    /// of gRPC).
    pub(crate) fn from_http(status: u16) -> Self {
        let code = match status {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502..=504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        Self::new(code, "the service gave no gRPC answer")
    }
}

#[cfg(test)]
mod tests {
    use super::{BASE64, CODES, Code, RpcStatus, Status};
    use base64::Engine as _;
    use plugin_interface::Header;
    use prost::Message as _;
    use prost_types::Any;

    fn headers(headers: &[(&str, &str)]) -> Vec<Header> {
        let header = |&(name, value): &(&str, &str)| Header {
            name: name.into(),
            value: value.as_bytes().into(),
        };
        headers.iter().map(header).collect()
    }

    #[test]
    fn codes_are_at_their_numbers() {
        for (number, (code, ..)) in CODES.into_iter().enumerate() {
            assert_eq!(code as usize, number);
        }
    }

    #[test]
    fn a_status_is_read_from_trailers() {
        let trailers = headers(&[
            ("grpc-status", "5"),
            ("grpc-message", "no order%20%C3%A4%zz"),
            ("x-a", "b"),
        ]);
        let status = Status::from_headers(&trailers).unwrap();
        assert_eq!(status, Status::new(Code::NotFound, "no order ä%zz"));
        assert_eq!((status.http(), status.with_http(410).http()), (404, 410));
        assert_eq!(Status::from_headers(&headers(&[("grpc-message", "x")])), None);
    }

    #[test]
    fn a_status_that_grpc_does_not_have_is_unknown() {
        for text in ["17", "-1", "", "ok", "99999999999999999999"] {
            let status = Status::from_headers(&headers(&[("grpc-status", text)])).unwrap();
            assert_eq!(status.code, Code::Unknown, "{text:?}");
        }
    }

    #[test]
    fn details_come_with_and_without_padding_and_bad_ones_are_left_out() {
        let detail = Any { type_url: "type.googleapis.com/a.B".to_owned(), value: vec![1] };
        let details = vec![detail.clone()];
        let bytes = RpcStatus { code: 5, message: String::new(), details }.encode_to_vec();
        let padded = BASE64.encode(bytes);
        for text in [&padded, padded.trim_end_matches('=')] {
            let trailers = headers(&[("grpc-status", "5"), ("grpc-status-details-bin", text)]);
            assert_eq!(
                Status::from_headers(&trailers).unwrap().details,
                std::slice::from_ref(&detail)
            );
        }
        for text in ["!", "/w=="] {
            let trailers = headers(&[("grpc-status", "5"), ("grpc-status-details-bin", text)]);
            assert_eq!(Status::from_headers(&trailers).unwrap(), Status::new(Code::NotFound, ""));
        }
    }
}

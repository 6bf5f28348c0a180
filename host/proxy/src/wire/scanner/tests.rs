use proptest::collection::vec;
use proptest::prelude::*;

use super::head::{NOT_A_NUMBER, NOT_CHUNKED};
use super::*;

/// The place after the last byte, or the first violation as an offset in the whole stream.
type Outcome = Result<Place, (usize, &'static str)>;

fn scan_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut scanner = Scanner::new();
    let mut before = 0;
    for part in parts {
        if let Some(Violation { at, reason }) = scanner.scan(part) {
            return Err((before + at, reason));
        }
        before += part.len();
    }
    Ok(scanner.place())
}

/// Scans at once, in two parts cut at each place, and byte by byte.
fn scan(stream: &[u8]) -> Outcome {
    let outcome = scan_parts([stream]);
    for cut in 0..=stream.len() {
        let (first, second) = stream.split_at(cut);
        assert_eq!(scan_parts([first, second]), outcome, "cut at {cut}: {}", show(stream));
    }
    assert_eq!(scan_parts(stream.chunks(1)), outcome, "byte by byte: {}", show(stream));
    outcome
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[track_caller]
fn refused(before: &str, from_here: &str, reason: &str) {
    let stream = format!("{before}{from_here}");
    assert_eq!(scan(stream.as_bytes()), Err((before.len(), reason)), "{stream:?}");
}

/// The violation is in the head after a request line and a Host.
#[track_caller]
fn refused_field(before: &str, from_here: &str, reason: &str) {
    refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{before}"), from_here, reason);
}

/// The violation is in the content of a chunked request.
#[track_caller]
fn refused_chunk(before: &str, from_here: &str, reason: &str) {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    refused(&format!("{head}{before}"), from_here, reason);
}

#[track_caller]
fn passes(stream: &str, place: Place) {
    assert_eq!(scan(stream.as_bytes()), Ok(place), "{stream:?}");
}

#[test]
fn only_crlf_ends_a_line_of_a_head() {
    refused("", "\nGET / HTTP/1.1\r\n\r\n", BARE_LF);
    refused("\r\n", "\nGET / HTTP/1.1\r\n\r\n", BARE_LF);
    refused("\r", "GET / HTTP/1.1\r\n\r\n", BARE_CR);
    refused("GET", "\n/ HTTP/1.1\r\n\r\n", BARE_LF);
    refused("GET /", "\n\r\n", BARE_LF);
    refused("GET / HTTP/1.1", "\nHost: a\r\n\r\n", BARE_LF);
    refused("GET / HTTP/1.1\r", "Host: a\r\n\r\n", BARE_CR);
    refused("GET / HTTP/1.1\r", "\r\nHost: a\r\n\r\n", BARE_CR);
    refused_field("", "\n\r\n", BARE_LF);
    refused_field("A", "\n\r\n", BARE_LF);
    refused_field("A: b", "\n\r\n", BARE_LF);
    refused_field("A:", "\n\r\n", BARE_LF);
    refused_field("A: b\r", "c\r\n\r\n", BARE_CR);
    refused_field("A: b\r\n\r", "\r\n", BARE_CR);
    refused_field("A: b\r\n", "\n", BARE_LF);
    refused_field("Content-Length: 5", "\n\r\n", BARE_LF);
    refused_field("Transfer-Encoding: chunked", "\n\r\n", BARE_LF);
    refused_field("Transfer-Encoding: chunked\r", " \r\n\r\n", BARE_CR);
}

#[test]
fn a_request_line_has_three_parts_and_a_version_that_is_known() {
    for (before, from_here) in [
        ("", " / HTTP/1.1\r\n\r\n"),
        ("", "\0"),
        ("GET", "\r\n\r\n"),
        ("GET", "\t/ HTTP/1.1\r\n\r\n"),
        ("GET /", "\r\n\r\n"),
        ("GET / ", "\r\n\r\n"),
        ("GET /  HTTP/1.1", "\r\n\r\n"),
        ("GET / HTTP/1.1 ", "\r\n\r\n"),
        ("GET /a b HTTP/1.1", "\r\n\r\n"),
        ("GET / HTTP/1.2", "\r\n\r\n"),
        ("GET / HTTP/2.0", "\r\n\r\n"),
        ("GET / http/1.1", "\r\n\r\n"),
        ("GET / HTTP/1.1HTTP/1.1HTTP/1.1", "\r\n\r\n"),
    ] {
        refused(before, from_here, REQUEST_LINE);
    }
}

#[test]
fn a_field_line_is_a_name_and_a_colon() {
    refused("GET / HTTP/1.1\r\n", " Host: a\r\n\r\n", "a line that begins with whitespace");
    refused_field("", "\tA: b\r\n\r\n", "a line that begins with whitespace");
    refused_field("A: b\r\n", " c\r\n\r\n", "a line that begins with whitespace");
    refused_field("A", " : b\r\n\r\n", "whitespace before a colon");
    refused_field("Content-Length", "\t: 5\r\n\r\n", "whitespace before a colon");
    refused_field("A", "\r\n\r\n", "a field without a colon");
    refused_field("", ": b\r\n\r\n", "a field without a name");
    refused_field("Content-Length", "\0: 5\r\n\r\n", "a malformed field name");
    refused_field("", "\u{e9}: 5\r\n\r\n", "a malformed field name");
}

#[test]
fn a_length_and_a_coding_exclude_each_other() {
    refused_field(
        "Content-Length: 5\r\nTransfer-Encoding",
        ": chunked\r\n\r\n",
        "Transfer-Encoding beside Content-Length",
    );
    refused_field(
        "transfer-encoding: chunked\r\nA: b\r\ncontent-length",
        ": 5\r\n\r\n",
        "Content-Length beside Transfer-Encoding",
    );
    refused_field(
        "Content-Length: 0\r\nTransfer-Encoding",
        ": chunked\r\n\r\n",
        "Transfer-Encoding beside Content-Length",
    );
}

#[test]
fn a_content_length_is_one_number() {
    for (before, from_here) in [
        ("", "+5\r\n\r\n"),
        ("", "-1\r\n\r\n"),
        ("", "x5\r\n\r\n"),
        ("0", "x5\r\n\r\n"),
        ("", "\r\n\r\n"),
        (" \t", "\r\n\r\n"),
        (" 5 ", "x\r\n\r\n"),
        ("5 ", "5\r\n\r\n"),
        ("5", ", 5\r\n\r\n"),
        ("5", ".0\r\n\r\n"),
        ("5", "\0\r\n\r\n"),
    ] {
        refused_field(&format!("Content-Length:{before}"), from_here, NOT_A_NUMBER);
    }
    // u64::MAX and one more.
    passes("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", Place::Body);
    refused_field(
        "Content-Length: 1844674407370955161",
        "6\r\n\r\n",
        "a Content-Length too large to count",
    );
}

#[test]
fn content_lengths_may_only_repeat() {
    refused_field(
        "Content-Length: 5\r\nContent-Length: 6",
        "\r\n\r\n",
        "two different Content-Lengths",
    );
    refused_field(
        "Content-Length: 0\r\nContent-Length: 6",
        "\r\n\r\n",
        "two different Content-Lengths",
    );
    passes("POST / HTTP/1.1\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nab", Place::Between);
}

#[test]
fn chunked_is_the_only_coding() {
    for (before, from_here) in [
        ("", "xchunked"),
        ("chunked", "x"),
        ("chunked", ", chunked"),
        ("chunked ", "chunked"),
        ("", "gzip, chunked"),
        ("c", "ompress"),
        ("", "identity"),
        ("", "\"chunked\""),
        ("", "\u{b}chunked"),
        ("chunked", "\0"),
        ("chunke", ""),
        (" ", ""),
        ("chun", " ked"),
    ] {
        refused_field(
            &format!("Transfer-Encoding:{before}"),
            &format!("{from_here}\r\n\r\n"),
            NOT_CHUNKED,
        );
    }
    refused_field(
        "Transfer-Encoding: chunked\r\nTransfer-Encoding",
        ": chunked\r\n\r\n",
        "more than one Transfer-Encoding",
    );
    refused(
        "POST / HTTP/1.0\r\nTransfer-Encoding",
        ": chunked\r\n\r\n",
        "Transfer-Encoding in HTTP/1.0",
    );
}

#[test]
fn a_request_has_one_host() {
    refused_field("host", ": b\r\n\r\n", "more than one Host");
    refused_field("A: b\r\nHOST", ": a\r\n\r\n", "more than one Host");
    // One each for two requests is fine.
    passes("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n", Place::Between);
}

#[test]
fn a_chunk_is_as_long_as_it_says() {
    refused_chunk("", "\r\n", CHUNK_SIZE);
    refused_chunk("", "+5\r\n", CHUNK_SIZE);
    refused_chunk("", " 5\r\n", CHUNK_SIZE);
    refused_chunk("", ";a\r\n", CHUNK_SIZE);
    refused_chunk("0", "x5\r\n", CHUNK_SIZE);
    refused_chunk("5", "g\r\n", CHUNK_SIZE);
    refused_chunk("5 ", "5\r\n", CHUNK_SIZE);
    refused_chunk("5 ", "\r\n", CHUNK_SIZE);
    refused_chunk("ffffffffffffffff", "0\r\n", "a chunk size too large to count");
    refused_chunk("5\r\nhello", "!\r\n0\r\n\r\n", "a chunk longer than its size");
    refused_chunk("5\r\nhello", "0\r\n\r\n", "a chunk longer than its size");
    refused_chunk("5\r\nhello\r", "0\r\n\r\n", BARE_CR);
    refused_chunk("5\r\nhello", "\n0\r\n\r\n", "a chunk longer than its size");
    refused_chunk("5\r\nhello\r\n", "\r\n", CHUNK_SIZE);
}

#[test]
fn only_crlf_ends_a_line_between_chunks() {
    refused_chunk("5", "\nhello\r\n0\r\n\r\n", BARE_LF);
    refused_chunk("5 ", "\nhello\r\n0\r\n\r\n", BARE_LF);
    refused_chunk("", "\n5\r\n", BARE_LF);
    refused_chunk("5\r", "hello\r\n0\r\n\r\n", BARE_CR);
    refused_chunk("5;a", "\nhello\r\n0\r\n\r\n", BARE_LF);
    refused_chunk("5;a=\"b", "\n\"\r\nhello\r\n", BARE_LF);
    refused_chunk("5;a\r", "b\r\nhello\r\n0\r\n\r\n", BARE_CR);
    refused_chunk("0", "\n\r\n", BARE_LF);
    refused_chunk("0\r\n", "\n", BARE_LF);
    refused_chunk("0\r\n\r", "a", BARE_CR);
}

#[test]
fn a_trailer_is_a_field_line_that_frames_nothing() {
    refused_chunk("0\r\nA: b", "\n\r\n", BARE_LF);
    refused_chunk("0\r\nA: b\r", "c\r\n\r\n", BARE_CR);
    refused_chunk("0\r\nA", " : b\r\n\r\n", "whitespace before a colon");
    refused_chunk("0\r\n", " A: b\r\n\r\n", "a line that begins with whitespace");
    refused_chunk("0\r\nA: b\r\n", "\tc\r\n\r\n", "a line that begins with whitespace");
    refused_chunk("0\r\nA", "\r\n\r\n", "a field without a colon");
    refused_chunk("0\r\n", ": b\r\n\r\n", "a field without a name");
    for name in ["Content-Length", "transfer-encoding", "HOST", "Upgrade"] {
        refused_chunk(
            &format!("0\r\nA: b\r\n{name}"),
            ": 5\r\n\r\n",
            "a trailer that only a head may have",
        );
    }
}

#[test]
fn ordinary_requests_pass() {
    for stream in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
        "GET http://b/%2F?x=\u{e9} HTTP/1.1\r\nHost:\r\nA:b\r\nA:  b c\t\r\nB: a:b, \"c\"\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "P / HTTP/1.1\r\n\r\n",
        "PRI / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length:\t 5 \t\r\n\r\na\r\n\nb",
        "POST / HTTP/1.1\r\nContent-Length: 0000000000000000000000000000000000001\r\n\r\na",
        "POST / HTTP/1.1\r\nX-Content-Length: 5\r\nContent-Lengthy: 5\r\nTransfer-Encodin: x\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encodings: x\r\nX-Transfer-Encoding: x\r\n\r\n",
    ] {
        passes(stream, Place::Between);
    }
}

#[test]
fn chunked_requests_pass() {
    for content in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00000000000000000000005\r\nhello\r\n000\r\n\r\n",
        "A\r\n0123\r\n\n\r89\r\n0\r\n\r\n",
        "a;b\r\n0123456789\r\n1;c=d;e=\"f\"\r\n!\r\n0;g\r\n\r\n",
        "5 \t; a\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\r\nGrpc-Status:0\r\n\r\n",
    ] {
        for coding in ["chunked", "\t chunked ", "Chunked"] {
            let head = format!("POST / HTTP/1.1\r\nTransfer-Encoding:{coding}\r\n\r\n");
            passes(&head, Place::Body);
            passes(&format!("{head}{content}"), Place::Between);
        }
    }
}

#[test]
fn the_body_of_one_request_is_not_taken_for_the_next() {
    let smuggled = "GET /b HTTP/1.1\nHost: b\n\n";
    let length = smuggled.len();
    let requests = format!(
        "POST /1 HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{smuggled}\
         GET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{smuggled}\r\n0\r\n\r\n"
    );
    passes(&requests, Place::Between);
    refused(&format!("{requests}GET /b HTTP/1.1"), "\nHost: b\n\n", BARE_LF);
}

#[test]
fn http2_is_left_alone_but_only_as_the_first_words() {
    passes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\n\r \n", Place::Switched);
    refused("\r\nPRI * HTTP/2.0", "\r\n\r\nSM\r\n\r\n", REQUEST_LINE);
    refused("GET / HTTP/1.1\r\n\r\nPRI * HTTP/2.0", "\r\n\r\nSM\r\n\r\n", REQUEST_LINE);
}

#[test]
fn what_follows_an_upgrade_is_left_alone() {
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "CONNECT a:80 HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n\n",
        "POST / HTTP/1.1\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        passes(&format!("{head}\n\r\0 : "), Place::Switched);
    }
}

#[test]
fn an_upgrade_does_not_excuse_its_own_request() {
    refused_field("Upgrade: a\r\nB", "\n\r\n", BARE_LF);
    refused_field(
        "Upgrade: a\r\nTransfer-Encoding: chunked\r\n\r\n5",
        "\nhello\r\n0\r\n\r\n",
        BARE_LF,
    );
    refused("CONNECT a:80 HTTP/1.1\r\nA", " : b\r\n\r\n", "whitespace before a colon");
    // No upgrade in HTTP/1.0, and none in the request after the one that asked.
    refused("GET / HTTP/1.0\r\nUpgrade: a\r\n\r\n", "\n", BARE_LF);
    refused("CONNECTED / HTTP/1.1\r\n\r\n", "\n", BARE_LF);
    refused("connect / HTTP/1.1\r\n\r\n", "\n", BARE_LF);
}

#[test]
fn a_violation_in_content_is_told_from_one_in_a_head() {
    let place_of = |stream: &str| {
        let mut scanner = Scanner::new();
        assert!(scanner.scan(stream.as_bytes()).is_some(), "{stream:?} passed");
        scanner.place()
    };
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for stream in ["GET\n", "GET / HTTP/1.1\r\nA\n", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\n"] {
        assert_eq!(place_of(stream), Place::Head, "{stream:?}");
    }
    for content in ["x", "5\n", "5;\n", "1\r\nab", "0\r\n\n", "0\r\nA\n", "0\r\nA: b\n", "0\r\n\rx"]
    {
        assert_eq!(place_of(&format!("{chunked}{content}")), Place::Body, "{content:?}");
    }
}

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}"
        .prop_filter("has a meaning of its own", |token| !head::is_for_heads_only(token.as_bytes()))
}

fn fields() -> impl Strategy<Value = String> {
    let field = (token(), "[ \t]{0,2}[!-~ ]{0,40}[ \t]{0,2}")
        .prop_map(|(name, value)| format!("{name}:{value}\r\n"));
    vec(field, 0..6).prop_map(|fields| fields.concat())
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let extension = "([ \t]{0,2};[!-~ ]{0,10}){0,2}";
    (vec(any::<u8>(), 1..40), extension, "0{0,3}").prop_map(|(data, extension, zeros)| {
        let mut chunk = format!("{zeros}{:X}{extension}\r\n", data.len()).into_bytes();
        chunk.extend(data);
        chunk.extend(b"\r\n");
        chunk
    })
}

/// A head's field lines for its content, and the content.
fn content() -> impl Strategy<Value = (String, Vec<u8>)> {
    let length = vec(any::<u8>(), 0..60)
        .prop_map(|content| (format!("Content-Length: {}\r\n", content.len()), content));
    let chunked = (vec(chunk(), 0..4), fields()).prop_map(|(chunks, trailers)| {
        let end = format!("0\r\n{trailers}\r\n").into_bytes();
        (String::from("transfer-encoding: Chunked\r\n"), [chunks.concat(), end].concat())
    });
    prop_oneof![Just((String::new(), Vec::new())), length, chunked]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let line = ("(\r\n){0,2}", token(), "/[!-~]{0,40}");
    (line, fields(), content(), fields()).prop_filter_map(
        "CONNECT switches",
        |((empty_lines, method, target), before, (framing, content), after)| {
            let head = format!(
                "{empty_lines}{method} {target} HTTP/1.1\r\nHost: a\r\n{before}{framing}{after}\r\n"
            );
            (method != "CONNECT").then(|| [head.into_bytes(), content].concat())
        },
    )
}

/// Valid requests with up to two bytes changed to ones that matter.
fn nearly_requests() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![prop::sample::select(&b"\r\n \t:;05ax\0"[..]), any::<u8>()];
    let change = (any::<prop::sample::Index>(), byte);
    (vec(request(), 1..3), vec(change, 0..3)).prop_map(|(requests, changes)| {
        let mut stream = requests.concat();
        for (index, byte) in changes {
            let index = index.index(stream.len());
            stream[index] = byte;
        }
        stream
    })
}

proptest! {
    #[test]
    fn valid_requests_never_violate_and_end_where_they_end(requests in vec(request(), 1..5)) {
        let mut scanner = Scanner::new();
        for request in &requests {
            let (last, most) = request.split_last().expect("a request is not empty");
            prop_assert_eq!(scanner.scan(most), None, "{}", show(request));
            prop_assert_ne!(scanner.place(), Place::Between, "{}", show(request));
            prop_assert_eq!(scanner.scan(&[*last]), None, "{}", show(request));
            prop_assert_eq!(scanner.place(), Place::Between, "{}", show(request));
        }
    }

    #[test]
    fn how_the_stream_is_cut_changes_nothing(
        stream in nearly_requests(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.sort_unstable();
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([stream.len()]);
        let parts = starts.zip(ends).map(|(start, end)| &stream[start..end]);
        prop_assert_eq!(scan_parts(parts), scan_parts([&stream[..]]));
        prop_assert_eq!(scan_parts(stream.chunks(1)), scan_parts([&stream[..]]));
    }
}

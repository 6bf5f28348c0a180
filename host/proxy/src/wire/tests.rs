use std::convert::Infallible;
use std::error::Error as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const HEAD: &str =
    "\r\nPOST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nEmpty:\r\nA: b c \r\n\r\n";

/// Answers with what it was asked, or with why the request could not be read.
async fn echo(request: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // The scanner lets a Content-Length be repeated because hyper does not hand on the repetition.
    assert!(head.headers.get_all(hyper::header::CONTENT_LENGTH).iter().count() <= 1);
    let (status, answer) = match body.collect().await {
        Ok(body) => {
            let trailers = body.trailers().map_or(0, hyper::HeaderMap::len);
            let content = body.to_bytes();
            let content = content.escape_ascii();
            (StatusCode::OK, format!("{} {} {content} {trailers}", head.method, head.uri))
        }
        Err(error) => {
            let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
            let kind = cause.map(io::Error::kind);
            (StatusCode::BAD_REQUEST, format!("{kind:?} {cause:?}"))
        }
    };
    let mut response = Response::new(Full::from(answer));
    *response.status_mut() = status;
    Ok(response)
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) {
    // How the connection ends for the server is not the matter here: the tests look at what the
    // client gets.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo)).await;
}

/// What a client reads until the server closes, having sent all of `requests`.
async fn exchange(requests: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(Guard::new(stream)).await;
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    let closed = async {
        client.read_to_string(&mut answers).await.unwrap();
        server.await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the server closes");
    answers
}

/// The status lines and contents of some responses.
fn outline(answers: &str) -> Vec<&str> {
    let mut outline = Vec::new();
    let mut rest = answers;
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let end = after.find("HTTP/1.").unwrap_or(after.len());
        let (content, next) = after.split_at(end);
        outline.extend(head.lines().next());
        outline.extend(Some(content).filter(|content| !content.is_empty()));
        rest = next;
    }
    outline
}

async fn read_all(guard: &mut Guard<impl AsyncRead + Unpin>, size: usize) -> (Vec<u8>, String) {
    let mut all = Vec::new();
    let mut buffer = vec![0; size];
    loop {
        match guard.read(&mut buffer).await {
            Ok(0) => return (all, String::new()),
            Ok(read) => all.extend(&buffer[..read]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                assert_eq!(guard.read(&mut buffer).await.unwrap(), 0, "no end after the error");
                return (all, error.to_string());
            }
        }
    }
}

#[tokio::test]
async fn poison_anywhere_in_a_head_makes_hyper_refuse_it() {
    for end in 0..HEAD.len() {
        let before = &HEAD.as_bytes()[..end];
        let mut answer = Vec::new();
        serve(tokio::io::join(before.chain(POISON), &mut answer)).await;
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "after {:?}", &HEAD[..end]);

        let together = [before, POISON].concat();
        let mut answer = Vec::new();
        serve(tokio::io::join(&together[..], &mut answer)).await;
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "together with {:?}", &HEAD[..end]);
    }
}

#[tokio::test]
async fn a_head_is_cut_before_the_violation_and_poisoned() {
    let stream = format!("{HEAD}01234GET / HTTP/1.1\r\nA : b\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    let expected = format!("{HEAD}01234GET / HTTP/1.1\r\nA\0\r\n\r\n");
    for size in [1, 2, 3, 7, HEAD.len() + 5, 1024] {
        let mut guard = Guard::new(stream.as_bytes());
        let (passed, error) = read_all(&mut guard, size).await;
        assert_eq!(
            passed.escape_ascii().to_string(),
            expected.as_bytes().escape_ascii().to_string()
        );
        assert_eq!(error, "");
    }
}

#[tokio::test]
async fn content_is_cut_before_the_violation_and_fails() {
    let good = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0";
    let stream = format!("{good}\n\r\nGET / HTTP/1.1\r\n\r\n");
    for size in [1, 2, 3, 7, good.len(), 1024] {
        let mut guard = Guard::new(stream.as_bytes());
        let (passed, error) = read_all(&mut guard, size).await;
        assert_eq!(String::from_utf8(passed).unwrap(), good);
        assert_eq!(error, "a line that ends without CR");
    }
}

#[tokio::test]
async fn a_stream_without_violations_passes_unchanged() {
    let websocket = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\n\0\r";
    for stream in [HEAD, "", "GE", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\n", websocket] {
        for size in [1, 3, 1024] {
            let (passed, error) = read_all(&mut Guard::new(stream.as_bytes()), size).await;
            assert_eq!((String::from_utf8(passed).unwrap().as_str(), error.as_str()), (stream, ""));
        }
    }
}

#[tokio::test]
async fn a_malformed_head_is_answered_with_400_and_the_connection_closed() {
    for request in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ] {
        let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = exchange(&format!("{request}{next}")).await;
        assert_eq!(outline(&answer), ["HTTP/1.1 400 Bad Request"], "{request:?}");

        let before = "GET /before HTTP/1.1\r\nHost: a\r\n\r\n";
        let answers = exchange(&format!("{before}{request}{next}")).await;
        assert_eq!(
            outline(&answers),
            ["HTTP/1.1 200 OK", "GET /before  0", "HTTP/1.1 400 Bad Request"],
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn malformed_content_fails_with_the_reason_and_ends_the_connection() {
    let answers = exchange(
        "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nA: b\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    .await;
    let outline = outline(&answers);
    assert_eq!(outline[0], "HTTP/1.1 400 Bad Request");
    assert!(outline[1].starts_with("Some(InvalidData)"), "{outline:?}");
    assert!(outline[1].contains("a line that ends without CR"), "{outline:?}");
    assert_eq!(outline.len(), 2, "{outline:?}");
}

#[tokio::test]
async fn well_formed_requests_share_a_connection() {
    let answers = exchange(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n\r\n\n\r\n\
         POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3;a=b\r\nx\ny\r\n2\r\nz!\r\n0\r\nA: b\r\nC: d\r\n\r\n\
         POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na\
         GET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(
        outline(&answers),
        [
            ["HTTP/1.1 200 OK", "GET /1  0"],
            ["HTTP/1.1 200 OK", r"POST /2 \n\r\n\n 0"],
            ["HTTP/1.1 200 OK", r"POST /3 x\nyz! 2"],
            ["HTTP/1.1 200 OK", "POST /4 a 0"],
            ["HTTP/1.1 200 OK", "GET /5  0"],
        ]
        .concat()
    );
}

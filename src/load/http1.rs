//! Heads of HTTP/1 answers. Knows no socket.

use std::time::{Duration, SystemTime};

use super::framing::{Chunks, Framing};

/// What the head of an answer says, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The status code.
    pub(super) status: u16,
    /// `content-type` as it stands, so that a secret in it is found; empty where there is none.
    pub(super) content_type: String,
    /// `content-encoding` as it stands, empty where there is none.
    pub(super) content_encoding: String,
    /// `location`.
    pub(super) location: Option<String>,
    /// `retry-after` as it stands.
    pub(super) retry_after: Option<String>,
    /// Whether the server means to keep the connection open.
    pub(super) keeps_alive: bool,
}

impl Head {
    /// Whether the body is of this content type, written in lower case.
    pub(super) fn is_of(&self, kind: &str) -> bool {
        self.content_type.to_ascii_lowercase().starts_with(kind)
    }

    /// Whether the body is in a form that nobody asked for.
    pub(super) fn is_compressed(&self) -> bool {
        let encoding = self.content_encoding.trim();
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")
    }

    /// How long the server asks to wait from `now` on: for some seconds, or until a date.
    pub(super) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let text = self.retry_after.as_ref()?.trim();
        // Whole seconds say the standard; some servers know better.
        if let Ok(seconds) = text.parse() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let until = httpdate::parse_http_date(text).ok()?;
        Some(until.duration_since(now).unwrap_or_default())
    }
}

/// A head longer than this, or with more headers, is no answer of a model server.
const LIMIT_BYTES: usize = 64 << 10;
const LIMIT_HEADERS: usize = 128;

/// Reads the head at the start of an answer, interim ones (`1xx`) passed over.
///
/// Gives the head, what follows it, and the number of its bytes; `None` where more bytes are needed.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_head(bytes: &[u8]) -> Result<Option<(Head, Framing, usize)>, String> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let mut headers = [httparse::EMPTY_HEADER; LIMIT_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(rest) {
            Err(error) => return Err(format!("the answer is not HTTP/1: {error}")),
            Ok(httparse::Status::Partial) => break,
            Ok(httparse::Status::Complete(length)) => at += length,
        }
        let status = response.code.unwrap_or_default();
        if status == SWITCHING || !(100..200).contains(&status) {
            let (head, framing) = understand(&response)?;
            return Ok(Some((head, framing, at)));
        }
    }
    if bytes.len() > LIMIT_BYTES {
        return Err("the answer's head is longer than 64 KiB".into());
    }
    Ok(None)
}

/// `101`: whatever follows is not HTTP, and nobody asked for it.
const SWITCHING: u16 = 101;

fn understand(response: &httparse::Response<'_, '_>) -> Result<(Head, Framing), String> {
    let status = response.code.unwrap_or_default();
    let lower = |name: &str| values(response, name).to_ascii_lowercase();
    let text = |name: &str| Some(values(response, name)).filter(|value| !value.is_empty());
    let framing = framing(status, &lower("transfer-encoding"), &values(response, "content-length"))?;
    let is_current = response.version == Some(1);
    let head = Head {
        status,
        content_type: values(response, "content-type"),
        content_encoding: values(response, "content-encoding"),
        location: text("location"),
        retry_after: text("retry-after"),
        keeps_alive: is_current && !lower("connection").contains("close") && framing != Framing::UntilClose,
    };
    Ok((head, framing))
}

/// All values of a header, joined as the standard allows.
fn values(response: &httparse::Response<'_, '_>, name: &str) -> String {
    let named = response
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    let values: Vec<_> = named.map(|header| String::from_utf8_lossy(header.value)).collect();
    values.join(", ")
}

/// RFC 9112, section 6.3.
fn framing(status: u16, transfer_encoding: &str, content_length: &str) -> Result<Framing, String> {
    if status < 200 || status == 204 || status == 304 {
        return Ok(Framing::Length(0));
    }
    if !transfer_encoding.is_empty() {
        let last = transfer_encoding.rsplit(',').next().unwrap_or_default().trim();
        return Ok(if last == "chunked" {
            Framing::Chunked(Chunks::default())
        } else {
            Framing::UntilClose
        });
    }
    let mut lengths = content_length.split(',').map(str::trim);
    match lengths.next() {
        None | Some("") => Ok(Framing::UntilClose),
        Some(first) if lengths.all(|other| other == first) => match first.parse() {
            Ok(length) => Ok(Framing::Length(length)),
            Err(_) => Err(format!("`content-length` is `{first}`")),
        },
        Some(_) => Err(format!("`content-length` is `{content_length}`")),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        io::{Read as _, Write as _},
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use hyper::{
        Response,
        body::{Body, Frame, SizeHint},
        service::service_fn,
    };
    use hyper_util::rt::TokioIo;
    use proptest::prelude::*;

    use super::*;

    fn head(text: &str) -> (Head, Framing, usize) {
        read_head(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_head_says_what_follows_it() {
        for (headers, framing, keeps_alive) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", Framing::Length(5), true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n", Framing::Length(5), true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n",
                Framing::Chunked(Chunks::default()),
                true,
            ),
            ("HTTP/1.1 200 OK\r\n", Framing::UntilClose, false),
            (
                "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5\r\n",
                Framing::Length(5),
                false,
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", Framing::Length(5), false),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
                Framing::UntilClose,
                false,
            ),
            ("HTTP/1.1 204 No Content\r\n", Framing::Length(0), true),
            ("HTTP/1.1 200\r\nContent-Length: 0\r\n", Framing::Length(0), true),
        ] {
            let (head, follows, _) = head(&format!("{headers}\r\n"));
            assert_eq!((follows, head.keeps_alive), (framing, keeps_alive), "{headers}");
        }
    }

    #[test]
    fn headers_are_found_in_any_case_and_told_apart() {
        let text = "HTTP/1.1 429 Slow Down\r\nCONTENT-TYPE: Text/Html\r\nretry-after: 7\r\nlocation: /Else\r\n\r\nrest";
        let (head, _, length) = head(text);
        assert_eq!((head.status, head.is_of("text/html")), (429, true));
        assert_eq!(
            (head.retry_after.as_deref(), head.location.as_deref()),
            (Some("7"), Some("/Else"))
        );
        assert_eq!(length, text.len() - 4);
    }

    #[test]
    fn a_server_asks_to_wait_for_seconds_or_until_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        let wait_s = |text: &str| {
            let (head, ..) = head(&format!("HTTP/1.1 429 Slow Down\r\nRetry-After: {text}\r\n\r\n"));
            head.retry_after(now).map(|wait| wait.as_secs_f64())
        };
        assert_eq!(wait_s(" 7 "), Some(7.0));
        assert_eq!(wait_s("0.5"), Some(0.5));
        assert_eq!(wait_s("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10.0));
        assert_eq!(wait_s("Wed, 21 Oct 2015 07:27:00 GMT"), Some(0.0), "it is over");
        for unclear in ["soon", "-1", "NaN", "inf", "é"] {
            assert_eq!(wait_s(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        assert_eq!(read_head(interim.as_bytes()), Ok(None));
        let text = [interim, "HTTP/1.1 200 OK\r\n\r\n"].concat();
        let (head, _, length) = head(&text);
        assert_eq!((head.status, length), (200, text.len()));
        assert_eq!(self::head("HTTP/1.1 101 Switching Protocols\r\n\r\n").0.status, 101);
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let endless = ["HTTP/1.1 200 OK\r\nx: ", &"y".repeat(LIMIT_BYTES)].concat();
        let crowded = ["HTTP/1.1 200 OK\r\n", &"x: y\r\n".repeat(LIMIT_HEADERS + 1), "\r\n"].concat();
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            &endless,
            &crowded,
        ] {
            assert!(read_head(text.as_bytes()).is_err(), "{text:.40?}");
        }
    }

    #[test]
    fn a_head_is_whole_at_its_last_byte_and_not_before() {
        let text =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nvia: x\r\n\r\n";
        for cut in 0..text.len() {
            assert_eq!(read_head(&text[..cut]), Ok(None), "{cut}");
        }
        assert!(read_head(text).unwrap().is_some());
    }

    /// What hyper's server sends for a body in these pieces, with its length or in chunks.
    fn served(pieces: &[Vec<u8>], with_length: bool) -> Vec<u8> {
        let body = Pieces(pieces.iter().cloned().map(Bytes::from).collect(), with_length);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = std::thread::spawn(move || {
                let mut tcp = std::net::TcpStream::connect(address).unwrap();
                tcp.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                    .unwrap();
                let mut bytes = Vec::new();
                tcp.read_to_end(&mut bytes).unwrap();
                bytes
            });
            let (tcp, _) = listener.accept().await.unwrap();
            let answer = service_fn(|_| std::future::ready(Ok::<_, Infallible>(Response::new(body.clone()))));
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(TokioIo::new(tcp), answer).await.unwrap();
            client.join().unwrap()
        })
    }

    #[derive(Clone)]
    struct Pieces(VecDeque<Bytes>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }

        fn size_hint(&self) -> SizeHint {
            let length = self.0.iter().map(|piece| piece.len() as u64).sum();
            if self.1 {
                SizeHint::with_exact(length)
            } else {
                SizeHint::default()
            }
        }
    }

    /// Reads an answer in pieces; its body and whether it was complete.
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut unread, mut framing, mut body) = (Vec::new(), None, Vec::new());
        for piece in pieces {
            unread.extend_from_slice(piece);
            if framing.is_none() {
                let Some((_, follows, length)) = read_head(&unread).unwrap() else {
                    continue;
                };
                unread.drain(..length);
                framing = Some(follows);
            }
            let framing = framing.as_mut().unwrap();
            let used = framing.push(&unread, |bytes| body.extend_from_slice(bytes)).unwrap();
            assert_eq!(used, unread.len());
            unread.clear();
        }
        (body, framing.unwrap().is_complete())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn what_hyper_sends_is_read_wherever_it_is_split(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
            with_length in any::<bool>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream = served(&pieces, with_length);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let parts: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&parts), (pieces.concat(), true));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_trouble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_head(&[b"HTTP/1.1 200 OK\r\n", bytes.as_slice()].concat());
        }
    }
}

//! Whether a server answers its ready page: one plain HTTP request, so that nothing but a socket is needed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// How long a look may take: a server that is busy loading answers late, or never.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than any status line holds.
const MOST_BYTES: u64 = 4096;

/// Whether anybody listens on a port of this machine.
pub(super) fn is_taken(port: u16) -> bool {
    TcpStream::connect_timeout(&address(port), PATIENCE).is_ok()
}

/// Asks the page.
///
/// # Errors
/// In words, why the server is not ready.
pub(super) fn look(port: u16, page: &str) -> Result<(), String> {
    let told = status(port, page).map_err(|error| format!("`GET {page}`: {error}"))?;
    let is_success = told
        .split_ascii_whitespace()
        .nth(1)
        .is_some_and(|code| code.starts_with('2'));
    if is_success && told.starts_with("HTTP/1.") {
        return Ok(());
    }
    Err(format!("`GET {page}` said `{}`", told.trim()))
}

/// The first line of the answer.
fn status(port: u16, page: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address(port), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {page} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(MOST_BYTES)).read_line(&mut line)?;
    Ok(line)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Looks at a server that answers with these bytes.
    fn looked(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let told = look(port, "/health");
        server.join().unwrap();
        told
    }

    #[test]
    fn a_success_is_ready_and_nothing_else_is() {
        assert_eq!(looked("HTTP/1.1 200 OK\r\n\r\n"), Ok(()));
        assert_eq!(looked("HTTP/1.0 204 No Content\r\n\r\n"), Ok(()));
        for (answer, reason) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n",
                "said `HTTP/1.1 503 Service Unavailable`",
            ),
            ("SSH-2.0-OpenSSH\r\n", "said `SSH-2.0-OpenSSH`"),
            ("", "said ``"),
        ] {
            let error = looked(answer).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_port_is_taken_while_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_taken(port));
        drop(listener);
        assert!(!is_taken(port));
        assert!(look(port, "/").unwrap_err().contains("`GET /`"));
    }
}

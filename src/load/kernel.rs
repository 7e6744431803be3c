//! What only the system can tell of a socket: when the kernel had the bytes, and whether there is news.
//!
//! Linux stamps each segment as it comes in. A read that takes several gets the stamp of the last one, and so does a
//! segment that the kernel has joined to the one before it because nobody had read that yet: the last token of a read is
//! stamped exactly, an earlier one too late, but never later than the read itself was.

use std::{
    io,
    task::{Context, Poll, ready},
};

use tokio::net::TcpStream;

/// Asks for stamps; a system without them is read without.
#[cfg(target_os = "linux")]
pub(super) fn ask_for_stamps(tcp: &TcpStream) {
    use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
    let _ = setsockopt(tcp, ReceiveTimestampns, &true);
}

/// Waits for bytes; tells how many came, and when the kernel had the last of them by the wall clock, since 1970.
#[cfg(target_os = "linux")]
pub(super) fn poll_read(
    tcp: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<(usize, Option<u64>)>> {
    loop {
        ready!(tcp.poll_read_ready(cx))?;
        let mut short = None;
        let tried = tcp.try_io(tokio::io::Interest::READABLE, || {
            let (count, kernel_ns) = receive(tcp, buffer)?;
            if 0 < count && count < buffer.len() {
                // The socket is empty now; saying so saves a read that would find nothing (tokio's own reads do the same).
                short = Some((count, kernel_ns));
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok((count, kernel_ns))
        });
        match (short, tried) {
            (Some(read), _) => return Poll::Ready(Ok(read)),
            (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            (None, tried) => return Poll::Ready(tried),
        }
    }
}

/// Room for one stamp, placed as the kernel's structures need it.
#[cfg(target_os = "linux")]
#[repr(align(8))]
struct Control([u8; 64]);

/// Reads once what is there, from a connection that does not block; count and stamp as in [`poll_read`].
#[cfg(target_os = "linux")]
pub(super) fn receive(tcp: &impl std::os::fd::AsRawFd, buffer: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
    use std::io::IoSliceMut;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

    let mut control = Control([0; 64]);
    let mut parts = [IoSliceMut::new(buffer)];
    let fd = tcp.as_raw_fd();
    let message = recvmsg::<()>(fd, &mut parts, Some(&mut control.0), MsgFlags::empty())?;
    let stamp_ns = |part| match part {
        ControlMessageOwned::ScmTimestampns(time) => u64::try_from(std::time::Duration::from(time).as_nanos()).ok(),
        _ => None,
    };
    let kernel_ns = message.cmsgs().ok().and_then(|mut parts| parts.find_map(stamp_ns));
    Ok((message.bytes, kernel_ns.filter(|at_ns| *at_ns > 0)))
}

/// Asks for stamps; this system has none.
#[cfg(not(target_os = "linux"))]
pub(super) fn ask_for_stamps(_tcp: &TcpStream) {}

/// Waits for bytes; tells how many came.
#[cfg(not(target_os = "linux"))]
pub(super) fn poll_read(
    tcp: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<(usize, Option<u64>)>> {
    loop {
        ready!(tcp.poll_read_ready(cx))?;
        match tcp.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return Poll::Ready(read.map(|count| (count, None))),
        }
    }
}

/// Whether nothing has arrived, not even the end of the stream; asks the system itself.
#[cfg(unix)]
pub(super) fn is_silent(tcp: &TcpStream, _cx: &mut Context<'_>) -> bool {
    is_empty(tcp)
}

/// Whether nothing has arrived, not even the end of the stream.
#[cfg(unix)]
pub(super) fn is_empty(tcp: &impl std::os::fd::AsRawFd) -> bool {
    use nix::{
        errno::Errno,
        sys::socket::{MsgFlags, recv},
    };

    recv(tcp.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK) == Err(Errno::EAGAIN)
}

/// Whether nothing has arrived, not even the end of the stream, as far as it has come round to us.
#[cfg(not(unix))]
pub(super) fn is_silent(tcp: &TcpStream, cx: &mut Context<'_>) -> bool {
    tcp.poll_peek(cx, &mut tokio::io::ReadBuf::new(&mut [0])).is_pending()
}

/// Raises the number of connections that this process may hold to what the system allows; failing that, it stays.
#[cfg(unix)]
pub(super) fn allow_many_connections() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Raises the number of connections that this process may hold; this system has no such limit.
#[cfg(not(unix))]
pub(super) fn allow_many_connections() {}

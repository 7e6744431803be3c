//! What any client pays: one thread with epoll reads each token as it comes, with the kernel's stamp, and parses nothing.
//!
//! It sends the same work to the same server over as many connections as perfgate has streams, each its next request
//! when the one before it is answered; where perfgate's requests come spread over time, so do the first ones here.

use std::{
    io::{IoSliceMut, Write as _},
    net::TcpStream,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        resource::{Resource, getrlimit, setrlimit},
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
    },
    time::ClockId,
};

use super::Case;

/// As many bytes as perfgate sends for 128 tokens.
const REQUEST_BYTES: usize = 900;

/// Events that one look may bring, as in tokio.
const EVENTS: usize = 1024;

/// CPU seconds per million tokens; sending the requests and waiting for answers are in it.
pub(crate) fn cpu_s_per_million(url: &str, case: &Case, is_burst: bool) -> f64 {
    let address = url.strip_prefix("http://").unwrap();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let mut streams: Vec<Stream> = (0..case.streams).map(|_| Stream::open(address)).collect();
    for (place, stream) in streams.iter().enumerate() {
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(&stream.tcp, EpollEvent::new(interest, place as u64)).unwrap();
    }
    let answer_s = 0.05 + f64::from(case.gap_ms) / 1e3 * f64::from(case.tokens - 1);
    let spread_s = if is_burst { 0.0 } else { answer_s };
    // A young connection is acknowledged differently.
    read_all(&epoll, &mut streams, 1, Duration::ZERO);
    let used = cpu_time();
    read_all(&epoll, &mut streams, case.answers, Duration::from_secs_f64(spread_s));
    let used_s = cpu_time().saturating_sub(used).as_secs_f64();
    used_s / f64::from(case.streams * case.answers * case.tokens) * 1e6
}

fn cpu_time() -> Duration {
    Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap())
}

/// Reads all answers; the streams begin one after another over this time.
fn read_all(epoll: &Epoll, streams: &mut [Stream], answers: u32, spread: Duration) {
    for stream in &mut *streams {
        stream.left = answers;
    }
    let (mut events, mut buffer) = (vec![EpollEvent::empty(); EVENTS], vec![0; 256 << 10]);
    let (begun, pause) = (Instant::now(), spread / u32::try_from(streams.len()).unwrap());
    let (mut started, mut ended, mut stamps_ns) = (0, 0, 0);
    while ended < streams.len() {
        while started < streams.len() && begun.elapsed() >= pause * u32::try_from(started).unwrap() {
            streams.get_mut(started).unwrap().ask();
            started += 1;
        }
        let timeout = if started < streams.len() {
            1_u8.into()
        } else {
            EpollTimeout::NONE
        };
        let count = epoll.wait(&mut events, timeout).unwrap();
        for event in events.get(..count).unwrap() {
            let stream = streams.get_mut(usize::try_from(event.data()).unwrap()).unwrap();
            stamps_ns += stream.read(&mut buffer);
            ended += usize::from(stream.is_over());
        }
    }
    assert!(stamps_ns > 0, "the kernel stamps what it reads");
}

/// One connection and the answers that are still to come on it.
struct Stream {
    tcp: TcpStream,
    left: u32,
}

impl Stream {
    fn open(address: &str) -> Self {
        let tcp = TcpStream::connect(address).unwrap();
        tcp.set_nodelay(true).unwrap();
        setsockopt(&tcp, ReceiveTimestampns, &true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        Self { tcp, left: 0 }
    }

    fn ask(&mut self) {
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {REQUEST_BYTES}\r\n\r\n");
        let request = [head.as_bytes(), &[b' '; REQUEST_BYTES]].concat();
        (&self.tcp).write_all(&request).unwrap();
    }

    fn is_over(&self) -> bool {
        self.left == 0
    }

    /// One read, as the news said; the kernel's stamp of what it brought.
    fn read(&mut self, buffer: &mut [u8]) -> i64 {
        let mut control = Control([0; 64]);
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.tcp.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut parts, Some(&mut control.0), MsgFlags::empty()).unwrap();
        let count = message.bytes;
        let stamp_ns = message.cmsgs().unwrap().find_map(|part| match part {
            ControlMessageOwned::ScmTimestampns(time) => Some(time.tv_nsec()),
            _ => None,
        });
        if buffer.get(..count).unwrap().ends_with(b"0\r\n\r\n") {
            self.left -= 1;
            if self.left > 0 {
                self.ask();
            }
        }
        stamp_ns.unwrap_or(0)
    }
}

#[repr(align(8))]
struct Control([u8; 64]);

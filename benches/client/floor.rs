//! What any client pays: one thread with epoll reads each token as it comes, with the kernel's stamp, and parses nothing.
//!
//! It sends the same work to the same server over as many connections as perfgate has streams, each its next request
//! when the one before it is answered; where perfgate's requests come spread over time, so do the first ones here.

use std::{
    io::{IoSliceMut, Write as _},
    net::TcpStream,
    os::fd::AsRawFd,
    thread,
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
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let address = url.strip_prefix("http://").unwrap();
    let streams: Vec<TcpStream> = (0..case.streams).map(|_| connect(address)).collect();
    let mut reader = Reader::new(&streams);
    // A young connection is acknowledged differently.
    measured(&mut reader, 1, &moments(case.streams, Duration::ZERO));
    let answer_s = 0.05 + f64::from(case.gap_ms) / 1e3 * f64::from(case.tokens - 1);
    let spread = Duration::from_secs_f64(if is_burst { 0.0 } else { answer_s });
    let used = measured(&mut reader, case.answers, &moments(case.streams, spread));
    used.as_secs_f64() / f64::from(case.streams * case.answers * case.tokens) * 1e6
}

fn connect(address: &str) -> TcpStream {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_nodelay(true).unwrap();
    setsockopt(&tcp, ReceiveTimestampns, &true).unwrap();
    tcp.set_nonblocking(true).unwrap();
    tcp
}

/// So many moments within a time, without any beat that the tokens' could fall in with; in order.
fn moments(count: u32, within: Duration) -> Vec<Duration> {
    let mut seed = 42_u64;
    let mut moments: Vec<Duration> = (0..count)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            within.mul_f64((seed >> 33) as f64 / f64::from(1_u32 << 31))
        })
        .collect();
    moments.sort();
    moments
}

/// CPU time of sending this many requests on each stream, the first ones at these moments, and of reading the answers.
fn measured(reader: &mut Reader<'_>, answers: u32, moments: &[Duration]) -> Duration {
    let streams = reader.streams;
    thread::scope(|scope| {
        let begun = Instant::now();
        let sender = scope.spawn(move || {
            for (tcp, moment) in streams.iter().zip(moments) {
                thread::sleep(moment.saturating_sub(begun.elapsed()));
                ask(tcp);
            }
            cpu_time()
        });
        let before = cpu_time();
        reader.read_all(answers);
        cpu_time().saturating_sub(before) + sender.join().unwrap()
    })
}

fn cpu_time() -> Duration {
    Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap())
}

fn ask(mut tcp: &TcpStream) {
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {REQUEST_BYTES}\r\n\r\n");
    tcp.write_all(&[head.as_bytes(), &[b' '; REQUEST_BYTES]].concat())
        .unwrap();
}

struct Reader<'a> {
    epoll: Epoll,
    streams: &'a [TcpStream],
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(streams: &'a [TcpStream]) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        for (place, tcp) in streams.iter().enumerate() {
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            epoll.add(tcp, EpollEvent::new(interest, place as u64)).unwrap();
        }
        Self {
            epoll,
            streams,
            buffer: vec![0; 256 << 10],
        }
    }

    /// Reads this many answers on each stream, and asks for all but the first of them.
    fn read_all(&mut self, answers: u32) {
        let mut left = vec![answers; self.streams.len()];
        let mut events = vec![EpollEvent::empty(); EVENTS];
        let mut open = left.len();
        while open > 0 {
            let count = self.epoll.wait(&mut events, EpollTimeout::NONE).unwrap();
            for event in events.get(..count).unwrap() {
                let place = usize::try_from(event.data()).unwrap();
                let (tcp, left) = (self.streams.get(place).unwrap(), left.get_mut(place).unwrap());
                if self.read(tcp) {
                    *left -= 1;
                    match left {
                        0 => open -= 1,
                        _ => ask(tcp),
                    }
                }
            }
        }
    }

    /// One read, as the news said, and the kernel's stamp of what it brought; whether an answer has ended.
    fn read(&mut self, tcp: &TcpStream) -> bool {
        let mut control = Control([0; 64]);
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let message = recvmsg::<()>(tcp.as_raw_fd(), &mut parts, Some(&mut control.0), MsgFlags::empty()).unwrap();
        let is_stamp = |part| matches!(part, ControlMessageOwned::ScmTimestampns(_));
        assert!(
            message.cmsgs().unwrap().any(is_stamp),
            "the kernel stamps what it reads"
        );
        let count = message.bytes;
        self.buffer.get(..count).unwrap().ends_with(b"0\r\n\r\n")
    }
}

#[repr(align(8))]
struct Control([u8; 64]);

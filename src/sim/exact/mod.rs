//! A server of exact timing: it answers at stated times, whatever is asked, and keeps the true times of what it did.
//!
//! It measures a load generator, not an engine: `perfgate selftest`, the benches and the comparison with other tools all
//! talk to it. Every answer has a number of its own, sent as `usage.prompt_tokens`; `GET /truth` gives the server's own
//! stamps by that number, so that what is left over is the client's.
//!
//! | file | what lives there |
//! |---|---|
//! | `connection.rs` | reads requests, one thread a connection |
//! | `pacer.rs` | one thread that writes every token when it is due |
//! | `answer.rs` | the bytes of an answer |
//! | `truth.rs` | the true times, as a page and read back |

mod answer;
mod connection;
mod pacer;
mod truth;

use std::{
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

pub use truth::{Truth, truths};

use self::pacer::Pacer;
use super::SimError;

/// When the tokens of an answer come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactTiming {
    /// From the last byte of the request to the first token.
    pub ttft: Duration,
    /// From one token to the next.
    pub tpot: Duration,
}

impl Default for ExactTiming {
    /// 50 ms to the first token, 10 ms to each further one.
    fn default() -> Self {
        Self {
            ttft: Duration::from_millis(50),
            tpot: Duration::from_millis(10),
        }
    }
}

/// Reads `ttft=50ms,tpot=10ms`; what is not named stays at its default.
///
/// # Errors
/// A part that is neither, or no time from 0 to 60 s (`us`, `ms`, `s`).
pub fn parse_exact(text: &str) -> Result<ExactTiming, SimError> {
    let mut timing = ExactTiming::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let wrong = |problem: &str| SimError::Exact {
            part: part.to_owned(),
            problem: problem.to_owned(),
        };
        let (name, time) = part.split_once('=').ok_or_else(|| wrong("has no `=`"))?;
        let time = read_time(time).ok_or_else(|| wrong("is no time from 0 to 60 s"))?;
        match name.trim() {
            "ttft" => timing.ttft = time,
            "tpot" => timing.tpot = time,
            _ => return Err(wrong("is neither `ttft` nor `tpot`")),
        }
    }
    Ok(timing)
}

fn read_time(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit_s) = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let seconds = number.trim().parse::<f64>().ok()? * unit_s;
    (0.0..=60.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// What all threads of the server share.
#[derive(Debug)]
struct Shared {
    timing: ExactTiming,
    pacer: Pacer,
    truths: Mutex<Vec<Truth>>,
    /// Open connections, to close them when the server stops.
    open: Mutex<Vec<Arc<TcpStream>>>,
    stopped: AtomicBool,
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// A running server of exact timing; dropping it closes its connections and stops its threads.
#[derive(Debug)]
pub struct ExactServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl ExactServer {
    /// Listens on `addr` (port 0: any free port).
    ///
    /// # Errors
    /// [`SimError`] when the address is taken or a thread cannot be started.
    pub fn start(timing: ExactTiming, addr: SocketAddr) -> Result<Self, SimError> {
        let failed = |source| SimError::Listen { addr, source };
        let listener = TcpListener::bind(addr).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            timing,
            pacer: Pacer::default(),
            truths: Mutex::default(),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let mut server = Self {
            addr,
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        let paced = Arc::clone(&shared);
        server.spawn("exact-pacer", move || pacer::play(&paced))?;
        server.spawn("exact-accept", move || connection::accept_all(&listener, &shared))?;
        Ok(server)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, such as `http://127.0.0.1:8000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), SimError> {
        self.threads.push(super::thread(name, work)?);
        Ok(())
    }
}

impl Drop for ExactServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.pacer.wake();
        for socket in locked(&self.shared.open).drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts, which then sees that it is over.
        let _ = TcpStream::connect(self.addr);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_is_read_as_it_is_written() {
        let ms = Duration::from_millis;
        for (text, ttft, tpot) in [
            ("ttft=50ms,tpot=10ms", ms(50), ms(10)),
            ("tpot = 2 ms", ms(50), ms(2)),
            ("ttft=0s,tpot=250us", ms(0), Duration::from_micros(250)),
            ("", ms(50), ms(10)),
        ] {
            assert_eq!(parse_exact(text).unwrap(), ExactTiming { ttft, tpot }, "{text}");
        }
    }

    #[test]
    fn timing_that_cannot_be_read_is_named() {
        for (text, problem) in [
            ("ttft", "`ttft` has no `=`"),
            ("ttft=5", "is no time"),
            ("ttft=-5ms", "is no time"),
            ("ttft=NaNs", "is no time"),
            ("tpot=61s", "is no time"),
            ("itl=5ms", "is neither"),
        ] {
            let message = parse_exact(text).unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }
}

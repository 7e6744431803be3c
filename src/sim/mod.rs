//! The embedded inference engine: continuous batching behind an HTTP server that speaks every API we measure.
//!
//! It is what `perfgate sim`, `perfgate demo` and the tests measure, over a socket like any other engine.
//!
//! | file | what lives there |
//! |---|---|
//! | `engine.rs` | [`EngineConfig`]: every setting, its default and its range |
//! | `slow.rs` | [`Slowdown`]: planted changes, `tpot=12%,ttft=5%` |
//! | `step.rs` | the model: how long a step and a queue entry take |
//! | `scheduler.rs` | who is in the next step: queue, batch, KV blocks; no clock |
//! | `prefix.rs` | which prompts have been seen: cached blocks need no prefill; no clock |
//! | `driver.rs` | the thread that plays the scheduler in real time |
//! | `metrics.rs` | counters and histograms as Prometheus text, with vLLM's names |
//! | `recorder.rs` | its own profiler: a Chrome trace of its steps |
//! | `tokens.rs` | counting words, and the seeded words of an answer |
//! | `route.rs` `ask.rs` `refusal.rs` | requests: paths, bodies, and how they are refused |
//! | `answer/` | answers as JSON, one small file an API |
//! | `stream.rs` | from the driver's tokens to the bytes of one answer |
//! | `http.rs` | routes |
//! | `exact/` | [`ExactServer`]: a server of exact timing, to measure load generators with |

mod answer;
mod ask;
mod driver;
mod engine;
mod exact;
mod http;
mod metrics;
mod prefix;
mod recorder;
mod refusal;
mod route;
mod scheduler;
mod slow;
mod step;
mod stream;
mod tokens;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::sync::{mpsc, oneshot};

pub use engine::{ApiKey, EngineConfig};
pub use exact::{ExactServer, ExactTiming, Truth, parse_exact, truths};
pub use slow::{Slowdown, parse_slow};

use driver::Driver;

/// Why an engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A planted change that cannot be read.
    #[error("slow-down `{part}` {problem}; write it like `tpot=12%` or `ttft=20%,tpot=5%` (negative is faster)")]
    Slow {
        /// The part of the text that is wrong.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting outside its range.
    #[error("engine setting `{setting}` is `{value}`; give {allowed}")]
    Setting {
        /// The field of [`EngineConfig`].
        setting: &'static str,
        /// The value it was given.
        value: String,
        /// The values it takes.
        allowed: String,
    },
    /// An exact timing that cannot be read.
    #[error("exact timing `{part}` {problem}; write it like `ttft=50ms,tpot=10ms`")]
    Exact {
        /// The part of the text that is wrong.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The address could not be listened on.
    #[error("the engine cannot listen on `{addr}`; choose another port, or port 0 for any free one")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread, the I/O runtime or a signal handler could not be had from the system.
    #[error("the engine cannot start its {what}")]
    System {
        /// What was asked of the system.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running engine; dropping it stops its threads, its listener and every open stream.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    driver: Arc<Driver>,
    stop_http: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts an engine that listens on `addr` (port 0: any free port) and answers once this returns.
    ///
    /// # Errors
    ///
    /// [`SimError`] when a setting is out of range, the address is taken or a thread cannot be started.
    pub fn start(config: EngineConfig, addr: SocketAddr) -> Result<Self, SimError> {
        config.check()?;
        let listen = |source| SimError::Listen { addr, source };
        let listener = TcpListener::bind(addr).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| SimError::System {
                what: "I/O runtime",
                source,
            })?;

        let (tokens_out, tokens_in) = mpsc::unbounded_channel();
        let (stop_http, stopped) = oneshot::channel();
        let driver = Arc::new(Driver::new(&config));
        let mut server = Self {
            addr,
            driver: Arc::clone(&driver),
            stop_http: Some(stop_http),
            threads: Vec::new(),
        };
        let model = Arc::clone(&driver);
        let times = step::StepTimes::new(&config);
        server.spawn("sim-engine", move || {
            // A closed channel means that the server is being dropped, which stops the driver as well.
            model.run(times, |emissions| drop(tokens_out.send(emissions)));
        })?;
        server.spawn("sim-http", move || {
            runtime.block_on(http::serve(
                listener,
                http::App::new(config, driver),
                tokens_in,
                stopped,
            ));
        })?;
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
        self.threads.push(thread(name, work)?);
        Ok(())
    }
}

/// A thread of its own.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, SimError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|source| SimError::System {
        what: "threads",
        source,
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        self.driver.stop();
        if let Some(stop) = self.stop_http.take() {
            // The HTTP thread may have ended already; then there is nobody left to tell.
            let _ = stop.send(());
        }
        for thread in self.threads.drain(..) {
            // A panic in a thread has been reported by the panic hook; dropping must not add a second one.
            let _ = thread.join();
        }
    }
}

/// Waits for Ctrl-C or a polite kill (`SIGTERM`).
///
/// # Errors
///
/// [`SimError::System`] when the signal cannot be listened for.
pub fn wait_for_stop() -> Result<(), SimError> {
    let system = |source| SimError::System {
        what: "signal handler",
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system)?;
    runtime.block_on(stop_signal()).map_err(system)
}

#[cfg(unix)]
async fn stop_signal() -> std::io::Result<()> {
    let mut polite = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = polite.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

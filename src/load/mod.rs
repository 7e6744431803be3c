//! The load generator: when, what, which API, how; its product is one measured run.
//!
//! | file | what lives there |
//! |---|---|
//! | `random.rs` | seeded random streams: the same stimulus on every machine |
//! | `schedule/` | when: what a run sends at which time, before its first request |
//! | `workload/` | what: the prompts and answer lengths of every place of a session |
//! | `synthetic.rs`, `prefix.rs`, `vocabulary.rs`, `lengths.rs` | prompts made from the seed, of an exact length |
//! | `tokenizer.rs`, `tokenize.rs` | who counts tokens: a file, or the server |
//! | `dataset/`, `hash.rs` | prompts from a file |
//! | `trace/` | what and when, as it once came to a real server |
//! | `mix.rs`, `image.rs` | models that share the requests, pictures in them |
//! | `dialect/` | which API: paths, request bodies, and what an answer says; one small file an API |
//! | `sse.rs` | bytes to events |
//! | `answer.rs`, `server_words.rs` | an answer and its stamps to one outcome, with the server's own message |
//! | `told.rs`, `belief.rs` | token counts as the events tell them, and those that cannot be true |
//! | `endpoint.rs`, `tls.rs`, `pinned.rs`, `hidden.rs` | address and headers, whom to trust, secrets taken out of texts |
//! | `lookup.rs`, `forbidden.rs` | where a name leads, and where no request or key may go |
//! | `wire.rs`, `pool.rs`, `http2.rs`, `lane.rs`, `ways.rs` | a stamped stream, connections kept open, one request's share |
//! | `clock.rs`, `kernel.rs`, `stamp.rs` | when bytes arrived |
//! | `readers.rs`, `event_loop.rs`, `seat.rs`, `turn.rs`, `socket.rs` | who waits for a connection: a loop of ours, or the runtime |
//! | `threads.rs`, `effort.rs` | the generator's own threads, what a run costs the machine that sends it |
//! | `http1.rs`, `framing.rs` | the head of an HTTP/1 answer, and where its body ends |
//! | `client.rs`, `deadline.rs`, `fleet.rs` | one request; which replica gets it, and what if it refuses |
//! | `runner.rs`, `closed.rs`, `open.rs`, `pacer.rs`, `courier.rs`, `tally.rs` | the loops of one run |
//! | `batch.rs` | a run as long as a search needs it |
//! | `blocks.rs` | a run with rests between its parts |
//! | `first.rs` | the first answer of a server that was just started |
//! | `warmup.rs`, `cache.rs` | what comes before a run: a warm server, an empty prefix cache |
//! | `probe.rs`, `pages.rs` | which engine, which models; the pages on which it tells how it is doing |
//! | `profiler.rs` | the engine's own profiler, outside of what is measured |
//! | `counted.rs` | numbers with their nouns |
//! | `interrupt.rs`, `in_flight.rs` | Ctrl-C, requests under way |

mod answer;
mod batch;
mod belief;
mod blocks;
mod cache;
mod client;
mod clock;
mod closed;
mod counted;
mod courier;
mod dataset;
mod deadline;
mod dialect;
mod effort;
mod endpoint;
#[cfg(target_os = "linux")]
mod event_loop;
mod first;
mod fleet;
mod forbidden;
mod framing;
#[cfg(fuzzing)]
mod fuzzing;
mod hash;
mod hidden;
mod http1;
mod http2;
mod image;
mod in_flight;
mod interrupt;
mod kernel;
mod lane;
mod lengths;
mod lookup;
mod mix;
mod open;
mod pacer;
mod pages;
mod parts;
mod pinned;
mod pool;
mod prefix;
mod probe;
mod profiler;
mod random;
mod readers;
#[cfg(target_os = "linux")]
mod rest;
mod runner;
mod schedule;
#[cfg(target_os = "linux")]
mod seat;
mod server_words;
mod socket;
mod sse;
mod stamp;
mod synthetic;
mod tally;
mod threads;
mod tls;
mod tokenize;
mod tokenizer;
mod told;
mod trace;
#[cfg(target_os = "linux")]
mod turn;
mod vocabulary;
mod warmup;
mod ways;
mod wire;
mod workload;

use std::path::PathBuf;

pub use batch::Batch;
pub use blocks::BlockedRun;
pub use first::NoAnswer;
#[cfg(fuzzing)]
pub use fuzzing::answered;
pub use in_flight::{InFlight, Watch};
pub use interrupt::Interrupt;
pub use lookup::is_private;
pub use pages::MetricsPages;
pub use probe::Probe;
pub use profiler::ProfilerTrouble;
pub use runner::{Made, Runner, Stopped};
pub use schedule::units_per_run;
pub use workload::PromptSet;

/// Why a load cannot be generated at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Prompts that only another tool knows.
    #[error("the prompts `{name}` are those of another tool, whose result was imported; perfgate cannot send them")]
    Foreign {
        /// What the plan calls them.
        name: String,
    },
    /// The dataset is not readable.
    #[error("cannot read dataset `{path}`; give `dataset` the path of a JSONL, JSON or CSV file, or `synthetic`", path = path.display())]
    DatasetUnreadable {
        /// The file, resolved.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The dataset holds no row.
    #[error("dataset `{path}` holds no prompt; give one JSON object a line", path = path.display())]
    DatasetEmpty {
        /// The file, resolved.
        path: PathBuf,
    },
    /// A row of the dataset cannot be sent.
    #[error("dataset `{path}`, line {line}: {problem}", path = path.display())]
    DatasetRow {
        /// The file, resolved.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what to give instead.
        problem: String,
    },
    /// The trace is not readable.
    #[error("cannot read trace `{path}`; give `trace` the path of a JSONL or CSV file", path = path.display())]
    TraceUnreadable {
        /// The file, resolved.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The trace holds no row that can be sent.
    #[error("trace `{path}` holds no request; give one row a line", path = path.display())]
    TraceEmpty {
        /// The file, resolved.
        path: PathBuf,
    },
    /// A row of the trace cannot be sent.
    #[error("trace `{path}`, line {line}: {problem}", path = path.display())]
    TraceRow {
        /// The file, resolved.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what to give instead.
        problem: String,
    },
    /// The tokenizer in a file cannot be used.
    #[error("tokenizer `{path}`: {problem}", path = path.display())]
    Tokenizer {
        /// The file, resolved.
        path: PathBuf,
        /// What is wrong, and what to give instead.
        problem: String,
    },
    /// The server does not count tokens as the plan asks it to.
    #[error("cannot count the tokens of prompts: {problem}; give `tokenizer: auto`, `words`, or a `tokenizer.json`")]
    Tokens {
        /// Who does not, and why.
        problem: String,
    },
    /// A page of metrics cannot be asked for.
    #[error("page of metrics `{url}`: {problem}")]
    Metrics {
        /// Its address.
        url: String,
        /// What is wrong, and what to give instead.
        problem: String,
    },
    /// The target's address cannot be used.
    #[error("target url `{url}`: {problem}")]
    Url {
        /// The address without user name and password.
        url: String,
        /// What is wrong, and what to give instead.
        problem: String,
    },
    /// A header cannot be sent.
    #[error("header `{name}`: {problem}")]
    Header {
        /// The header's name; its value is a secret.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file of certificate authorities cannot be used.
    #[error("cannot use `target.ca_file` `{path}`: {problem}; give a PEM file of certificates")]
    CaFile {
        /// As configured.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// An extra body field cannot be sent.
    #[error("`extra_body.{field}`: {problem}")]
    ExtraBody {
        /// The field.
        field: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A plan without requests.
    #[error("`{key}` is `{value}`; give {wanted}")]
    Plan {
        /// The key in the plan.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        wanted: &'static str,
    },
    /// The server does not empty its prefix cache.
    #[error(
        "`POST {path}` did not reset the prefix cache: {problem}; give `cache_reset` the path of a page that does, or `off`"
    )]
    CacheReset {
        /// The page.
        path: String,
        /// What it said.
        problem: String,
    },
    /// The shards of a run did not come together.
    #[error("{0}")]
    Shards(String),
    /// The machine refuses what the generator needs.
    #[error("cannot set up {what}")]
    Setup {
        /// What could not be set up.
        what: &'static str,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

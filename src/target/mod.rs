//! Servers under test that we start: a process group with a log, awaited on its ready page, stopped with all its children.

mod build;
mod holder;
mod leftovers;
mod log;
mod ready;
mod record;
mod server;

use std::{io, net::TcpListener, path::PathBuf, time::Duration};

pub use self::{
    build::Build,
    holder::of_gpus,
    leftovers::{Leftover, Swept, sweep},
    server::{Server, Start},
};
pub use crate::process::stop_all;

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Its program cannot be started.
    #[error("cannot start the {name}'s server `{program}`; give a program that is there, with its path")]
    NotStarted {
        /// Whose server.
        name: &'static str,
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else listens where it would.
    #[error("cannot start the {name}'s server: port {port} is taken{by}, or give another port")]
    PortTaken {
        /// Whose server.
        name: &'static str,
        /// The port.
        port: u16,
        /// By whom, and what to do about it, as the end of a sentence.
        by: String,
    },
    /// It ended by itself.
    #[error("the {name}'s server {how}{}", told(log, tail))]
    Ended {
        /// Whose server.
        name: &'static str,
        /// How (`ended with exit status: 1`).
        how: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// It runs, but is not ready in time.
    #[error(
        "the {name}'s server was not ready within {} s: {problem}; give `ready` its page, or more `start_timeout`{}",
        within.as_secs_f64(), told(log, tail)
    )]
    NotReady {
        /// Whose server.
        name: &'static str,
        /// How long it was waited for.
        within: Duration,
        /// What its ready page said.
        problem: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// It is ready, and gives no answer.
    #[error("the {name}'s server is ready, but gives no answer: {problem}{}", told(log, tail))]
    NoAnswer {
        /// Whose server.
        name: &'static str,
        /// The server's own words, or what became of the request.
        problem: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// It is not what was built.
    #[error(
        "the {name}'s server is not what was built: {from} says `{said}`, and `{expected}` should stand there; see what its \
         command starts (an installed package, an older image?), or mend `version`"
    )]
    OtherVersion {
        /// Whose server.
        name: &'static str,
        /// Where it says so.
        from: String,
        /// What it says.
        said: String,
        /// What it should hold.
        expected: String,
    },
    /// It could not be made as new.
    #[error("the {name}'s server could not be reset: {problem}{}", told(log, tail))]
    NotReset {
        /// Whose server.
        name: &'static str,
        /// What happened.
        problem: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// Its log cannot be written.
    #[error("cannot write the log `{}` of the {name}'s server", log.display())]
    Log {
        /// Whose server.
        name: &'static str,
        /// Its log.
        log: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The program of a build cannot be started.
    #[error("cannot start the build `{program}` in `{}`; give a program that is there, with its path", workdir.display())]
    BuildNotStarted {
        /// The program.
        program: String,
        /// Its folder.
        workdir: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A build did not end as it should.
    #[error("the build `{program}` {how}{}", told(log, tail))]
    BuildFailed {
        /// The program.
        program: String,
        /// How (`ended with exit status: 2`).
        how: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// The log of a build cannot be written.
    #[error("cannot write the log `{}` of the build", log.display())]
    BuildLog {
        /// The log.
        log: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The end of a message: where the log is, and its last lines.
fn told(log: &std::path::Path, tail: &str) -> String {
    match tail {
        "" => format!("; its log `{}` has no line of this start", log.display()),
        tail => format!("; the end of its log `{}`:\n{tail}", log.display()),
    }
}

/// A port of this machine on which nobody listens.
///
/// # Errors
/// The system has none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

//! The search by `git bisect run`: git chooses the commits, and asks for each whether it is good or bad.
//!
//! What git runs is `perfgate bisect-step SOCKET`, which asks this process and ends with its answer: what the search knows,
//! its keys included, stays here, and nothing of it is on a command line.

use super::{
    Asked, History, Kept,
    ends::Ends,
    hunt::{Heard, Hunt, INTERRUPTED, by_posterior, found, why_stop},
    short,
    stand::{Bench, Stands},
};
use crate::{
    bisect::{MOST_RUNS_OF_ONE, Sequential, State, Strategy},
    commands::{CommandError, Done},
    git::Checkout,
    store::Found,
};

/// What `git bisect run` reads in the exit code of its command.
const GOOD: u8 = 0;
const BAD: u8 = 1;
const SKIP: u8 = 125;
const ABORT: u8 = 128;

/// Finds the commit as git chooses them.
///
/// # Errors
/// What is no commit's fault.
pub(super) fn hunt(
    (bench, stands): (&Bench<'_>, &mut Stands),
    (history, ends): (&History, &Ends),
    asked: &Asked,
    kept: &mut Kept,
) -> Result<Found, CommandError> {
    let checkout = stands.probe.checkout();
    start(&checkout, history, asked)?;
    let mut questions = Questions {
        hunt: Hunt::of((history, ends), kept)?,
        stopped: None,
    };
    let mut answer = |commit: &str| questions.answer(commit, (bench, stands), (history, ends), (asked, kept));
    let ran = served::run(&checkout, bench, &mut answer);
    let stopped = questions.stopped.take();
    let log = checkout.git(&["bisect", "log"]).ok();
    let is_sharp = questions.hunt.search.finding().is_sharp;
    let found = match (stopped, ran) {
        (Some(stopped), _) => found(&questions.hunt.search, history, Strategy::Git, Some(stopped)),
        (None, Err(_)) if bench.interrupt.is_set() => found(
            &questions.hunt.search,
            history,
            Strategy::Git,
            Some(INTERRUPTED.to_owned()),
        ),
        (None, Err(error)) => return Err(error),
        // What git believes is right in 95 of 100 for all its answers together; here it has to be for the commit.
        (None, Ok(())) if !is_sharp => Found {
            strategy: Strategy::Git.name().to_owned(),
            ..by_posterior((bench, stands), (history, ends), asked, kept)?
        },
        (None, Ok(())) => found(&questions.hunt.search, history, Strategy::Git, None),
    };
    Ok(Found { git_log: log, ..found })
}

fn start(checkout: &Checkout, history: &History, asked: &Asked) -> Result<(), CommandError> {
    let mut args = vec!["bisect", "start"];
    if asked.first_parent {
        args.push("--first-parent");
    }
    args.extend([history.bad.as_str(), history.good.as_str()]);
    tidy(checkout)?;
    checkout.git(&args)?;
    Ok(())
}

/// What a build changed of the files that are git's would be in the way of its next checkout.
fn tidy(checkout: &Checkout) -> Result<(), CommandError> {
    checkout.git(&["reset", "--quiet", "--hard"])?;
    Ok(())
}

/// `git bisect log` of a search whose commits git did not choose: what each that was measured is, as far as it is known.
///
/// # Errors
/// When git fails.
pub(super) fn log(
    checkout: &Checkout,
    (history, kept): (&History, &Kept),
    hunt: &Hunt,
    asked: &Asked,
) -> Result<String, CommandError> {
    let mut args = vec!["bisect", "start", "--no-checkout"];
    if asked.first_parent {
        args.push("--first-parent");
    }
    args.extend([history.bad.as_str(), history.good.as_str()]);
    checkout.git(&args)?;
    for (place, held) in hunt.search.held().into_iter().enumerate() {
        let Some(commit) = history.commit(place).filter(|commit| commit.id != history.bad) else {
            continue;
        };
        let is_measured = kept.bisection.runs.iter().any(|run| run.commit == commit.id);
        let is_skipped = kept.bisection.skipped.iter().any(|skipped| skipped.commit == commit.id);
        let word = match held {
            _ if is_skipped => "skip",
            held if is_measured && held > KNOWN => "bad",
            held if is_measured && held < 1.0 - KNOWN => "good",
            _ => continue,
        };
        // Where git holds what was said before to answer this already, it says so and the log stands as it is.
        let _ = checkout.git(&["bisect", word, &commit.id]);
    }
    let log = checkout.git(&["bisect", "log"])?;
    checkout.git(&["bisect", "reset", "HEAD"])?;
    Ok(log)
}

/// A checkout that holds the first bad commit with this chance is called bad.
const KNOWN: f64 = 0.95;

/// What git asks, and what is answered.
struct Questions {
    hunt: Hunt,
    /// Why it was us who stopped, if so.
    stopped: Option<String>,
}

impl Questions {
    /// The exit code for a commit.
    fn answer(
        &mut self,
        commit: &str,
        (bench, stands): (&Bench<'_>, &mut Stands),
        (history, ends): (&History, &Ends),
        (asked, kept): (&Asked, &mut Kept),
    ) -> Result<u8, CommandError> {
        let Some(place) = history.place_of(commit) else {
            self.stopped = Some(format!("git asks for {}, which is none of the range", short(commit)));
            return Ok(ABORT);
        };
        if kept.bisection.skipped.iter().any(|skipped| skipped.commit == commit) {
            return Ok(SKIP);
        }
        loop {
            let (values, effect) = self.hunt.of_commit(place);
            let (mut sequential, runs) = (Sequential::new(effect, history.commits.len()), values.len());
            for value in values {
                sequential.measured(value);
            }
            match sequential.state() {
                State::Good => return Ok(GOOD),
                State::Bad => return Ok(BAD),
                State::Open => {}
            }
            if u32::try_from(runs).is_ok_and(|runs| runs >= MOST_RUNS_OF_ONE) {
                let why = format!("neither good nor bad after {runs} runs");
                self.hunt.skip((place, commit), &why, kept, bench.console)?;
                return Ok(SKIP);
            }
            if let Some(why) = why_stop(asked, self.hunt.runs, bench) {
                self.stopped = Some(why);
                return Ok(ABORT);
            }
            self.hunt.anchor_if_due((bench, stands), (history, ends), kept)?;
            let outcome = stands.probe.run(bench, commit, ends.place())?;
            match self
                .hunt
                .heard((place, commit), outcome, (history, ends), (kept, bench.console))?
            {
                Heard::Value => {}
                Heard::Nothing => return Ok(SKIP),
                Heard::Interrupted => {
                    self.stopped = Some(INTERRUPTED.to_owned());
                    return Ok(ABORT);
                }
            }
        }
    }
}

/// What git runs for each commit: asks the search at this socket, and ends as it says.
///
/// Any trouble is 128, at which git stops: none of it says anything of the commit.
pub fn step(socket: &std::path::Path) -> Done {
    let code = served::ask(socket).unwrap_or(ABORT);
    Done {
        text: String::new(),
        exit_code: code,
    }
}

#[cfg(unix)]
mod served {
    use std::{
        env, fs,
        io::{self, Read, Write},
        os::unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
        path::{Path, PathBuf},
        process, thread,
        time::Duration,
    };

    use super::ABORT;
    use crate::{
        commands::{
            CommandError,
            bisect::{stand::Bench, temporary},
        },
        git::{Call, Checkout, GitError},
    };

    /// Between two looks for a question.
    const WAIT: Duration = Duration::from_millis(10);

    /// Where questions come in; gone with this.
    struct Desk {
        folder: PathBuf,
        listener: UnixListener,
    }

    impl Desk {
        /// In a folder that nobody else may enter.
        fn open() -> io::Result<Self> {
            let folder = temporary().join(format!("perfgate-ask-{}-{:x}", process::id(), now_ns()));
            fs::DirBuilder::new().mode(0o700).create(&folder)?;
            let listener = UnixListener::bind(folder.join("s"));
            let desk = listener.map(|listener| Self {
                folder: folder.clone(),
                listener,
            });
            let desk = desk.inspect_err(|_| {
                let _ = fs::remove_dir(&folder);
            })?;
            fs::set_permissions(desk.socket(), fs::Permissions::from_mode(0o600))?;
            desk.listener.set_nonblocking(true)?;
            Ok(desk)
        }

        fn socket(&self) -> PathBuf {
            self.folder.join("s")
        }
    }

    /// So that what a killed search left behind is in nobody's way.
    fn now_ns() -> u128 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos())
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            let _ = fs::remove_file(self.socket());
            let _ = fs::remove_dir(&self.folder);
        }
    }

    /// Lets git run, and answers what it asks.
    pub(super) fn run(
        checkout: &Checkout,
        bench: &Bench<'_>,
        answer: &mut dyn FnMut(&str) -> Result<u8, CommandError>,
    ) -> Result<(), CommandError> {
        let failed = |source| CommandError::File {
            what: "listen in",
            path: temporary(),
            source,
        };
        let desk = Desk::open().map_err(failed)?;
        let (own, socket) = (env::current_exe().map_err(failed)?, desk.socket());
        let (own, socket) = (own.to_string_lossy(), socket.to_string_lossy());
        let args = ["bisect", "run", &own, "bisect-step", &socket];
        let interrupt = bench.interrupt;
        let git_runs = || {
            let wanted = || !interrupt.is_set();
            checkout.call(&Call {
                limit: None,
                wanted: &wanted,
                ..Call::of(&args)
            })
        };
        let mut trouble = None;
        let ran = thread::scope(|scope| {
            let git = scope.spawn(git_runs);
            while !git.is_finished() {
                match desk.listener.accept() {
                    Ok((mut asks, _)) => {
                        let head = checkout.head().map_err(CommandError::from);
                        let code = head.and_then(|head| answer(&head));
                        let code = code.and_then(|code| super::tidy(checkout).map(|()| code));
                        let code = code.unwrap_or_else(|error| {
                            trouble = Some(error);
                            ABORT
                        });
                        let _ = asks.write_all(&[code]);
                    }
                    Err(_) => thread::sleep(WAIT),
                }
            }
            git.join()
        });
        match (trouble, ran) {
            (Some(error), _) => Err(error),
            // Where only commits are left that cannot be measured, git ends with 2: that is an answer.
            (None, Ok(Ok(_) | Err(GitError::Program { code: Some(2), .. }))) => Ok(()),
            (None, Ok(Err(error))) => Err(error.into()),
            (None, Err(_)) => Err(CommandError::Unsearchable("what runs git broke down".to_owned())),
        }
    }

    pub(super) fn ask(socket: &Path) -> io::Result<u8> {
        let mut code = [0];
        UnixStream::connect(socket)?.read_exact(&mut code)?;
        Ok(code[0])
    }
}

#[cfg(not(unix))]
mod served {
    use std::{io, path::Path};

    use crate::{
        commands::{CommandError, bisect::stand::Bench},
        git::Checkout,
    };

    pub(super) fn run(
        _: &Checkout,
        _: &Bench<'_>,
        _: &mut dyn FnMut(&str) -> Result<u8, CommandError>,
    ) -> Result<(), CommandError> {
        Err(CommandError::Usage(
            "`--strategy git` needs a Unix system; take `bayes`".to_owned(),
        ))
    }

    pub(super) fn ask(_: &Path) -> io::Result<u8> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

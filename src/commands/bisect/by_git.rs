//! The search by `git bisect run`: git chooses the commits, and asks for each whether it is good or bad.
//!
//! What git runs is `perfgate bisect-step SOCKET`, which asks this process and ends with its answer: what the search knows,
//! its keys included, stays here, and nothing of it is on a command line.

use std::time::Instant;

use super::{
    Asked, History, Kept,
    ends::Ends,
    hunt::{Heard, Hunt, INTERRUPTED, found, why_stop},
    short,
    stand::{Bench, Stands},
};
use crate::{
    bisect::{Sequential, State, Strategy},
    commands::{CommandError, Done},
    git::Checkout,
    store::Found,
};

/// What `git bisect run` reads in the exit code of its command.
const GOOD: u8 = 0;
const BAD: u8 = 1;
const SKIP: u8 = 125;
const ABORT: u8 = 128;

/// A commit that is open after so many runs is left out.
const MOST_RUNS_OF_ONE: usize = 24;

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
        began: Instant::now(),
        stopped: None,
    };
    let mut answer = |commit: &str| questions.answer(commit, (bench, stands), (history, ends), (asked, kept));
    let ran = served::run(&checkout, bench, &mut answer);
    stands.probe.rest();
    let stopped = questions.stopped.take();
    // Where it was us who stopped, what git says of it is no news.
    if stopped.is_none() {
        ran?;
    }
    let stopped = stopped.or_else(|| questions.hunt.why_not_sharp());
    let log = checkout.git(&["bisect", "log"])?;
    Ok(Found {
        git_log: Some(log),
        ..found(&questions.hunt.search, history, Strategy::Git, stopped)
    })
}

fn start(checkout: &Checkout, history: &History, asked: &Asked) -> Result<(), CommandError> {
    let mut args = vec!["bisect", "start"];
    if asked.first_parent {
        args.push("--first-parent");
    }
    args.extend([history.bad.as_str(), history.good.as_str()]);
    checkout.git(&args)?;
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
    began: Instant,
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
            if runs >= MOST_RUNS_OF_ONE {
                let why = format!("neither good nor bad after {runs} runs");
                self.hunt.skip((place, commit), &why, kept, bench.console)?;
                return Ok(SKIP);
            }
            if let Some(why) = why_stop(asked, (self.hunt.runs, self.began), bench) {
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
            let folder = temporary().join(format!("perfgate-ask-{}", process::id()));
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
                        let code = checkout
                            .head()
                            .map_err(CommandError::from)
                            .and_then(|head| answer(&head));
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

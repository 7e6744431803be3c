//! The file that a stopped search goes on from.

use std::path::PathBuf;

use super::{Asked, file_in};
use crate::{
    commands::{CommandError, Console, measure::now_unix_s},
    store::{self, Bisection, CommitRun, EndsFound, Found, Question, Skipped},
    verdict::Verdict,
};

/// A search and its file, which is written after each step.
pub(super) struct Kept {
    path: PathBuf,
    pub(super) bisection: Bisection,
    /// The verdict on the ends, where there is nothing to search for.
    pub(super) nothing: Option<(Verdict, String)>,
}

impl Kept {
    /// What an earlier search for the same left there, or a new one.
    ///
    /// # Errors
    /// The file is broken or cannot be written.
    pub(super) fn open(asked: &Asked, question: Question, console: &dyn Console) -> Result<Self, CommandError> {
        let path = file_in(&asked.folder);
        store::claim_output(&path)?;
        let stored = store::read_bisection(&path)?;
        let is_same = stored.as_ref().is_some_and(|stored| stored.question == question);
        let bisection = match stored {
            Some(stored) if is_same => {
                let runs = stored.runs.len();
                console.say(&format!("going on from `{}`, which has {runs} runs", path.display()));
                // What did not build or start then may do so now: with more time, or a mended machine.
                Bisection {
                    found: None,
                    skipped: Vec::new(),
                    ..stored
                }
            }
            Some(_) => {
                console.warn(&format!(
                    "`{}` is of another search (other ends, plan, server or machine) and is replaced",
                    path.display()
                ));
                Bisection::of(question)
            }
            None => Bisection::of(question),
        };
        Ok(Self {
            path,
            bisection,
            nothing: None,
        })
    }

    pub(super) fn nothing(&mut self, verdict: Verdict, headline: &str) {
        self.nothing = Some((verdict, headline.to_owned()));
    }

    pub(super) fn ends(&mut self, ends: EndsFound) -> Result<(), CommandError> {
        self.bisection.ends = Some(ends);
        self.write()
    }

    pub(super) fn run(&mut self, commit: &str, value: f64, is_anchor: bool) -> Result<(), CommandError> {
        self.bisection.runs.push(CommitRun {
            commit: commit.to_owned(),
            value,
            at_unix_s: now_unix_s(),
            is_anchor,
        });
        self.write()
    }

    pub(super) fn skipped(&mut self, commit: &str, why: &str) -> Result<(), CommandError> {
        self.bisection.skipped.push(Skipped {
            commit: commit.to_owned(),
            why: why.to_owned(),
        });
        self.write()
    }

    pub(super) fn found(&mut self, found: Found) -> Result<(), CommandError> {
        self.bisection.found = Some(found);
        self.write()
    }

    fn write(&self) -> Result<(), CommandError> {
        Ok(store::write_bisection(&self.path, &self.bisection)?)
    }
}

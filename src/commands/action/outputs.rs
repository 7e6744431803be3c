//! The outputs of the step: of what was judged here, and of nothing that lay there before.

use std::{fs, path::PathBuf};

use super::{Command, Inputs};
use crate::{
    commands::{
        CommandError,
        post::{Outcome, Sent},
        present,
    },
    github::Output,
    render,
    verdict::Verdict,
};

impl Inputs {
    /// Takes away what an earlier verdict left, or came with the result: no output may name it.
    ///
    /// # Errors
    /// A file is there and cannot be removed.
    pub fn sweep(&self) -> Result<(), CommandError> {
        match self.command {
            Command::Gate => present::remove_files(&self.report_dir),
            Command::Compare | Command::Post => present::remove_reports(&self.report_dir),
            Command::Run => Ok(()),
        }
    }

    /// The verdict of a verb that posts nothing, as it has just been written.
    pub fn outcome(&self) -> Option<Outcome> {
        if self.command != Command::Compare {
            return None;
        }
        let text = fs::read_to_string(self.report_dir.join(present::REPORT_FILE)).ok()?;
        let report = render::read_report(&text).ok()?;
        Some(Outcome::of(&report, &self.report_dir))
    }

    /// The result that came of it, or that was posted.
    fn result(&self, outcome: Option<&Outcome>) -> Option<PathBuf> {
        match self.command {
            Command::Gate => {
                let folder = outcome.map_or(&self.report_dir, |outcome| &outcome.folder);
                Some(folder.join(present::RESULT_FILE))
            }
            Command::Post => Some(self.result.clone()),
            Command::Run | Command::Compare => None,
        }
    }
}

/// All outputs of the step, whatever became of it; `exit_code` is the verdict's. What was not judged here is empty.
pub fn outputs(
    inputs: Option<&Inputs>,
    exit_code: u8,
    (outcome, sent): (Option<&Outcome>, Option<&Sent>),
) -> Vec<(&'static str, Output)> {
    let comment = sent.and_then(|sent| sent.comment.as_ref());
    let file = |path: Option<PathBuf>| path.filter(|path| path.is_file()).map_or(Output::Empty, Output::Path);
    let report = |name: &str| file(outcome.map(|outcome| outcome.folder.join(name)));
    let number = |number: Option<u64>| number.map_or(Output::Empty, Output::Number);
    vec![
        (
            "verdict",
            outcome.map_or(Output::Empty, |outcome| Output::Word(key(outcome.verdict))),
        ),
        ("exit-code", Output::Number(exit_code.into())),
        ("result-json", file(inputs.and_then(|inputs| inputs.result(outcome)))),
        ("report-html", report("report.html")),
        ("report-markdown", report("report.md")),
        ("regressions", number(outcome.map(|outcome| outcome.regressions))),
        ("comment-id", number(comment.map(|(id, _)| *id))),
        (
            "comment-url",
            comment.map_or(Output::Empty, |(_, url)| Output::Address(url.clone())),
        ),
    ]
}

const fn key(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoBaseline => "no_baseline",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_is_set_where_nothing_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display().to_string();
        for name in ["report.json", "report.md", "report.html", "result.json"] {
            fs::write(folder.path().join(name), "{\"verdict\": \"pass\"}").unwrap();
        }
        let variable = move |name: &str| (name == "INPUT_REPORT_DIR").then(|| dir.clone());
        let inputs = Inputs::read(&variable).unwrap();
        inputs.sweep().unwrap();
        let outputs = outputs(Some(&inputs), 4, (None, None));
        let names: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "verdict",
                "exit-code",
                "result-json",
                "report-html",
                "report-markdown",
                "regressions",
                "comment-id",
                "comment-url"
            ]
        );
        let told: Vec<&(&str, Output)> = outputs.iter().filter(|(_, value)| *value != Output::Empty).collect();
        assert_eq!(told, [&("exit-code", Output::Number(4))]);
    }
}

//! `perfgate action`: the inputs of `action.yml`, checked, as one command line; and the outputs of its step.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{CommandError, gate, post::Sent, present};
use crate::{
    github::Output,
    render,
    report::Report,
    verdict::{Action, Verdict},
};

/// The inputs, as the step's environment has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// What is done.
    pub command: Command,
    /// Its words behind `perfgate`, in order.
    pub words: Vec<String>,
    /// Folder of the reports.
    pub report_dir: PathBuf,
    /// The result that is posted.
    pub result: PathBuf,
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Measures, judges, posts.
    Gate,
    /// Measures.
    Run,
    /// Judges files.
    Compare,
    /// Judges and posts what another job measured.
    Post,
}

/// What is allowed for one input; `None`: anything.
type Allowed = Option<&'static [&'static str]>;

/// Inputs that become a flag of the same name, with what they may be.
const FLAGS: [(&str, &[Command], Allowed); 13] = {
    use Command::{Compare, Gate, Post, Run};
    const POSTS: &[Command] = &[Gate, Post];
    const SWITCH: Allowed = Some(&["true", "false"]);
    [
        ("config", &[Gate, Run, Compare, Post], None),
        ("trusted-ref", &[Gate, Run, Compare, Post], None),
        ("baseline", &[Gate, Compare, Post], None),
        ("report-dir", &[Gate, Compare, Post], None),
        ("fail-on", POSTS, Some(&["regression", "inconclusive", "never"])),
        ("comment", POSTS, Some(&["always", "changes", "regression", "off"])),
        ("comment-mode", POSTS, Some(&["update", "recreate"])),
        ("comment-key", POSTS, None),
        ("pr-number", POSTS, None),
        ("check-run", POSTS, SWITCH),
        ("summary", POSTS, SWITCH),
        ("report-url", POSTS, None),
        ("dry-run", POSTS, SWITCH),
    ]
};

impl Inputs {
    /// Reads and checks them.
    ///
    /// # Errors
    /// An input holds what it may not; the message names what it may.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, CommandError> {
        let input = |name: &str| input(name, variable);
        let command = match input("command").as_deref() {
            None | Some("gate") => Command::Gate,
            Some("run") => Command::Run,
            Some("compare") => Command::Compare,
            Some("post") => Command::Post,
            Some(other) => return Err(refused("command", other, &["gate", "run", "compare", "post"])),
        };
        let report_dir = input("report-dir").map_or_else(|| PathBuf::from(gate::DEFAULT_REPORT_DIR), PathBuf::from);
        let result = input("result").map_or_else(|| report_dir.join(present::RESULT_FILE), PathBuf::from);
        let mut words = vec![command.word().to_owned()];
        match command {
            Command::Gate => words.push("--post".into()),
            Command::Compare => {
                let candidate = input("candidate").ok_or_else(|| {
                    CommandError::Usage("the input `candidate` is empty; give the session file to judge".into())
                })?;
                words.push(word(&candidate, "candidate")?);
            }
            Command::Post => words.push(word(&result.display().to_string(), "result")?),
            Command::Run => {}
        }
        for (name, commands, allowed) in FLAGS {
            let Some(value) = input(name).filter(|_| commands.contains(&command)) else {
                continue;
            };
            if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(&value.as_str())) {
                return Err(refused(name, &value, allowed));
            }
            if is_default_config(name, &value) {
                continue;
            }
            // One word each: a value that begins with a dash is no flag.
            words.push(format!("--{name}={value}"));
        }
        let more = input("args").unwrap_or_default();
        words.extend(
            more.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned),
        );
        Ok(Self {
            command,
            words,
            report_dir,
            result,
        })
    }
}

impl Command {
    const fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Run => "run",
            Self::Compare => "compare",
            Self::Post => "post",
        }
    }
}

/// The runner writes an input's name in capitals and leaves its dashes; `action.yml` writes `_` for them.
fn input(name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let capitals = name.to_ascii_uppercase();
    let value = variable(&format!("INPUT_{}", capitals.replace('-', "_")));
    let value = value.or_else(|| variable(&format!("INPUT_{capitals}")));
    value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A word of the command line that is no flag.
fn word(text: &str, name: &str) -> Result<String, CommandError> {
    if text.starts_with('-') {
        return Err(CommandError::Usage(format!(
            "the input `{name}` is `{text}`, which is no file"
        )));
    }
    Ok(text.to_owned())
}

/// The name that is meant where none is given: a repository without the file has the built-in rules.
fn is_default_config(name: &str, value: &str) -> bool {
    name == "config" && value == crate::config::keys::DEFAULT_FILE
}

fn refused(name: &str, value: &str, allowed: &[&str]) -> CommandError {
    let value: String = value.chars().take(80).collect();
    let allowed: Vec<String> = allowed.iter().map(|word| format!("`{word}`")).collect();
    CommandError::Usage(format!(
        "the input `{name}` is `{}`; it may be {}",
        value.escape_debug(),
        allowed.join(", ")
    ))
}

/// All outputs of the step, whatever became of it; `exit_code` is the verdict's.
pub fn outputs(report_dir: &Path, result: &Path, exit_code: u8, sent: Option<&Sent>) -> Vec<(&'static str, Output)> {
    let report = fs::read_to_string(report_dir.join("report.json")).ok();
    let report = report.and_then(|text| render::read_report(&text).ok());
    let comment = sent.and_then(|sent| sent.comment.as_ref());
    let file = |path: PathBuf| {
        if path.is_file() {
            Output::Path(path)
        } else {
            Output::Empty
        }
    };
    vec![
        (
            "verdict",
            report
                .as_ref()
                .map_or(Output::Empty, |report| Output::Word(key(report.verdict))),
        ),
        ("exit-code", Output::Number(exit_code.into())),
        ("result-json", file(result.to_owned())),
        ("report-html", file(report_dir.join("report.html"))),
        ("report-markdown", file(report_dir.join("report.md"))),
        ("regressions", Output::Number(report.as_ref().map_or(0, regressions))),
        (
            "comment-id",
            comment.map_or(Output::Empty, |(id, _)| Output::Number(*id)),
        ),
        (
            "comment-url",
            comment.map_or(Output::Empty, |(_, url)| Output::Address(url.clone())),
        ),
    ]
}

fn regressions(report: &Report) -> u64 {
    let blocks = |check: &&crate::report::Check| check.verdict == Verdict::Regression && check.action == Action::Block;
    report.checks.iter().filter(blocks).count() as u64
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

    fn read(given: &[(&str, &str)]) -> Result<Inputs, CommandError> {
        let given: Vec<(String, String)> = given
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        Inputs::read(&move |name| {
            given
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn inputs_become_one_command_line() {
        for (given, words) in [
            (&[][..], "gate --post"),
            (
                &[("INPUT_CONFIG", "perfgate.yaml"), ("INPUT_COMMENT", "")],
                "gate --post",
            ),
            (
                &[
                    ("INPUT_COMMAND", "post"),
                    ("INPUT_COMMENT-MODE", "recreate"),
                    ("INPUT_FAIL_ON", "never"),
                ],
                "post perfgate-report/result.json --fail-on=never --comment-mode=recreate",
            ),
            (
                &[
                    ("INPUT_ARGS", "--repeat=5\n  --gate\r\n\n tpot_p95=5 % \n"),
                    ("INPUT_TRUSTED_REF", "origin/main"),
                ],
                "gate --post --trusted-ref=origin/main --repeat=5 --gate tpot_p95=5 %",
            ),
            (
                &[
                    ("INPUT_COMMAND", "compare"),
                    ("INPUT_CANDIDATE", "a.json"),
                    ("INPUT_COMMENT", "off"),
                ],
                "compare a.json",
            ),
            (&[("INPUT_COMMAND", "run"), ("INPUT_BASELINE", "-x")], "run"),
            (
                &[("INPUT_COMMAND", "run"), ("INPUT_TRUSTED_REF", "main")],
                "run --trusted-ref=main",
            ),
            (
                &[
                    ("INPUT_COMMAND", "compare"),
                    ("INPUT_CANDIDATE", "a.json"),
                    ("INPUT_TRUSTED_REF", "main"),
                ],
                "compare a.json --trusted-ref=main",
            ),
            (&[("INPUT_BASELINE", "-x y")], "gate --post --baseline=-x y"),
        ] {
            assert_eq!(read(given).unwrap().words.join(" "), words, "{given:?}");
        }
    }

    #[test]
    fn an_input_that_is_unknown_is_refused_with_what_is_known() {
        for (name, value, expected) in [
            (
                "INPUT_COMMAND",
                "bench",
                "the input `command` is `bench`; it may be `gate`, `run`, `compare`, `post`",
            ),
            (
                "INPUT_CHECK_RUN",
                "yes",
                "the input `check-run` is `yes`; it may be `true`, `false`",
            ),
            (
                "INPUT_COMMENT",
                "on\n::error::x",
                "the input `comment` is `on\\n::error::x`; it may be `always`, `changes`, `regression`, `off`",
            ),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), expected);
        }
        assert!(read(&[("INPUT_COMMAND", "compare")]).is_err(), "nothing to judge");
        assert!(read(&[("INPUT_COMMAND", "post"), ("INPUT_RESULT", "--x")]).is_err());
    }

    #[test]
    fn every_output_is_set_where_nothing_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = outputs(folder.path(), &folder.path().join("result.json"), 4, None);
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
        assert!(outputs.contains(&("exit-code", Output::Number(4))) && outputs.contains(&("verdict", Output::Empty)));
    }
}

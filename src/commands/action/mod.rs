//! `perfgate action`: the inputs of `action.yml`, checked, as one command line; its outputs are in `outputs.rs`.

mod outputs;

use std::path::{Path, PathBuf};

pub use self::outputs::outputs;
use super::{CommandError, gate, post::FailOn, present};

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
    /// What fails the job, where the verb has no flag for it.
    pub fail_on: Option<FailOn>,
    /// Inputs that say something to other commands only.
    pub ignored: Vec<&'static str>,
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

/// Inputs that become a flag of the same name: of which commands, what they may be, and what they are where nobody gives them.
const FLAGS: [(&str, &[Command], Allowed, &str); 13] = {
    use Command::{Compare, Gate, Post, Run};
    const POSTS: &[Command] = &[Gate, Post];
    const SWITCH: Allowed = Some(&["true", "false"]);
    [
        ("config", &[Gate, Run, Compare, Post], None, ""),
        ("trusted-ref", &[Gate, Run, Compare, Post], None, ""),
        ("baseline", &[Gate, Compare, Post], None, ""),
        ("report-dir", &[Gate, Compare, Post], None, gate::DEFAULT_REPORT_DIR),
        (
            "fail-on",
            POSTS,
            Some(&["regression", "inconclusive", "never"]),
            "regression",
        ),
        (
            "comment",
            POSTS,
            Some(&["always", "changes", "regression", "off"]),
            "always",
        ),
        ("comment-mode", POSTS, Some(&["update", "recreate"]), "update"),
        ("comment-key", POSTS, None, "default"),
        ("pr-number", POSTS, None, ""),
        ("check-run", POSTS, SWITCH, "true"),
        ("summary", POSTS, SWITCH, "true"),
        ("report-url", POSTS, None, ""),
        ("dry-run", POSTS, SWITCH, "false"),
    ]
};

impl Inputs {
    /// Reads and checks them.
    ///
    /// # Errors
    /// An input holds what it may not; the message names what it may.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, CommandError> {
        let input = |name: &str| input(name, variable);
        let command = input("command").map_or(Ok(Command::Gate), |text| Command::parse(&text))?;
        let report_dir = report_dir(variable);
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
        let (flags, ignored) = flags(command, &report_dir, &input)?;
        words.extend(flags);
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
            fail_on: input("fail-on")
                .filter(|_| command == Command::Compare)
                .map(|text| fail_on(&text)),
            ignored,
        })
    }
}

/// The flags that the inputs make, and the inputs that say nothing to this command.
fn flags(
    command: Command,
    report_dir: &Path,
    input: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<String>, Vec<&'static str>), CommandError> {
    let is_compare = command == Command::Compare;
    let (mut flags, mut ignored) = (Vec::new(), Vec::new());
    for (name, commands, allowed, default) in FLAGS {
        // A folder of reports is what the outputs name.
        let own = (is_compare && name == "report-dir").then(|| report_dir.display().to_string());
        let Some(value) = input(name).or(own) else { continue };
        if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(&value.as_str())) {
            return Err(refused(name, &value, allowed));
        }
        if is_default_config(name, &value) {
            continue;
        }
        if commands.contains(&command) {
            // One word each: a value that begins with a dash is no flag.
            flags.push(format!("--{name}={value}"));
        } else if value != default && !(is_compare && name == "fail-on") {
            ignored.push(name);
        }
    }
    let others = [("candidate", Command::Compare), ("result", Command::Post)].into_iter();
    ignored.extend(
        others
            .filter(|(name, own)| command != *own && input(name).is_some())
            .map(|(name, _)| name),
    );
    Ok((flags, ignored))
}

impl Command {
    fn parse(text: &str) -> Result<Self, CommandError> {
        match text {
            "gate" => Ok(Self::Gate),
            "run" => Ok(Self::Run),
            "compare" => Ok(Self::Compare),
            "post" => Ok(Self::Post),
            "install" => Err(CommandError::Usage(
                "the input `command` is `install`, which is done before perfgate runs; leave this step out".into(),
            )),
            other => Err(refused(
                "command",
                other,
                &["gate", "run", "compare", "post", "install"],
            )),
        }
    }

    /// As it is written.
    pub const fn word(self) -> &'static str {
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

/// Folder of the reports, whatever else the inputs hold.
pub fn report_dir(variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    input("report-dir", variable).map_or_else(|| PathBuf::from(gate::DEFAULT_REPORT_DIR), PathBuf::from)
}

fn fail_on(text: &str) -> FailOn {
    match text {
        "inconclusive" => FailOn::Inconclusive,
        "never" => FailOn::Never,
        _ => FailOn::Regression,
    }
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
                "compare a.json --report-dir=perfgate-report",
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
                "compare a.json --trusted-ref=main --report-dir=perfgate-report",
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
                "the input `command` is `bench`; it may be `gate`, `run`, `compare`, `post`, `install`",
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
    fn every_command_knows_what_an_input_may_be_and_tells_which_say_nothing_to_it() {
        for command in ["gate", "run", "compare", "post"] {
            let given = [
                ("INPUT_COMMAND", command),
                ("INPUT_CANDIDATE", "a.json"),
                ("INPUT_FAIL_ON", "sometimes"),
            ];
            let refused = read(&given).unwrap_err().to_string();
            assert!(
                refused.contains("`regression`, `inconclusive`, `never`"),
                "{command}: {refused}"
            );
        }
        let defaults = [
            ("INPUT_COMMAND", "run"),
            ("INPUT_FAIL_ON", "regression"),
            ("INPUT_COMMENT", "always"),
            ("INPUT_REPORT_DIR", "perfgate-report"),
            ("INPUT_CHECK_RUN", "true"),
        ];
        assert!(read(&defaults).unwrap().ignored.is_empty());
        let given = [
            ("INPUT_COMMAND", "run"),
            ("INPUT_FAIL_ON", "never"),
            ("INPUT_PR_NUMBER", "12"),
            ("INPUT_CANDIDATE", "a.json"),
        ];
        assert_eq!(read(&given).unwrap().ignored, ["fail-on", "pr-number", "candidate"]);
    }

    #[test]
    fn what_fails_the_job_holds_for_a_comparison_too() {
        for (text, expected) in [
            ("regression", FailOn::Regression),
            ("inconclusive", FailOn::Inconclusive),
            ("never", FailOn::Never),
        ] {
            let given = [
                ("INPUT_COMMAND", "compare"),
                ("INPUT_CANDIDATE", "a.json"),
                ("INPUT_FAIL_ON", text),
            ];
            let inputs = read(&given).unwrap();
            assert_eq!((inputs.fail_on, inputs.ignored.len()), (Some(expected), 0));
        }
        let posted = read(&[("INPUT_FAIL_ON", "never")]).unwrap();
        assert_eq!(posted.fail_on, None, "it has a flag for it");
    }
}

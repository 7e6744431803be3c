//! Runs the `perfgate` binary as a user does, in a scratch folder.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// `perfgate` with arguments, in a folder, without the caller's environment layer and the CI job that the tests run in.
pub(crate) fn perfgate(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    command.current_dir(folder).args(args).env_remove("NO_COLOR");
    let is_ours = |name: &str| {
        let starts = ["PERFGATE_", "GITHUB_", "GITLAB_", "CI_"];
        starts.iter().any(|start| name.starts_with(start))
    };
    for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs it and expects an exit code; gives standard output and standard error.
pub(crate) fn expect(folder: &Path, code: i32, args: &[&str]) -> (String, String) {
    let output = unless_busy(code, || perfgate(folder, args).output().unwrap());
    assert_code(&output, code, args)
}

/// What it says where the machine was too busy for its own client.
const BUSY: [&str; 3] = [
    "client was the bottleneck",
    "all tokens arrived at once",
    "all tokens came in one read",
];
/// Codes of what carries no verdict: not settled, invalid, and those of a step of a search. Any other answer stands at the first try,
/// as a verdict that is wrong now and then is wrong.
const NO_VERDICT: [i32; 4] = [3, 4, 125, 128];

/// Asks again where it came to no verdict, as the machine was too busy for its own client, which it says.
#[expect(clippy::print_stderr, reason = "a test that needed it says so")]
pub(crate) fn unless_busy(code: i32, mut ask: impl FnMut() -> Output) -> Output {
    let mut output = ask();
    for _ in 0..5 {
        let got = output.status.code().unwrap_or_default();
        if got == code || !NO_VERDICT.contains(&got) || !was_busy(&output) {
            break;
        }
        eprintln!("asked again: it ended with {got} in place of {code} on a busy machine");
        output = ask();
    }
    output
}

pub(crate) fn was_busy(output: &Output) -> bool {
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    said.iter().any(|said| BUSY.iter().any(|words| said.contains(words)))
}

/// Checks the exit code of a finished command; gives standard output and standard error.
pub(crate) fn assert_code(output: &Output, code: i32, args: &[&str]) -> (String, String) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let trouble = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "perfgate {args:?}\n{text}\n{trouble}");
    (text, trouble)
}

/// A `perfgate sim` process on a free port; killed when dropped.
pub(crate) struct Sim {
    child: Child,
    pub(crate) url: String,
}

impl Sim {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_perfgate"))
            .args(["sim", "--port", "0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://")) else {
            panic!("`perfgate sim` said no address: {line:?}");
        };
        Self {
            url: url.to_owned(),
            child,
        }
    }

    /// Kills the engine at once: `kill -9`.
    pub(crate) fn kill(&self) {
        let killed = Command::new("kill").args(["-9", &self.child.id().to_string()]).status();
        assert!(killed.unwrap().success());
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

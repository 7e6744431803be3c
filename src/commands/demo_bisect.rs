//! `perfgate demo --bisect`: a small repository with a planted regression, and the command that finds it, live.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use super::{CommandError, Console, Done, bisect, demo::FOLDER};
use crate::git::{Draft, scratch};

/// Commits after the good one.
const COMMITS: usize = 12;
/// Which of them makes its server slower, from 1.
const CULPRIT: usize = 8;
/// One that does not start.
const BROKEN: usize = 5;

const CONFIG: &str = "\
schema: perfgate-llm/1
arms:
  candidate:
    command: [sh, serve.sh, '{port}']
concurrency: [4]
num_requests: 200
warmup_requests: 8
input_tokens: 16
output_tokens: 8
";

/// Makes the repository, and searches it by `perfgate bisect`; the exit code is that of the search.
///
/// # Errors
/// The repository cannot be made, or the search cannot be started.
pub fn demo(quiet: bool, console: &dyn Console) -> Result<Done, CommandError> {
    let folder = env::temp_dir().join(format!("perfgate-demo-{}", process::id()));
    let failed = |what| {
        let path = folder.clone();
        move |source| CommandError::File { what, path, source }
    };
    // A folder that is there already is somebody else's.
    fs::create_dir(&folder).map_err(failed("create"))?;
    let _removed = Removed(folder.clone());
    let own = env::current_exe().map_err(failed("find"))?;
    let commits = scratch(&folder, &drafts(&own))?;
    let out = env::current_dir().map_err(failed("find"))?.join(FOLDER).join("bisect");
    // A search of another repository is not gone on from.
    let _ = fs::remove_file(out.join(bisect::FILE));
    let good = commits.first().map_or("HEAD", String::as_str);
    console.say(&format!(
        "a repository of {COMMITS} commits is in `{}`; number {CULPRIT} makes every token 15 % slower, and number {BROKEN} does not \
         start\n$ perfgate bisect --good {} --bad main --yes-run-code",
        folder.display(),
        good.get(..10).unwrap_or(good)
    ));
    let mut command = Command::new(&own);
    command.args(["bisect", "--good", good, "--bad", "main", "--yes-run-code", "--folder"]);
    command.arg(&out).current_dir(&folder);
    if quiet {
        command.arg("--quiet");
    }
    let status = command.status().map_err(failed("search"))?;
    Ok(Done {
        text: format!("Wrote {}\n", out.join("bisect.html").display()),
        exit_code: status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    })
}

/// Every commit has the same files but for what it changes.
fn drafts(own: &Path) -> Vec<Draft> {
    let serve = format!(
        "exec '{}' sim --port \"$1\" --decode-step-us 2500 $(cat arguments)\n",
        own.display().to_string().replace('\'', r"'\''")
    );
    let draft = |number: usize| {
        let slow = if number >= CULPRIT { "--slow tpot=15%" } else { "" };
        let arguments = if number == BROKEN { "--broken" } else { slow };
        let files = [
            ("perfgate.yaml", CONFIG.to_owned()),
            ("serve.sh", serve.clone()),
            ("arguments", format!("{arguments}\n")),
            ("number", format!("{number}\n")),
        ];
        Draft {
            message: match number {
                0 => "A server that is fast enough".to_owned(),
                CULPRIT => "Copy the KV cache before each step, to be safe".to_owned(),
                _ => format!("Change number {number}"),
            },
            files: files.map(|(name, text)| (name.to_owned(), text)).into(),
        }
    };
    (0..=COMMITS).map(draft).collect()
}

/// A folder that goes with this.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

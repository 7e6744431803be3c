//! `import`: its flags as typed, and what they run.

use std::path::PathBuf;

use clap::Args;

use super::{LiveArgs, mode, progress::Progress};
use crate::{
    commands::{
        CommandError, Done,
        import::{self, Importing},
    },
    import::{MAX_BYTES, Options},
};

/// What the help of `import` ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  perfgate import results/ -o session.json
  perfgate import run1.json run2.json run3.json -o main.json
  perfgate compare vllm-base.json vllm-head.json
Such files stand wherever a session file does: `compare`, `show`, `noise`, `baseline save`. docs/import.md tells what each tool
means by its figures.";

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Result files of one tool, or folders of them: the runs of one session.
    #[arg(required_unless_present = "formats", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Session file that is written.
    #[arg(short, long, value_name = "FILE", default_value = "session.json")]
    output: PathBuf,
    /// Format of the files [default: by their content]
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// List the formats that are known.
    #[arg(long)]
    formats: bool,
    /// Column (or key) of a plain table that holds a figure; repeatable.
    #[arg(long, value_name = "FIGURE=COLUMN", value_parser = column)]
    map: Vec<(String, String)>,
    /// Commit under test [default: what the files say]
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// Largest file that is read, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BYTES)]
    max_bytes: u64,
    /// Say nothing but what is wrong.
    #[arg(short, long)]
    quiet: bool,
}

fn column(text: &str) -> Result<(String, String), String> {
    let found = text
        .split_once('=')
        .filter(|(figure, column)| !figure.is_empty() && !column.is_empty());
    found
        .map(|(figure, column)| (figure.trim().to_owned(), column.trim().to_owned()))
        .ok_or_else(|| "give `FIGURE=COLUMN`, as in `ttft_ms=ttft`".to_owned())
}

/// Runs it.
pub(super) fn run(args: &ImportArgs) -> Result<Done, CommandError> {
    if args.formats {
        return Ok(Done::ok(formats()));
    }
    let options = Options {
        format: args.format.clone(),
        max_bytes: args.max_bytes,
        columns: args.map.clone(),
    };
    let importing = Importing {
        paths: &args.paths,
        options: &options,
        output: &args.output,
        commit: args.commit.as_deref(),
    };
    let console = Progress::new(mode(args.quiet, LiveArgs::default()), None, super::complain);
    import::import(&importing, &console)
}

fn formats() -> String {
    let all = || crate::import::formats();
    let width = all().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = all().map(|(name, what)| format!("{name:width$}  {what}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_two_sides() {
        assert_eq!(column("ttft_ms=ttft"), Ok(("ttft_ms".to_owned(), "ttft".to_owned())));
        for bad in ["ttft", "=x", "x="] {
            assert!(column(bad).is_err(), "{bad}");
        }
        assert!(formats().lines().any(|line| line.starts_with("vllm-serve ")));
    }
}

//! What came of a search, in words: on the terminal, and as Markdown beside its file.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Asked, FILE, History, Kept, page, short};
use crate::{
    commands::{CommandError, Done, guard::Guard, present, run},
    git::{Cleaned, Repository},
    metric::Metric,
    render,
    store::{Bisection, Found},
    target::Swept,
    verdict::Verdict,
};

/// It is not settled which commit, or whether there is any.
const UNSETTLED: u8 = 3;
/// Signs of a line that are told.
const MOST_SIGNS: usize = 200;
/// Files of a commit that are told.
const MOST_FILES: usize = 12;

/// Why nothing was searched.
pub(super) fn nothing(kept: &Kept) -> Done {
    let text = match &kept.nothing {
        None => "interrupted before both ends were measured; nothing was searched\n".to_owned(),
        Some((Verdict::Improvement | Verdict::Pass, headline)) => format!(
            "there is nothing to search for: between the ends nothing that was judged got worse beyond its limit.\n\n  {headline}\n\n\
             Is the bad end bad on this machine, under this plan? `perfgate gate --ab` of both shows more.\n"
        ),
        Some((Verdict::Regression, headline)) => format!(
            "nothing was searched: what got worse between the ends has no ratio to search by.\n\n  {headline}\n"
        ),
        Some((Verdict::Invalid, headline)) => {
            return Done {
                text: format!("nothing was searched: the ends cannot be judged.\n\n  {headline}\n"),
                exit_code: run::UNUSABLE,
            };
        }
        Some((_, headline)) => format!(
            "nothing was searched: it is not settled whether the bad end is worse.\n\n  {headline}\n\n\
             More requests a run, a quieter machine or more `--max-minutes` settle it.\n"
        ),
    };
    Done {
        text,
        exit_code: UNSETTLED,
    }
}

/// Removes what an earlier search told: it must not be taken for this one's.
///
/// # Errors
/// A file is there and cannot be removed.
pub(super) fn remove_files(folder: &Path) -> Result<(), CommandError> {
    for name in ["bisect.md", "bisect.html"] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(CommandError::File {
                    what: "remove",
                    path,
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The answer; it is written beside the file too.
///
/// # Errors
/// The Markdown cannot be written, or git cannot tell of the commit.
pub(super) fn found(
    kept: &Kept,
    (repository, history): (&Repository, &History),
    (asked, guard): (&Asked, &Guard),
) -> Result<Done, CommandError> {
    let folder = asked.folder.as_path();
    let bisection = &kept.bisection;
    let Some(found) = &bisection.found else {
        return Ok(nothing(kept));
    };
    let is_settled = is_settled(found, asked);
    let mut text = headline(found, is_settled);
    text.push_str(&suspects(found));
    if let Some(suspect) = found.commits.first().filter(|_| found.is_sharp) {
        text.push_str(&commit(repository, &suspect.commit)?);
    }
    if let Some(confirmed) = &found.confirmed {
        let _ = writeln!(
            text,
            "\nAgainst its parent {}, measured in pairs: {}\n  {}",
            short(&confirmed.parent),
            confirmed.verdict,
            confirmed.headline
        );
    }
    text.push_str(&figures(bisection, history));
    let _ = writeln!(text, "\nEvery run: `{}`", folder.join(FILE).display());
    let text = guard.clean(&text).into_owned();
    present::write_text(&folder.join("bisect.md"), &markdown(&text))?;
    if let Some(page) = page::of(bisection, history, is_settled) {
        let page = render::bisection_html(&page)?;
        present::write_text(&folder.join("bisect.html"), &guard.clean(&page))?;
    }
    Ok(Done {
        text,
        exit_code: if is_settled { 0 } else { UNSETTLED },
    })
}

/// Whether one commit is found, and is worse than its parents.
fn is_settled(found: &Found, asked: &Asked) -> bool {
    let confirmed = found.confirmed.as_ref();
    let is_confirmed = confirmed.map_or(asked.unconfirmed, |confirmed| {
        confirmed.verdict == Verdict::Regression.name()
    });
    found.is_sharp && found.stopped.is_none() && is_confirmed
}

fn headline(found: &Found, is_settled: bool) -> String {
    let best = found.commits.first();
    let mut text = match best.filter(|_| found.is_sharp) {
        Some(suspect) => format!(
            "{}: {} ({:.1} %)\n",
            if is_settled {
                "first bad commit"
            } else {
                "suspected, not confirmed"
            },
            suspect.commit,
            suspect.chance * 100.0
        ),
        None => format!(
            "not settled: the first bad commit is one of {} ({:.0} %)\n",
            found.commits.len(),
            found.commits.iter().map(|suspect| suspect.chance).sum::<f64>() * 100.0
        ),
    };
    if let Some(stopped) = &found.stopped {
        let _ = writeln!(text, "stopped: {stopped}");
    }
    text
}

fn suspects(found: &Found) -> String {
    let mut text = String::new();
    for suspect in &found.commits {
        let _ = writeln!(
            text,
            "  {:>5.1} %  {}  {}  ({})",
            suspect.chance * 100.0,
            short(&suspect.commit),
            printable(&suspect.subject),
            printable(&suspect.author)
        );
    }
    text
}

/// The message of a commit, and what it changes.
fn commit(repository: &Repository, commit: &str) -> Result<String, CommandError> {
    let mut text = String::from("\n");
    for line in repository.message(commit)?.lines() {
        let _ = writeln!(text, "    {}", printable(line));
    }
    let changed = repository.diffstat(commit)?;
    text.push('\n');
    for file in changed.files.iter().take(MOST_FILES) {
        let lines = match (file.added, file.removed) {
            (Some(added), Some(removed)) => format!("+{added} −{removed}"),
            _ => "no text".to_owned(),
        };
        let _ = writeln!(text, "    {} | {lines}", printable(&file.path));
    }
    let more = changed.files.len().saturating_sub(MOST_FILES) + changed.more_files;
    if more > 0 {
        let _ = writeln!(text, "    … and {more} more files");
    }
    Ok(text)
}

/// What was measured: both ends, then each commit, oldest first.
fn figures(bisection: &Bisection, history: &History) -> String {
    let Some(ends) = &bisection.ends else {
        return String::new();
    };
    let Some(metric) = Metric::from_key(&ends.metric) else {
        return String::new();
    };
    let mut text = format!("\n{} at `{}`:\n", metric.label(), ends.cell);
    let mut row = |name: &str, values: &[f64]| {
        let told: Vec<String> = values.iter().map(|value| render::figure(metric, *value)).collect();
        let _ = writeln!(text, "  {name}  {}", told.join("  "));
    };
    row("good end  ", &ends.good);
    for commit in &history.commits {
        let runs = bisection
            .runs
            .iter()
            .filter(|run| run.commit == commit.id && !run.is_anchor);
        let values: Vec<f64> = runs.map(|run| run.value).collect();
        if !values.is_empty() {
            row(short(&commit.id), &values);
        }
    }
    row("bad end   ", &ends.bad);
    for skipped in &bisection.skipped {
        let why = skipped.why.lines().next().unwrap_or_default();
        let _ = writeln!(text, "  {}  left out: {}", short(&skipped.commit), printable(why));
    }
    text
}

/// What was cleaned up; exit code 3 where something is left that a person has to look at.
pub(super) fn cleaned(cleaned: &Cleaned, servers: &Swept) -> Done {
    let mut text = String::new();
    for (what, lefts) in [
        ("stopped", &servers.stopped),
        ("still runs, stop it yourself:", &servers.still_there),
        ("its perfgate still runs, left as it is:", &servers.in_use),
    ] {
        for left in lefts {
            let program = left.program.as_deref().unwrap_or("its processes");
            let (name, process, port) = (&left.name, left.process, left.port);
            let _ = writeln!(
                text,
                "{what} the {name}'s server `{}` (process {process}, port {port})",
                printable(program)
            );
            if let Some(why) = &left.stop_failed {
                let _ = writeln!(text, "  its own command to stop it failed: {}", printable(why));
            }
        }
    }
    let mut list = |what: &str, paths: &[PathBuf]| {
        for path in paths {
            let _ = writeln!(text, "{what} `{}`", path.display());
        }
    };
    list("removed", &cleaned.removed);
    list("in use, left as it is:", &cleaned.in_use);
    list("forgotten, its folder was gone:", &cleaned.forgotten);
    for (path, why) in &cleaned.refused {
        let _ = writeln!(text, "left as it is: `{}`: {why}", path.display());
    }
    if text.is_empty() {
        text.push_str("nothing was left behind\n");
    }
    Done {
        text,
        exit_code: if cleaned.refused.is_empty() && servers.still_there.is_empty() {
            0
        } else {
            UNSETTLED
        },
    }
}

/// A commit's words may hold anything.
fn printable(text: &str) -> String {
    render::one_line(text, MOST_SIGNS)
}

/// In a fence that nothing in the text closes.
fn markdown(text: &str) -> String {
    let longest = text.split(|sign| sign != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("# perfgate bisect\n\n{fence}text\n{text}{fence}\n")
}

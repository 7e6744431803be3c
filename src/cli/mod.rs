//! The door: flags as typed, exit codes, the only place that prints.

pub(crate) mod args;
mod bisect;
mod exit;
mod flags;
mod forms;
mod manual;
mod posting;
mod profile;
mod progress;
mod search;
mod sending;
mod serve;
mod stored;

use std::{
    borrow::Cow,
    env,
    error::Error,
    ffi::OsString,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Parser;

use self::{
    args::{JudgeArgs, PlanArgs},
    flags::{Cli, ConfigVerb, Verb},
    forms::SchemaOf,
    progress::{Mode, Progress},
    search::{LadderArgs, SearchArgs},
};
use crate::{
    commands::{
        self, CommandError, Done, capacity,
        compare::{self, Request},
        demo,
        guard::Guard,
        present::{Format, Screen},
        report, run,
        selftest::{self, Depth},
        show, sweep,
        trust::{self, Asked, Rules},
    },
    config::{self, Overrides, Resolved},
    load::Interrupt,
    render, store,
};

/// Runs one command line and gives its exit code.
pub fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows whether this is help (standard output, 0) or a mistake (standard error, 2).
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
        }
    };
    match dispatch(cli.verb) {
        Ok(done) => {
            // A verdict that nobody can read must not look like a pass.
            if print(&done.text) || done.exit_code != 0 {
                done.exit_code
            } else {
                exit::USAGE
            }
        }
        Err(error) => {
            complain(&in_full(&error));
            exit::code(&error)
        }
    }
}

fn dispatch(verb: Verb) -> Result<Done, CommandError> {
    match verb {
        Verb::Run { plan } => {
            let resolved = of_this_job(resolve(&plan)?);
            let secrets = trust::secrets(&resolved, &variable)?;
            let guard = Guard::of_job(&resolved, &variable);
            run::run(
                &resolved,
                (secrets, &guard),
                screen(),
                &console(&resolved),
                &Interrupt::on_ctrl_c(),
            )
        }
        verb @ (Verb::Gate { .. } | Verb::Post { .. }) => sending::run(verb),
        Verb::Action => sending::action(),
        Verb::Capacity { plan, search } => find_capacity(&plan, &search),
        Verb::Sweep { plan, ladder } => climb(&plan, &ladder),
        Verb::Compare { files, judge, format } => compare_files(&files, &judge, format.into()),
        Verb::Show { file, format } => show::show(&file, format.into(), screen()),
        Verb::Report { file, format, output } => {
            let done = report::report(&file, format.into(), screen())?;
            match output {
                Some(path) => commands::present::write_text(&path, &done.text).map(|()| Done::ok("")),
                None => Ok(done),
            }
        }
        Verb::Baseline { verb } => stored::baseline(&verb),
        Verb::History(flags) => stored::history(&flags),
        Verb::BisectStep { socket } => Ok(commands::bisect::step(&socket)),
        Verb::Bisect { plan, search } => bisect::run(&plan, &search),
        Verb::Profile { verb } => profile::run(&verb),
        Verb::Noise { files, noise, plan } => stored::noise(files, &noise, &plan),
        Verb::Config {
            verb: ConfigVerb::Show { plan },
        } => Ok(Done::ok(config::show(&resolve(&plan)?))),
        Verb::Init { path, force } => commands::init::init(&path, force),
        Verb::Schema { of } => schema(of),
        Verb::Sim { engine } => serve::sim(*engine, &|text| {
            print(text);
        }),
        Verb::Selftest { quick, store, quiet } => {
            let depth = if quick { Depth::Quick } else { Depth::Full };
            let console = Progress::new(mode(quiet), complain);
            selftest::selftest(depth, store, &console, &Interrupt::on_ctrl_c())
        }
        Verb::Demo { clean, bisect, quiet } => {
            let console = Progress::new(mode(quiet), complain);
            if bisect {
                return commands::demo_bisect::demo(quiet, &console);
            }
            demo::demo(clean, screen(), &console, &Interrupt::on_ctrl_c())
        }
        Verb::Completions { shell } => Ok(manual::completions(shell)),
        Verb::Man { dir } => manual::man(&dir),
    }
}

fn find_capacity(plan: &PlanArgs, search: &SearchArgs) -> Result<Done, CommandError> {
    let resolved = of_this_job(resolve_without_load(plan)?);
    let secrets = trust::secrets(&resolved, &variable)?;
    let (guard, search) = (Guard::of_job(&resolved, &variable), search.capacity(&resolved));
    let (console, interrupt) = (console(&resolved), Interrupt::on_ctrl_c());
    capacity::capacity(&resolved, search, (secrets, &guard), screen(), &console, &interrupt)
}

fn climb(plan: &PlanArgs, ladder: &LadderArgs) -> Result<Done, CommandError> {
    let resolved = of_this_job(resolve_without_load(plan)?);
    let secrets = trust::secrets(&resolved, &variable)?;
    let (guard, ladder) = (Guard::of_job(&resolved, &variable), ladder.ladder(&resolved));
    let (console, interrupt) = (console(&resolved), Interrupt::on_ctrl_c());
    sweep::sweep(&resolved, &ladder, (secrets, &guard), screen(), &console, &interrupt)
}

fn compare_files(files: &[PathBuf], judge: &JudgeArgs, format: Format) -> Result<Done, CommandError> {
    let rules = rules(judge.config.as_deref(), &judge.overrides)?;
    let (baseline, candidate): (Option<&Path>, &Path) = match files {
        [candidate] => (None, candidate),
        [baseline, candidate] => (Some(baseline), candidate),
        _ => {
            return Err(CommandError::Usage(
                "give a baseline and a candidate, or a candidate alone".to_owned(),
            ));
        }
    };
    compare::compare(&Request {
        baseline,
        candidate,
        named: rules.resolved.settings.baseline.as_deref(),
        rules: &rules,
        format,
        screen: screen(),
        report_dir: rules.resolved.settings.report_dir.clone(),
        console: &console(&rules.resolved),
    })
}

fn schema(of: SchemaOf) -> Result<Done, CommandError> {
    Ok(Done::ok(match of {
        SchemaOf::Config => config::json_schema(),
        SchemaOf::Session => store::session_schema(),
        SchemaOf::Result => store::result_schema(),
        SchemaOf::Report => render::report_schema()?,
        SchemaOf::History => render::history_schema()?,
        SchemaOf::Noise => render::noise_schema()?,
    }))
}

fn resolve(plan: &PlanArgs) -> Result<Resolved, CommandError> {
    resolve_with(plan.config.as_deref(), &plan.overrides)
}

/// The session says of which commit it is, where the runner tells it and nobody else does.
fn of_this_job(mut resolved: Resolved) -> Resolved {
    let commit = resolved.settings.commit.take();
    resolved.settings.commit = commit.or_else(|| trust::commit_of_this_job(&variable));
    resolved
}

/// For verbs that choose their load levels themselves: a rate in the plan's place, so that it has its spacing of sends.
fn resolve_without_load(plan: &PlanArgs) -> Result<Resolved, CommandError> {
    let mut overrides = plan.overrides.clone();
    overrides.push("rate", "1");
    resolve_with(plan.config.as_deref(), &overrides)
}

fn resolve_with(file: Option<&Path>, flags: &Overrides) -> Result<Resolved, CommandError> {
    Ok(config::resolve(file, &variable, flags)?)
}

/// The rules that a verdict rests on: those of the base in a pull request.
fn rules(config: Option<&Path>, flags: &Overrides) -> Result<Rules, CommandError> {
    trust::rules(&Asked {
        config,
        variable: &variable,
        flags,
    })
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn console(resolved: &Resolved) -> Progress {
    Progress::new(mode(resolved.settings.quiet), complain)
}

fn mode(quiet: bool) -> Mode {
    match (quiet, io::stderr().is_terminal()) {
        (true, _) => Mode::Quiet,
        (false, true) => Mode::Bar,
        (false, false) => Mode::Lines,
    }
}

/// Colour and width of standard output; `NO_COLOR` is honoured.
fn screen() -> Screen {
    let terminal = io::stdout().is_terminal();
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let plain = Screen::default();
    let width = if terminal {
        terminal_size::terminal_size().map(|(width, _)| width.0)
    } else {
        None
    };
    Screen {
        color: terminal && !no_color,
        width: width.unwrap_or(plain.width),
    }
}

/// The error with all its causes.
fn in_full(error: &CommandError) -> String {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, "\n  because: {inner}");
        cause = inner.source();
    }
    text
}

/// Text as the log of a job may hold it: nothing that a server or a file said is a command to GitHub's runner.
fn as_logged(text: &str) -> Cow<'_, str> {
    match variable("GITHUB_ACTIONS").as_deref() {
        Some("true") => Cow::Owned(render::log_safe(text)),
        _ => Cow::Borrowed(text),
    }
}

/// Standard output, which was cut where this is false; a reader that has gone away is no error of ours.
fn print(text: &str) -> bool {
    let text = as_logged(text);
    let mut out = io::stdout().lock();
    let ending = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    match write!(out, "{text}{ending}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("error: cannot write to standard output: {error}"));
            false
        }
        _ => true,
    }
}

/// A warning on the page of the workflow run; nothing outside of GitHub's runners.
fn warn_runner(title: &str, text: &str) {
    if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        let (title, text) = (render::command_property(title), render::command_data(text));
        let _ = writeln!(io::stdout().lock(), "::warning title={title}::{text}");
    }
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", as_logged(line));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::flags::Cli;

    #[test]
    fn clap_accepts_its_own_definitions() {
        Cli::command().debug_assert();
    }
}

//! The door: flags as typed, exit codes, the only place that prints.

mod acting;
pub(crate) mod args;
mod bisect;
mod check;
mod examples;
mod exit;
mod export;
mod flags;
mod follower;
mod forms;
mod import;
mod keeping;
mod launch;
mod launch_k8s;
mod looking;
mod manual;
mod mlperf;
mod painter;
mod posting;
mod profile;
mod profiling;
mod progress;
mod screen;
mod search;
mod sending;
mod serve;
mod sharding;
mod site;
mod stored;
mod watching;

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
    forms::{FormArgs, SchemaOf},
    progress::{Mode, Progress},
    screen::{LiveArgs, has_color, is_dumb, screen},
    search::{LadderArgs, SearchArgs},
};
use crate::{
    commands::{
        self, CommandError, Done, capacity,
        compare::{self, Request},
        demo,
        guard::Guard,
        selftest::{self, Depth},
        show, sweep,
        trust::{self, Asked, Goal, Orders, Rules},
    },
    config::{self, Overrides, Resolved},
    load::Interrupt,
    render, store, target, telemetry,
};

/// Runs one command line and gives its exit code.
pub fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.collect();
    // A mistake on the command line says nothing of a commit.
    let mistake = if args.get(1).is_some_and(|verb| verb == check::NAME) {
        commands::check::OURS
    } else {
        exit::USAGE
    };
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows whether this is help (standard output, 0) or a mistake (standard error).
            let _ = error.print();
            return if error.exit_code() == 0 { 0 } else { mistake };
        }
    };
    match dispatch(cli.verb) {
        Ok(done) => {
            // A verdict that nobody can read must not look like a pass.
            if print(&done.text) || done.exit_code != 0 {
                done.exit_code
            } else {
                mistake
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
        Verb::Run { plan, live, shard } => sharding::measure(&plan, live, &shard),
        Verb::Merge(flags) => sharding::merge(&flags),
        Verb::Launch { verb } => launch::run(&verb),
        verb @ (Verb::Gate { .. } | Verb::Post { .. }) => sending::run(verb),
        Verb::Action => acting::action(),
        Verb::Capacity { plan, search, live } => find_capacity(&plan, &search, live),
        Verb::Sweep { plan, ladder, live } => climb(&plan, &ladder, live),
        Verb::Watch(args) => watching::watch(&args),
        Verb::Compare { files, judge, form } => compare_files(&files, &judge, &form),
        Verb::Show { file, format, tables } => show::show(&file, format.into(), tables.screen(format.into())?),
        Verb::Report {
            file,
            form,
            context,
            profile_diff,
            output,
        } => stored::report(&file, (&form, context, profile_diff.as_deref()), output.as_deref()),
        Verb::Baseline { verb } => stored::baseline(&verb),
        Verb::History(flags) => stored::history(&flags),
        Verb::BisectStep { socket } => Ok(commands::bisect::step(&socket)),
        Verb::Bisect { plan, search } => bisect::run(&plan, &search),
        Verb::Check { plan, check, live } => Ok(check::run(&plan, &check, live)),
        Verb::Import(args) => import::run(&args),
        Verb::Mlperf { verb } => mlperf::run(&verb),
        Verb::Profile { verb } => profile::run(verb),
        Verb::Noise {
            files,
            noise,
            plan,
            live,
        } => stored::noise(files, &noise, &plan, live),
        Verb::Config { verb } => show_config(&verb),
        Verb::Export(flags) => export::export(&flags),
        Verb::Site(flags) => site::site(&flags, &complain),
        Verb::Init { path, force } => commands::init::init(&path, force),
        Verb::Schema { of } => schema(of),
        Verb::Sim { engine } => serve::sim(*engine, &|text| {
            print(text);
        }),
        Verb::Selftest { quick, store, quiet } => test_itself(quick, store, quiet),
        Verb::Demo {
            clean,
            bisect,
            quiet,
            live,
        } => {
            let console = Progress::new(mode(quiet, live), None, complain);
            if bisect {
                return commands::demo_bisect::demo(quiet, &console);
            }
            demo::demo(clean, screen(), &console, &Interrupt::on_ctrl_c())
        }
        Verb::Completions { shell } => Ok(manual::completions(shell)),
        Verb::Man { dir } => manual::man(&dir),
    }
}

fn show_config(ConfigVerb::Show { plan }: &ConfigVerb) -> Result<Done, CommandError> {
    let (resolved, _) = orders(plan.config.as_deref(), &plan.overrides, LiveArgs::default())?;
    Ok(Done::ok(config::show(&resolved) + &commands::runner::shown(&resolved)))
}

fn test_itself(quick: bool, store: bool, quiet: bool) -> Result<Done, CommandError> {
    let depth = if quick { Depth::Quick } else { Depth::Full };
    let console = Progress::new(mode(quiet, LiveArgs::default()), None, complain);
    selftest::selftest(depth, store, &console, &Interrupt::on_ctrl_c())
}

fn find_capacity(plan: &PlanArgs, search: &SearchArgs, live: LiveArgs) -> Result<Done, CommandError> {
    let (resolved, console) = orders_without_load(plan, live)?;
    let keys = (
        trust::secrets(&resolved, Goal::Target, &variable)?,
        &Guard::of_job(&resolved, &variable),
    );
    let (search, interrupt) = (search.capacity(&resolved), Interrupt::on_ctrl_c_then(target::stop_all));
    capacity::capacity(&resolved, search, keys, screen(), &console, &interrupt)
}

fn climb(plan: &PlanArgs, ladder: &LadderArgs, live: LiveArgs) -> Result<Done, CommandError> {
    let (resolved, console) = orders_without_load(plan, live)?;
    let keys = (
        trust::secrets(&resolved, Goal::Target, &variable)?,
        &Guard::of_job(&resolved, &variable),
    );
    let (ladder, interrupt) = (ladder.ladder(&resolved), Interrupt::on_ctrl_c_then(target::stop_all));
    sweep::sweep(&resolved, &ladder, keys, screen(), &console, &interrupt)
}

fn compare_files(files: &[PathBuf], judge: &JudgeArgs, form: &FormArgs) -> Result<Done, CommandError> {
    let rules = rules(judge.config.as_deref(), &judge.overrides)?;
    let template = form.template.as_deref();
    let template = template.map(|path| trust::template(path, rules.trusted.as_ref()));
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
        format: form.format.into(),
        template: template.transpose()?.as_ref(),
        screen: form.screen()?,
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
        SchemaOf::Context => render::context_schema()?,
        SchemaOf::Profile => render::profile_schema()?,
        SchemaOf::ProfileDiff => render::profile_diff_schema()?,
    }))
}

/// What is measured, by the configuration of whoever's rules hold in this job; the session says of which commit it is, where the
/// runner tells it and nobody else does.
fn orders(config: Option<&Path>, flags: &Overrides, live: LiveArgs) -> Result<(Resolved, Progress), CommandError> {
    let Orders { mut resolved, trusted } = trust::orders(&asked(config, flags))?;
    choose_gpus(&resolved);
    let commit = resolved.settings.commit.take();
    if commit.is_none() {
        resolved.settings.built = trust::built_in_this_job(&variable, Path::new("."));
    }
    resolved.settings.commit = commit.or_else(|| trust::commit_of_this_job(&variable));
    let console = measuring(&resolved, live);
    trust::tell(trusted.as_ref(), &console);
    Ok((resolved, console))
}

/// For verbs that choose their load levels themselves: a rate in the plan's place, so that it has its spacing of sends.
fn orders_without_load(plan: &PlanArgs, live: LiveArgs) -> Result<(Resolved, Progress), CommandError> {
    let mut overrides = plan.overrides.clone();
    overrides.push("rate", "1");
    let (resolved, console) = orders(plan.config.as_deref(), &overrides, live)?;
    if let Some(scenario) = &resolved.plan.scenario {
        return Err(CommandError::Usage(format!(
            "the scenario `{}` fixes its load: measure it with `perfgate run`; for a search, remove it and give its limits as `slo`",
            scenario.kind.name()
        )));
    }
    Ok((resolved, console))
}

fn resolve_with(file: Option<&Path>, flags: &Overrides) -> Result<Resolved, CommandError> {
    Ok(config::resolve(file, &variable, flags)?)
}

/// Before anybody looks at a GPU.
fn choose_gpus(resolved: &Resolved) {
    telemetry::choose_gpus(telemetry::GpuChoice {
        gpus: resolved.settings.gpus.clone(),
        library: resolved.settings.nvml_lib.clone(),
    });
}

/// The rules that a verdict rests on: those of the base in a pull request.
fn rules(config: Option<&Path>, flags: &Overrides) -> Result<Rules, CommandError> {
    let rules = trust::rules(&asked(config, flags))?;
    choose_gpus(&rules.resolved);
    Ok(rules)
}

fn asked<'a>(config: Option<&'a Path>, flags: &'a Overrides) -> Asked<'a> {
    Asked {
        config,
        variable: &variable,
        flags,
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Where a verb talks that measures nothing.
fn console(resolved: &Resolved) -> Progress {
    Progress::new(mode(resolved.settings.quiet, LiveArgs::default()), None, complain)
}

/// Where a verb talks that measures into the session file.
fn measuring(resolved: &Resolved, live: LiveArgs) -> Progress {
    let settings = &resolved.settings;
    Progress::new(mode(settings.quiet, live), Some(&settings.output), complain)
}

fn mode(quiet: bool, live: LiveArgs) -> Mode {
    let is_terminal = io::stderr().is_terminal() && !is_dumb(&variable);
    match (quiet, is_terminal, live.watch) {
        (true, _, _) => Mode::Quiet,
        (false, false, false) => Mode::Lines,
        (false, false, true) => Mode::Figures,
        (false, true, false) => Mode::Bar,
        (false, true, true) => view_or_bar(),
    }
}

fn view_or_bar() -> Mode {
    let (least_columns, least_lines) = render::LEAST_VIEW;
    match painter::size_of_stderr() {
        Some((columns, lines)) if columns < least_columns || lines < least_lines => {
            complain(&format!(
                "this terminal has {columns} columns and {lines} lines; `--watch` needs {least_columns} and {least_lines}, and \
                 shows a bar here"
            ));
            Mode::Bar
        }
        _ => Mode::View {
            color: has_color(true, &variable),
        },
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

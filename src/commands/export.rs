//! `perfgate export`: a session or a verdict in the form of another tool.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    CommandError, Console, Done,
    guard::{Guard, found},
    present, report as stored_report,
    show::read_session,
};
use crate::{
    measure,
    metric::Better,
    render::export::{self, LlmDPlace},
    report::{self, Arm, Figure, Report},
    session::{CellRuns, Run, Session},
};

/// The other tool's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bencher Metric Format.
    Bencher,
    /// The custom JSON of github-action-benchmark.
    ActionBenchmark,
    /// `OpenMetrics` text.
    OpenMetrics,
    /// A line for each figure of each run.
    Csv,
    /// `JUnit` XML.
    Junit,
    /// Request records, one JSON object a line.
    Requests,
    /// llm-d's Benchmark Report v0.2.
    LlmD,
}

/// What is exported, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// A session, a baseline, or a `report.json`.
    pub file: &'a Path,
    /// The form.
    pub form: Form,
    /// Only figures that are better in this direction, where the form holds one direction.
    pub better: Option<Better>,
    /// Only this cell, by its name, where the form is of one run.
    pub cell: Option<&'a str>,
    /// Only this run of each cell, from 1, likewise.
    pub run: Option<usize>,
    /// The file to write, or a folder where there are several; `None`: standard output.
    pub output: Option<&'a Path>,
}

/// What was read.
enum Input {
    Session(Box<Session>),
    Report(Box<Report>),
}

/// A text, with what its file is called where there are several.
struct Part {
    name: String,
    text: String,
}

/// Writes the figures, checks or requests of a file as another tool reads them; no secret of this job is in it.
///
/// # Errors
/// When the file cannot be read or holds nothing of what the form is of, or the output cannot be written.
pub fn export(asked: &Asked<'_>, guard: &Guard, console: &dyn Console) -> Result<Done, CommandError> {
    let input = read(asked.file)?;
    let parts: Vec<Part> = parts(asked, &input)?
        .into_iter()
        .map(|part| clean(part, guard, console))
        .collect();
    match (asked.output, parts.as_slice()) {
        (None, [only]) => Ok(Done::ok(only.text.clone())),
        (Some(path), [only]) if !is_folder(path) => present::write_text(path, &only.text).map(|()| Done::ok("")),
        (Some(path), _) if asked.form == Form::ActionBenchmark => both_directions(path, &parts, console),
        (Some(path), _) if is_folder(path) => into_folder(path, &parts, console),
        _ => Err(several(asked.form, parts.len())),
    }
}

/// The head of a file tells which it is: both kinds begin with their `schema`.
fn read(file: &Path) -> Result<Input, CommandError> {
    const HEAD_BYTES: u64 = 4096;
    let mut head = Vec::new();
    if let Ok(open) = File::open(file) {
        // What cannot be read is told by who reads it whole.
        let _ = open.take(HEAD_BYTES).read_to_end(&mut head);
    }
    if String::from_utf8_lossy(&head).contains("\"perfgate-llm/report/") {
        return stored_report::read(file).map(|report| Input::Report(Box::new(report)));
    }
    read_session(file).map(|session| Input::Session(Box::new(session)))
}

fn parts(asked: &Asked<'_>, input: &Input) -> Result<Vec<Part>, CommandError> {
    let one = |text: String| {
        vec![Part {
            name: String::new(),
            text,
        }]
    };
    if asked.form != Form::LlmD && (asked.cell.is_some() || asked.run.is_some()) {
        return Err(usage("`--cell` and `--run` are for `--to llm-d`, which is of one run"));
    }
    if asked.form != Form::ActionBenchmark && asked.better.is_some() {
        return Err(usage(
            "`--better` is for `--to github-action-benchmark`, whose files hold one direction",
        ));
    }
    Ok(match (asked.form, input) {
        (Form::Junit, Input::Report(report)) => one(export::junit(report)),
        (Form::Junit, Input::Session(_)) => {
            return Err(usage(
                "a session holds no checks; give the `report.json` of `perfgate gate` or `perfgate compare`",
            ));
        }
        (Form::Requests | Form::LlmD, Input::Session(session)) if holds_no_request(session) => {
            return Err(without_requests(session));
        }
        (Form::Requests, Input::Session(session)) => one(export::request_lines(session)?),
        (Form::LlmD, Input::Session(session)) => runs(asked, session)?,
        (Form::Requests | Form::LlmD, Input::Report(_)) => {
            return Err(usage("a report holds no requests; give the session file itself"));
        }
        (Form::Csv, Input::Report(report)) => one(export::csv(&export::arms_of(report))?),
        (Form::Csv, Input::Session(session)) => one(export::csv(&[(arm_name(session), &described(asked, session))])?),
        (Form::OpenMetrics, Input::Report(report)) => {
            one(export::open_metrics(&export::arms_of(report), Some(report))?)
        }
        (Form::OpenMetrics, Input::Session(session)) => {
            let arm = described(asked, session);
            one(export::open_metrics(&[(arm_name(session), &arm)], None)?)
        }
        (Form::Bencher | Form::ActionBenchmark, Input::Report(report)) => dashboard(asked, &report.candidate)?,
        (Form::Bencher | Form::ActionBenchmark, Input::Session(session)) => {
            dashboard(asked, &described(asked, session))?
        }
    })
}

fn holds_no_request(session: &Session) -> bool {
    let mut runs = session.cells.iter().flat_map(|cell| &cell.runs);
    runs.all(|run| run.requests.is_empty())
}

/// Why there is nothing to write, which an empty file would not tell.
fn without_requests(session: &Session) -> CommandError {
    let mut runs = session.cells.iter().flat_map(|cell| &cell.runs);
    if !runs.any(Run::is_only_stated) {
        return usage("the session holds no request: there is nothing to export");
    }
    CommandError::Usage(format!(
        "the session has the figures that {} states, and no request records; export those (`--to csv`), or import a result that \
         has its requests",
        session.tool_version
    ))
}

fn described(asked: &Asked<'_>, session: &Session) -> Arm {
    report::describe(&asked.file.display().to_string(), session)
}

/// A session by itself is what a dashboard would call the candidate.
fn arm_name(session: &Session) -> &'static str {
    session
        .pairing
        .as_ref()
        .map_or("candidate", |pairing| pairing.arm.name())
}

/// What a dashboard keeps of a commit: the figures of one arm, if there are any.
fn dashboard(asked: &Asked<'_>, arm: &Arm) -> Result<Vec<Part>, CommandError> {
    let mut figures = arm.cells.iter().flat_map(|cell| cell.metrics.values());
    if !figures.any(|figure| matches!(figure, Figure::Measured { .. })) {
        return Err(usage("no figure of it was measured: there is nothing to export"));
    }
    if asked.form == Form::Bencher {
        return Ok(vec![Part {
            name: String::new(),
            text: export::bencher(arm)?,
        }]);
    }
    let directions = asked
        .better
        .map_or(vec![Better::Lower, Better::Higher], |better| vec![better]);
    let parts = directions.into_iter().map(|better| {
        Ok(Part {
            name: tool(better).to_owned(),
            text: export::action_benchmark(arm, better)?,
        })
    });
    parts.collect()
}

/// As github-action-benchmark calls it.
const fn tool(better: Better) -> &'static str {
    match better {
        Better::Lower => "customSmallerIsBetter",
        Better::Higher => "customBiggerIsBetter",
    }
}

/// The runs that are asked for, each as a report; one that Ctrl-C cut carries no figure.
fn runs(asked: &Asked<'_>, session: &Session) -> Result<Vec<Part>, CommandError> {
    let levels = session.cells.iter().flat_map(|cell| {
        let levels = measure::levels(cell, &session.plan);
        (0_u16..).zip(levels)
    });
    let wanted = |cell: &CellRuns| asked.cell.is_none_or(|name| cell.name == name);
    let mut parts = Vec::new();
    for (at, (stage, cell)) in levels.enumerate().filter(|(_, (_, cell))| wanted(cell)) {
        let numbered = (1..).zip(&cell.runs);
        let is_whole = |run: &Run| !session.was_cut_by_interrupt(run) && !run.requests.is_empty();
        for (number, run) in numbered.filter(|(number, _)| asked.run.is_none_or(|asked| asked == *number)) {
            if !is_whole(run) {
                continue;
            }
            let place = LlmDPlace {
                session,
                cell: &cell,
                run,
                stage,
            };
            parts.push(Part {
                name: format!("benchmark_report_v0.2_cell{}_run{number}.json", at + 1),
                text: export::llm_d(&place)?,
            });
        }
    }
    if parts.is_empty() {
        let names: Vec<String> = session.cells.iter().map(|cell| format!("`{}`", cell.name)).collect();
        return Err(CommandError::Usage(format!(
            "there is no such run with requests; the cells are {}",
            names.join(", ")
        )));
    }
    Ok(parts)
}

fn clean(part: Part, guard: &Guard, console: &dyn Console) -> Part {
    if !guard.finds(&part.text) {
        return part;
    }
    console.warn(&found("the export"));
    Part {
        text: guard.clean(&part.text).into_owned(),
        ..part
    }
}

/// One that is there, or is called like one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// `bench.json` becomes `bench.customSmallerIsBetter.json` and `bench.customBiggerIsBetter.json`.
fn both_directions(path: &Path, parts: &[Part], console: &dyn Console) -> Result<Done, CommandError> {
    for part in parts {
        let path = if is_folder(path) {
            path.join(format!("{}.json", part.name))
        } else {
            path.with_extension(format!("{}.json", part.name))
        };
        present::write_text(&path, &part.text)?;
        console.say(&format!("`{}` is for `tool: {}`", path.display(), part.name));
    }
    Ok(Done::ok(""))
}

fn into_folder(folder: &Path, parts: &[Part], console: &dyn Console) -> Result<Done, CommandError> {
    for part in parts {
        let name = if part.name.is_empty() { "export" } else { &part.name };
        let path: PathBuf = folder.join(name);
        present::write_text(&path, &part.text)?;
        console.say(&format!("wrote `{}`", path.display()));
    }
    Ok(Done::ok(""))
}

fn several(form: Form, parts: usize) -> CommandError {
    match form {
        Form::ActionBenchmark => usage(
            "github-action-benchmark takes figures of one direction: choose with `--better lower` (`tool: \
             customSmallerIsBetter`) or `--better higher` (`tool: customBiggerIsBetter`), or name a file with `-o`, beside \
             which both are written",
        ),
        _ => CommandError::Usage(format!(
            "an llm-d report is of one run, and there are {parts}: choose with `--cell` and `--run`, or give a folder with `-o \
             DIR/`"
        )),
    }
}

fn usage(text: &str) -> CommandError {
    CommandError::Usage(text.to_owned())
}

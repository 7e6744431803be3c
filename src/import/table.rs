//! A plain table with a line for each request, CSV or JSON, whose columns are named by `--map`.
//!
//! `--map ttft_ms=ttft` takes TTFT in milliseconds from the column `ttft`; a number in place of a column (`concurrency=8`) is the same
//! for all lines. Nothing is guessed: a figure without a column is absent.

mod cell;
mod lines;

use std::{collections::BTreeMap, path::Path};

use self::lines::{Cell, Line, Wanted};
use super::{
    ForeignRun, Format, ImportError,
    detect::{Folder, Part},
    numbers::{self, ns_of_s},
    run::{Told, bad, failed},
    samples::Samples,
};
use crate::{
    plan::{Arrivals, Load},
    session::{Outcome, RequestRecord, TokensFrom},
};

pub(super) const FORMAT: Format = Format {
    name: "table",
    what: "a table of requests (`--map`)",
    recognise: |_| None,
    read,
};

/// Figures of a time, each with `_s`, `_ms`, `_us` or `_ns` behind it.
const TIMES: [&str; 4] = ["start", "ttft", "tpot", "e2e"];
/// The other figures.
const OTHERS: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "error",
    "concurrency",
    "rate_rps",
    "run",
];
const UNITS: [(&str, f64); 4] = [("_ms", 1e-3), ("_us", 1e-6), ("_ns", 1e-9), ("_s", 1.0)];

/// Where each figure comes from.
struct Map<'a> {
    path: &'a Path,
    /// The columns (or numbers) that are named.
    names: Vec<&'a str>,
    /// `columns[figure]` is the place of one of them, with what makes seconds of it.
    columns: BTreeMap<&'a str, (usize, f64)>,
    /// All that says what was measured, as it was given: the load and the run stand elsewhere.
    shown: String,
}

fn read(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for part in folder.files {
        let map = Map::of(&part.path, &folder.options.columns)?;
        let texts: Vec<&str> = ["error", "run"]
            .iter()
            .filter_map(|figure| map.column(figure))
            .collect();
        let wanted = Wanted {
            columns: &map.names,
            texts: &texts,
        };
        runs.extend(runs_of(part, lines::read(part, folder, &wanted)?, &map)?);
    }
    Ok(runs)
}

impl<'a> Map<'a> {
    fn of(path: &'a Path, columns: &'a [(String, String)]) -> Result<Self, ImportError> {
        let mut found: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        let mut names: Vec<&str> = Vec::new();
        for (figure, column) in columns {
            let timed = UNITS.iter().find_map(|(unit, seconds)| {
                let stem = figure.strip_suffix(unit)?;
                TIMES.contains(&stem).then_some((stem, *seconds))
            });
            let other = OTHERS.contains(&figure.as_str()).then_some((figure.as_str(), 1.0));
            let Some((stem, factor)) = timed.or(other) else {
                return Err(unusable(
                    path,
                    format!(
                        "`--map {figure}=…` names no figure that is known: {} with `_s`, `_ms`, `_us` or `_ns`, or {}",
                        TIMES.join(", "),
                        OTHERS.join(", ")
                    ),
                ));
            };
            let at = names.iter().position(|name| *name == column).unwrap_or_else(|| {
                names.push(column);
                names.len() - 1
            });
            if let Some((first, _)) = found.insert(stem, (at, factor)) {
                let first = names.get(first).copied().unwrap_or_default();
                let problem = format!("`--map` takes `{stem}` twice, from `{first}` and from `{column}`; give it once");
                return Err(unusable(path, problem));
            }
        }
        if !["ttft", "tpot", "e2e"].iter().any(|figure| found.contains_key(figure)) {
            return Err(unusable(
                path,
                "say which column holds a latency, as in `--map ttft_ms=ttft` (`ttft`, `tpot`, `e2e`)".into(),
            ));
        }
        let is_measured = |figure: &&str| !matches!(*figure, "concurrency" | "rate_rps" | "run");
        let mut shown: Vec<String> = columns
            .iter()
            .filter(|(figure, _)| is_measured(&figure.as_str()))
            .map(|(figure, column)| format!("{figure}={column}"))
            .collect();
        shown.sort();
        Ok(Self {
            path,
            names,
            columns: found,
            shown: shown.join(" "),
        })
    }

    /// The value of a figure in a line; `None` where the line has none.
    fn number(&self, figure: &str, line: &Line) -> Result<Option<f64>, ImportError> {
        let Some((at, factor)) = self.columns.get(figure).copied() else {
            return Ok(None);
        };
        let column = self.names.get(at).copied().unwrap_or_default();
        let text = match line.get(at) {
            Some(Cell::Number(number)) => return Ok(Some(number * factor)),
            Some(Cell::Text(text)) => text,
            None if column.parse::<f64>().is_ok() => column,
            None => return Err(self.no_column(column, line)),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let number = text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite() && *number >= 0.0);
        let number = number.ok_or_else(|| {
            bad(
                self.path,
                &line.place(column),
                format!("is `{text}`, no number from 0 up"),
            )
        })?;
        Ok(Some(number * factor))
    }

    /// The column of a figure.
    fn column(&self, figure: &str) -> Option<&'a str> {
        let (at, _) = self.columns.get(figure)?;
        self.names.get(*at).copied()
    }

    /// What stands in the column of a figure; `None`: nothing was said of it.
    fn text<'l>(&self, figure: &str, line: &'l Line) -> Result<Option<&'l str>, ImportError> {
        let Some(((at, _), column)) = self.columns.get(figure).zip(self.column(figure)) else {
            return Ok(None);
        };
        match line.get(*at) {
            Some(Cell::Text(text)) => Ok(Some(text)),
            _ => Err(self.no_column(column, line)),
        }
    }

    fn no_column(&self, column: &str, line: &Line) -> ImportError {
        let known: Vec<String> = line.columns().map(|name| format!("`{name}`")).collect();
        unusable(
            self.path,
            format!("there is no column `{column}`; there are {}", known.join(", ")),
        )
    }

    /// Why the request of a line failed; `None`: it did not.
    fn failure(&self, line: &Line) -> Result<Option<Outcome>, ImportError> {
        let Some(text) = self.text("error", line)? else {
            return Ok(None);
        };
        let none = ["", "0", "false", "False", "null", "None"];
        Ok((!none.contains(&text)).then(|| failed(text)))
    }

    fn load(&self, line: &Line) -> Result<Load, ImportError> {
        if let Some(rate_rps) = self.number("rate_rps", line)?.filter(|rate| *rate > 0.0) {
            return Ok(Load::Rate {
                rate_rps,
                arrivals: Arrivals::Poisson,
            });
        }
        let streams = self.number("concurrency", line)?.and_then(numbers::count_u32);
        streams
            .filter(|streams| *streams > 0)
            .map(Load::Concurrency)
            .ok_or_else(|| {
                unusable(
                    self.path,
                    "say how hard it pressed: `--map concurrency=8` or `--map rate_rps=4`, a number or a column".into(),
                )
            })
    }
}

fn unusable(path: &Path, problem: String) -> ImportError {
    ImportError::Unusable {
        path: path.to_owned(),
        problem,
    }
}

/// One run for each load level, and for each value of `run`, in the order of the lines.
fn runs_of(part: &Part, lines: Vec<Line>, map: &Map<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let mut groups: Vec<(Load, String, Vec<Line>)> = Vec::new();
    for line in lines {
        let load = map.load(&line)?;
        let run = map.text("run", &line)?.unwrap_or_default().to_owned();
        match groups.iter_mut().find(|(own, name, _)| *own == load && *name == run) {
            Some((_, _, lines)) => lines.push(line),
            None => groups.push((load, run, vec![line])),
        }
    }
    let runs = groups
        .into_iter()
        .map(|(load, _, lines)| run_of(part, load, &lines, map));
    runs.collect()
}

fn run_of(part: &Part, load: Load, lines: &[Line], map: &Map<'_>) -> Result<ForeignRun, ImportError> {
    let mut run = ForeignRun::new(&part.path, "table", "table/1", load);
    run.workload = "table".into();
    run.streaming = map.columns.contains_key("ttft");
    run.ask("map", Some(&map.shown));
    let mut samples = Samples::default();
    let (mut completed, mut input, mut output) = (0_u32, Some(0_u64), Some(0_u64));
    for line in lines {
        if map.failure(line)?.is_some() {
            samples.failed += 1;
            continue;
        }
        completed += 1;
        let ms = |figure| Ok::<_, ImportError>(map.number(figure, line)?.map(|seconds| seconds * 1e3));
        for (figure, found) in [
            ("ttft", &mut samples.ttft_ms),
            ("tpot", &mut samples.tpot_ms),
            ("e2e", &mut samples.e2e_ms),
        ] {
            let told = ms(figure)?;
            // TPOT is of answers with several tokens alone.
            if told.is_none() && figure != "tpot" && map.columns.contains_key(figure) {
                let told = "is empty, and the request did not fail".to_owned();
                return Err(bad(&part.path, &line.place(figure), told));
            }
            found.extend(told);
        }
        let count = |figure| Ok::<_, ImportError>(map.number(figure, line)?.and_then(numbers::count));
        let add = |sum: Option<u64>, tokens: Option<u64>| sum.zip(tokens).and_then(|(sum, more)| sum.checked_add(more));
        input = add(input, count("input_tokens")?);
        output = add(output, count("output_tokens")?);
    }
    let failed = f64::from(u32::try_from(samples.failed).unwrap_or(u32::MAX));
    let failed = map.columns.contains_key("error").then_some(("error", failed));
    let mut told = Told::of(&part.path, ("lines", f64::from(completed)), failed)?.tokens(input, output);
    samples.tell(&mut told);
    run.run.stated = told.stated();
    if map.columns.contains_key("start") && map.columns.contains_key("e2e") {
        run.run.requests = records(&part.path, lines, map)?;
    }
    Ok(run)
}

fn records(path: &Path, lines: &[Line], map: &Map<'_>) -> Result<Vec<RequestRecord>, ImportError> {
    let starts: Vec<Option<f64>> = lines
        .iter()
        .map(|line| map.number("start", line))
        .collect::<Result<_, _>>()?;
    let begin_s = starts.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let mut records = Vec::with_capacity(lines.len());
    for (index, (line, start_s)) in lines.iter().zip(starts).enumerate() {
        let lacks = |what: &str| bad(path, &line.place(what), "is empty, and every request has one".into());
        let ns = |seconds: f64, what: &str| {
            ns_of_s(seconds).ok_or_else(|| bad(path, &line.place(what), format!("is `{seconds}` s, which cannot be")))
        };
        let sent_ns = ns(start_s.ok_or_else(|| lacks("start"))? - begin_s, "start")?;
        let outcome = map.failure(line)?;
        let e2e_s = match (map.number("e2e", line)?, &outcome) {
            (Some(e2e_s), _) => e2e_s,
            (None, Some(_)) => 0.0,
            (None, None) => return Err(lacks("e2e")),
        };
        let end_ns = sent_ns.saturating_add(ns(e2e_s, "e2e")?);
        let first_ns = map
            .number("ttft", line)?
            .map(|seconds| ns(seconds, "ttft"))
            .transpose()?;
        let first_ns = first_ns
            .map(|ttft_ns| sent_ns.saturating_add(ttft_ns))
            .filter(|_| outcome.is_none());
        if first_ns.is_some_and(|first_ns| first_ns > end_ns) {
            return Err(bad(
                path,
                &line.place("ttft"),
                "is longer than the whole request".into(),
            ));
        }
        let count = |figure| Ok::<_, ImportError>(map.number(figure, line)?.and_then(numbers::count_u32));
        records.push(RequestRecord {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            sent_ns,
            first_token_ns: first_ns,
            // The end of a request is not its last token: no TPOT is made of it.
            end_ns,
            input_tokens: count("input_tokens")?,
            output_tokens: count("output_tokens")?,
            tokens_from: TokensFrom::Tokenizer,
            outcome: outcome.unwrap_or_default(),
            ..RequestRecord::default()
        });
    }
    Ok(records)
}

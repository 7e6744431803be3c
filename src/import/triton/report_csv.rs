//! `perf_analyzer`'s table (`-f`): a line for each load level, times in whole microseconds.
//!
//! Which columns there are depends on the server and on flags, so that they are taken by their names. Of how many requests its
//! figures are, and how many failed, it does not tell.

use std::path::Path;

use crate::{
    import::{
        ImportError, csv,
        detect::{Folder, Part},
        numbers,
        run::{ForeignRun, Told, bad},
    },
    metric::{Metric, Percentile},
    plan::{Api, Arrivals, Load},
};

const STREAMS: &str = "Concurrency";
const RATE: &str = "Request Rate";
const THROUGHPUT: &str = "Inferences/Second";

/// Whether such a table begins with this line.
pub(super) fn is_one(line: &str) -> bool {
    let row = csv::rows(line).next().and_then(Result::ok);
    let (_, row) = row.unwrap_or_default();
    let mut columns = row.iter().map(String::as_str);
    matches!(columns.next(), Some(STREAMS | RATE)) && columns.next() == Some(THROUGHPUT)
}

/// One run a line.
pub(super) fn read(folder: &Folder<'_>, parts: &[&Part]) -> Result<Vec<ForeignRun>, ImportError> {
    let mut runs = Vec::new();
    for part in parts {
        let path = &part.path;
        let bytes = folder.bytes(part)?;
        let text = str::from_utf8(&bytes).map_err(|_| ImportError::Unusable {
            path: path.clone(),
            problem: "it is no UTF-8 text".into(),
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let rows: Result<Vec<_>, _> = csv::rows(text.trim_start()).collect();
        let mut rows = rows.map_err(|broken| broken.of(path))?.into_iter();
        let (_, header) = rows.next().unwrap_or_default();
        check(path, &header)?;
        // Each of its lines is ended, and a cut one would have smaller numbers.
        let ended = text.ends_with('\n');
        let rows: Vec<(usize, Vec<String>)> = rows
            .filter(|(_, row)| row.iter().any(|field| !field.is_empty()))
            .collect();
        for (at, (line, values)) in rows.iter().enumerate() {
            let is_last = at + 1 == rows.len();
            if values.len() < header.len() || (is_last && !ended) {
                return Err(ImportError::CutOff {
                    path: path.clone(),
                    line: *line,
                });
            }
            runs.push(run_of(path, *line, (&header, values))?);
        }
    }
    Ok(runs)
}

/// No column twice, and the percentiles are there: the tables of models inside an ensemble have none.
fn check(path: &Path, header: &[String]) -> Result<(), ImportError> {
    let twice = header
        .iter()
        .enumerate()
        .find(|(at, column)| header.iter().take(*at).any(|other| other == *column));
    if let Some((_, column)) = twice {
        let column: String = column.chars().take(40).collect();
        return Err(bad(path, "line 1", format!("has the column `{column}` twice")));
    }
    if !header.iter().any(|column| column.ends_with(" latency")) {
        return Err(ImportError::Unusable {
            path: path.to_owned(),
            problem: "it has no percentiles: it is of a model inside an ensemble; give the table of the ensemble"
                .into(),
        });
    }
    Ok(())
}

fn run_of(path: &Path, line: usize, (header, values): (&[String], &[String])) -> Result<ForeignRun, ImportError> {
    let value = |column: &str| {
        let at = header.iter().position(|own| *own == column)?;
        values.get(at).map(String::as_str)
    };
    let number = |column: &str| -> Result<Option<f64>, ImportError> {
        let Some(text) = value(column) else { return Ok(None) };
        let number = text.parse::<f64>().ok();
        number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .map(Some)
            .ok_or_else(|| {
                let text: String = text.chars().take(40).collect();
                bad(
                    path,
                    &format!("line {line}, {column}"),
                    format!("is `{text}`, no number from 0 up"),
                )
            })
    };
    let streams = number(STREAMS)?
        .and_then(numbers::count_u32)
        .filter(|streams| *streams > 0);
    let rate = number(RATE)?
        .filter(|rate_rps| *rate_rps > 0.0)
        .map(|rate_rps| Load::Rate {
            rate_rps,
            arrivals: Arrivals::Constant,
        });
    let load = streams.map(Load::Concurrency).or(rate).ok_or_else(|| {
        let column = header.first().map(String::as_str).unwrap_or_default();
        bad(path, &format!("line {line}, {column}"), "is no load above zero".into())
    })?;
    let mut run = ForeignRun::new(path, "perf_analyzer", "perf-analyzer-table/1", load);
    (run.api, run.streaming) = (Api::KserveInfer, false);
    run.workload = "perf_analyzer".into();
    let mut told = Told::of_untold();
    told.figure(path, THROUGHPUT, (Metric::Qps, number(THROUGHPUT)?, 0))?;
    for percentile in Percentile::ALL {
        let column = format!("p{} latency", percentile.percent());
        // Whole microseconds: a zero is less than one.
        let ms = number(&column)?.filter(|us| *us > 0.0).map(|us| us / 1e3);
        told.figure(path, &column, (Metric::E2e(percentile), ms, 0))?;
    }
    run.run.stated = told.stated();
    run.notes.push(
        "perf_analyzer's table does not tell of how many requests its figures are, nor how many failed: none of its checks can \
         pass; import its `--profile-export-file`"
            .into(),
    );
    Ok(run)
}

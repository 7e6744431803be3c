//! `nsys stats --report cuda_gpu_kern_sum`: how often each kernel ran, and how long in all.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    csv::{self, number, unit_ns, whole},
    name_of,
};
use crate::{
    op_table::{Clock, KernelRow, OpTable, Phase, PhaseTable, Source},
    profile::ProfileError,
    stats::real,
};

/// How far the sum of all shares may lie from 100 %, for each row: they are written with one digit.
const ROUNDING_PCT: f64 = 0.06;

/// Where the header of such a file begins; lines of the tool come before it.
pub(super) fn header(text: &str) -> Option<usize> {
    csv::line_that(text, |line| {
        let line = line.replace(['"', ' '], "");
        line.starts_with("Time(%),TotalTime(") && line.contains(",Instances,") && line.ends_with(",Name")
    })
}

/// Whether `nsys stats` says that there are no kernels.
pub(super) fn is_silent(text: &str) -> bool {
    text.contains("SKIPPED:") && text.contains("does not contain CUDA kernel data")
}

/// Whether it is the JSON of this report.
pub(super) fn is_json(text: &str) -> bool {
    let begins = text.find('[').and_then(|at| text.get(at..));
    let head: String = begins
        .unwrap_or_default()
        .chars()
        .take(2000)
        .filter(|sign| !sign.is_whitespace())
        .collect();
    head.starts_with("[{\"Time(%)\":") && head.contains("\"Instances\":") && head.contains("\"TotalTime(")
}

/// One kernel as the report has it.
struct Sum {
    share_pct: f64,
    total: f64,
    instances: f64,
    grid: Option<[u32; 3]>,
    block: Option<[u32; 3]>,
    name: String,
}

/// # Errors
/// It is cut off, has no kernels, or its columns are not those of the report.
pub(super) fn read_csv(path: &Path, text: &str) -> Result<OpTable, ProfileError> {
    let Some(at) = header(text) else {
        return Err(empty(path));
    };
    let (_, table) = text.split_at(at);
    let rows = csv::rows(table).ok_or_else(|| ProfileError::CutOff { path: path.to_owned() })?;
    let Some((header, rows)) = rows.split_first() else {
        return Err(empty(path));
    };
    let header: Vec<&str> = header.iter().map(|name| name.trim()).collect();
    // Another report may follow; its rows have another length.
    let rows = rows.iter().take_while(|row| row.len() > 1);
    let mut sums = Vec::new();
    for row in rows {
        if row.len() != header.len() {
            return Err(ProfileError::CutOff { path: path.to_owned() });
        }
        let get = |wanted: &str| {
            let at = header.iter().position(|name| is_column(name, wanted))?;
            row.get(at).map(String::as_str)
        };
        let sum = sum(&|name| get(name).and_then(number), &|name| get(name).map(str::to_owned));
        sums.push(sum.ok_or_else(|| malformed(path, &row.join(",")))?);
    }
    table_of(path, header.iter().copied(), sums)
}

/// # Errors
/// As of [`read_csv`].
pub(super) fn read_json(path: &Path, text: &str) -> Result<OpTable, ProfileError> {
    let begins = text.find('[').and_then(|at| text.get(at..)).unwrap_or_default();
    let rows: Vec<Map<String, Value>> = serde_json::from_str(begins.trim_end()).map_err(|error| {
        if error.is_eof() {
            ProfileError::CutOff { path: path.to_owned() }
        } else {
            malformed(path, &error.to_string())
        }
    })?;
    let mut sums = Vec::new();
    for row in &rows {
        let get = |wanted: &str| {
            row.iter()
                .find(|(name, _)| is_column(name, wanted))
                .map(|(_, value)| value)
        };
        let numeric = |name: &str| match get(name)? {
            Value::String(text) => number(text),
            value => value.as_f64(),
        };
        let text = |name: &str| get(name)?.as_str().map(str::to_owned);
        sums.push(sum(&numeric, &text).ok_or_else(|| malformed(path, &Value::from(row.clone()).to_string()))?);
    }
    let header = rows.first().into_iter().flat_map(|row| row.keys().map(String::as_str));
    table_of(path, header, sums)
}

/// Whether a column is the one that is meant, whatever its unit and blanks.
fn is_column(name: &str, wanted: &str) -> bool {
    let bare = |text: &str| text.split('(').next().unwrap_or_default().replace(' ', "");
    let is_share = name.contains('%');
    bare(name) == bare(wanted) && is_share == wanted.contains('%')
}

fn sum(numeric: &dyn Fn(&str) -> Option<f64>, text: &dyn Fn(&str) -> Option<String>) -> Option<Sum> {
    Some(Sum {
        share_pct: numeric("Time (%)")?,
        total: numeric("Total Time")?,
        instances: numeric("Instances")?,
        grid: text("GridXYZ").and_then(|text| triple(&text)),
        block: text("BlockXYZ").and_then(|text| triple(&text)),
        name: text("Name")?,
    })
}

/// `  132    1    1` as older versions write it.
fn triple(text: &str) -> Option<[u32; 3]> {
    let parts = text
        .split(|sign: char| !sign.is_ascii_digit())
        .filter(|part| !part.is_empty());
    let numbers: Vec<u32> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn table_of<'a>(path: &Path, header: impl Iterator<Item = &'a str>, sums: Vec<Sum>) -> Result<OpTable, ProfileError> {
    if sums.is_empty() {
        return Err(empty(path));
    }
    let mut header = header.filter(|name| is_column(name, "Total Time"));
    let unit = header.next().and_then(|name| name.split_once('(')?.1.strip_suffix(')'));
    let Some(unit_ns) = unit.and_then(unit_ns) else {
        return Err(malformed(
            path,
            &format!("`{}` is no unit of time", unit.unwrap_or_default()),
        ));
    };
    let all: f64 = sums.iter().map(|sum| sum.share_pct).sum();
    // A line that is missing at the end shows nowhere else.
    if (all - 100.0).abs() > ROUNDING_PCT * real(sums.len()) + 0.01 {
        return Err(malformed(
            path,
            &format!("the shares of its kernels add up to {all:.1} %, and not to 100 %: rows are missing"),
        ));
    }
    let mut phase = PhaseTable::new(Phase::Whole);
    for sum in sums {
        let (Some(time_ns), Some(launches)) = (whole(sum.total * unit_ns), whole(sum.instances)) else {
            return Err(malformed(
                path,
                &format!("`{}` has a time or number that cannot be", sum.name),
            ));
        };
        phase.kernels.push(KernelRow {
            grid: sum.grid,
            block: sum.block,
            launches,
            time_ns,
            ..KernelRow::new(sum.name)
        });
    }
    let mut table = OpTable::new(name_of(path), Source::NsysKernelSums, Clock::Device);
    table.phases.push(phase);
    Ok(table)
}

fn empty(path: &Path) -> ProfileError {
    ProfileError::Empty {
        path: path.to_owned(),
        what: "kernels",
        remedy: "capture with `nsys profile -t cuda,nvtx …`, and the processes of the engine among them \
                 (`--trace-fork-before-exec=true`)"
            .to_owned(),
    }
}

fn malformed(path: &Path, row: &str) -> ProfileError {
    let shown: String = row.chars().take(200).collect();
    ProfileError::Malformed {
        path: path.to_owned(),
        what: format!("not as `cuda_gpu_kern_sum` writes it: {shown}"),
    }
}

//! Traces: what came to a real server and when, read from the files that people publish.
//!
//! | file | what lives there |
//! |---|---|
//! | `json.rs` | JSON lines: Mooncake's, and plain ones with a prompt or lengths |
//! | `csv.rs` | comma-separated values: Azure's and BurstGPT's |
//! | `time.rs` | dates to nanoseconds |

mod csv;
mod json;
mod time;

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{
    LoadError,
    counted::counted,
    dataset::{Extras, FieldNames, Prompt},
    hash::hex,
};
use crate::plan::{Api, TraceFormat};

/// The rows of a trace that are replayed, by time.
#[derive(Debug, PartialEq)]
pub(super) struct Trace {
    /// At least one, rising in time, the first at zero.
    pub(super) rows: Vec<Row>,
    /// SHA-256 of the file's bytes in hex.
    pub(super) sha256: String,
    /// What was found in the file.
    pub(super) census: Census,
    /// Different blocks of its rows.
    pub(super) blocks: u64,
}

/// One request of a trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// When it came, in nanoseconds; after the first row once the trace is read.
    pub(super) at_ns: i64,
    /// What was asked.
    pub(super) asked: Asked,
    /// How many tokens were answered, where the trace says.
    pub(super) output_tokens: Option<u32>,
    /// Headers, limits and fields of its own.
    pub(super) extras: Option<Box<Extras>>,
}

/// What a row asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// A prompt of this many tokens, about nothing in particular.
    Tokens(u32),
    /// A prompt of this many tokens in blocks of 512; the same block is the same text.
    Blocks { tokens: u32, ids: Box<[u64]> },
    /// A prompt as it is.
    Prompt(Prompt),
}

/// How many rows of which kind a file had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Rows that can be sent.
    pub(super) rows: u64,
    /// Rows that came before the row above them.
    pub(super) out_of_order: u64,
    /// Rows whose answer had no token: failures of the server that was traced.
    pub(super) without_answer: u64,
    /// Rows with one block more or fewer than their prompt has.
    pub(super) uneven: u64,
    /// What the times count, where that is not what the format says.
    pub(super) counts: Option<&'static str>,
}

/// Tokens of a block in Mooncake's traces.
pub(super) const BLOCK_TOKENS: u32 = 512;

impl Trace {
    /// When the rows came, in nanoseconds after the first, rising.
    pub(super) fn times_ns(&self) -> Vec<u64> {
        self.rows.iter().map(|row| row.at_ns.unsigned_abs()).collect()
    }

    /// The row of a place; rows come round again past the last one.
    pub(super) fn row(&self, place: u32) -> Option<&Row> {
        self.rows.get(place as usize % self.rows.len().max(1))
    }

    /// Whether rows bring their own text.
    pub(super) fn has_prompts(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.asked, Asked::Prompt(_)))
    }

    /// How often all rows have come before a place.
    pub(super) fn round(&self, place: u32) -> u64 {
        u64::from(place) / (self.rows.len() as u64).max(1)
    }

    /// What the user should know, in sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let census = self.census;
        let used = self.rows.len();
        let mut notes = Vec::new();
        if census.rows > used as u64 {
            notes.push(format!(
                "the trace has {}: each run uses the first {used}",
                counted(census.rows, "row")
            ));
        }
        if census.out_of_order > 0 {
            let rows = census.out_of_order;
            notes.push(format!(
                "{} of the trace came before the row above: it was sorted by time",
                counted(rows, "row")
            ));
        }
        if census.without_answer > 0 {
            let rows = census.without_answer;
            notes.push(format!(
                "{} of the trace without an answer: left out",
                counted(rows, "row")
            ));
        }
        if let Some(unit) = census.counts {
            notes.push(format!(
                "`timestamp` of the trace counts {unit}, by its first line: milliseconds would be no time of day"
            ));
        }
        if census.uneven > 0 {
            notes.push(format!(
                "{} of the trace with one of `hash_ids` more or fewer than blocks of {BLOCK_TOKENS} tokens: what has no id \
                 is text of its own",
                counted(census.uneven, "row")
            ));
        }
        if self.has_prompts() {
            let trouble = "each run sends the trace's own prompts again, which a prefix cache answers faster";
            notes.push(trouble.into());
        }
        let mut fields = FieldNames::default();
        self.rows.iter().for_each(|row| fields.take(row.extras.as_deref()));
        notes.extend(fields.notes("trace"));
        notes
    }
}

/// Reads the earliest `most` rows of a trace, in memory for about twice as many.
///
/// # Errors
/// The file is unreadable, of an unknown format or without rows, or a line is no row of its format.
pub(super) fn read(path: &Path, format: TraceFormat, api: Api, most: usize) -> Result<Trace, LoadError> {
    let unreadable = |source| LoadError::TraceUnreadable {
        path: path.to_owned(),
        source,
    };
    let wrong = |line, problem| LoadError::TraceRow {
        path: path.to_owned(),
        line,
        problem,
    };
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(unreadable)?);
    let mut hash = Sha256::new();
    let mut reader = None;
    let mut earliest = Earliest::new(most);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if file.read_until(b'\n', &mut bytes).map_err(unreadable)? == 0 {
            break;
        }
        hash.update(&bytes);
        let line = text(&bytes).map_err(|problem| wrong(number, problem))?;
        if line.is_empty() {
            continue;
        }
        let reader = match &mut reader {
            Some(reader) => reader,
            none => {
                let (found, is_header) = Reader::begin(line, format).map_err(|problem| wrong(number, problem))?;
                let reader = none.insert(found);
                if is_header {
                    continue;
                }
                reader
            }
        };
        let row = reader.row(line, api).map_err(|problem| wrong(number, problem))?;
        earliest.add(row);
    }
    let (rows, mut census, blocks) = earliest.end();
    if let Some(Reader::Json(json)) = &reader {
        (census.uneven, census.counts) = (json.uneven, json.unit.and_then(time::Unit::unusual));
    }
    if rows.is_empty() {
        return Err(LoadError::TraceEmpty { path: path.to_owned() });
    }
    Ok(Trace {
        rows,
        sha256: hex(&hash.finalize()),
        census,
        blocks,
    })
}

/// A line without its end, and the first one without its mark.
fn text(bytes: &[u8]) -> Result<&str, String> {
    let line = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok(line.trim_start_matches('\u{feff}').trim())
}

/// How the lines of one file are read.
enum Reader {
    Json(json::Reader),
    Csv(csv::Columns),
}

impl Reader {
    /// By the format, or by the first line; the second value: whether that line is a header.
    fn begin(line: &str, format: TraceFormat) -> Result<(Self, bool), String> {
        let is_json = line.starts_with('{');
        match format {
            TraceFormat::Mooncake | TraceFormat::Jsonl => Ok((Self::json(format), false)),
            TraceFormat::Auto if is_json => Ok((Self::json(TraceFormat::Jsonl), false)),
            TraceFormat::AzureLlm => Ok((Self::Csv(csv::Columns::azure(line)?), true)),
            TraceFormat::BurstGpt => Ok((Self::Csv(csv::Columns::burst_gpt(line)?), true)),
            TraceFormat::Auto => {
                let formats = [csv::Columns::azure(line), csv::Columns::burst_gpt(line)];
                let is_told = |problem: &String| problem.contains(csv::TWICE);
                let problem = formats
                    .iter()
                    .find_map(|format| format.as_ref().err().filter(|problem| is_told(problem)));
                let problem = problem.cloned().unwrap_or_else(|| UNKNOWN.to_owned());
                let columns = formats.into_iter().find_map(Result::ok).ok_or(problem)?;
                Ok((Self::Csv(columns), true))
            }
        }
    }

    fn json(format: TraceFormat) -> Self {
        Self::Json(json::Reader {
            is_mooncake: format == TraceFormat::Mooncake,
            ..json::Reader::default()
        })
    }

    fn row(&mut self, line: &str, api: Api) -> Result<Row, String> {
        match self {
            Self::Json(json) => json.row(line, api),
            Self::Csv(columns) => columns.row(line),
        }
    }
}

const UNKNOWN: &str = "this is no trace that perfgate knows; give JSON lines with `timestamp` (ms) or `timestamp_s`, or a \
                       CSV whose first line names `TIMESTAMP,ContextTokens,GeneratedTokens` (Azure) or \
                       `Timestamp,Request tokens,Response tokens` (BurstGPT)";

/// Keeps the earliest rows of all that pass by.
struct Earliest {
    most: usize,
    rows: Vec<Row>,
    latest_ns: Option<i64>,
    census: Census,
}

impl Earliest {
    fn new(most: usize) -> Self {
        Self {
            most,
            rows: Vec::new(),
            latest_ns: None,
            census: Census::default(),
        }
    }

    fn add(&mut self, row: Row) {
        if row.output_tokens == Some(0) {
            self.census.without_answer += 1;
            return;
        }
        self.census.rows += 1;
        if self
            .latest_ns
            .replace(row.at_ns)
            .is_some_and(|before_ns| row.at_ns < before_ns)
        {
            self.census.out_of_order += 1;
        }
        self.rows.push(row);
        if self.rows.len() >= self.most.saturating_mul(2).max(1024) {
            self.keep_earliest();
        }
    }

    /// Rows of one time stay in the file's order.
    fn keep_earliest(&mut self) {
        self.rows.sort_by_key(|row| row.at_ns);
        self.rows.truncate(self.most);
    }

    /// The rows, what was found, and how many different blocks they have.
    fn end(mut self) -> (Vec<Row>, Census, u64) {
        self.keep_earliest();
        let first_ns = self.rows.first().map_or(0, |row| row.at_ns);
        let mut numbers = HashMap::new();
        for row in &mut self.rows {
            row.at_ns = row.at_ns.saturating_sub(first_ns);
            if let Asked::Blocks { ids, .. } = &mut row.asked {
                number_from_zero(ids, &mut numbers);
            }
        }
        (self.rows, self.census, numbers.len() as u64)
    }
}

/// Ids are any numbers; texts are made for small ones.
fn number_from_zero(ids: &mut [u64], numbers: &mut HashMap<u64, u64>) {
    for id in ids {
        let next = numbers.len() as u64;
        *id = *numbers.entry(*id).or_insert(next);
    }
}

#[cfg(test)]
mod tests;

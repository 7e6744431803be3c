//! A dataset of any size: read once whole for its hash and its faults, and once more for the rows that are sent.

mod extras;
mod fields;
mod records;
mod row;
mod talk;

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use records::{Framing, Place, Records, csv_values};
use row::Reading;
use serde_json::{Map, Value};

pub(super) use self::{
    extras::Extras,
    fields::FieldNames,
    row::{STATED, stated},
};
use super::{
    LoadError,
    hash::Hashing,
    random::{Purpose, Stream},
};
use crate::plan::{Api, DatasetFormat};

/// One row of a dataset: a prompt, or a conversation of several.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The prompt; in a conversation, what its user says first.
    pub(super) first: Turn,
    /// What the user of a conversation says then, in order.
    later: Vec<Turn>,
    /// Headers, limits and fields of its own.
    pub(super) extras: Option<Box<Extras>>,
}

/// One prompt of a row, as the request body takes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn {
    /// The text, or the messages as JSON.
    pub(super) prompt: Prompt,
    /// The answer length that the row asks for.
    pub(super) output_tokens: Option<u32>,
}

impl Row {
    /// The same row with fields that its request is sent with, and the names of those that it is sent without.
    fn with_fields(mut self, body: Map<String, Value>, unsent: Vec<String>) -> Self {
        if !(body.is_empty() && unsent.is_empty()) {
            let extras = self.extras.get_or_insert_default();
            (extras.body, extras.unsent) = (body, unsent);
        }
        self
    }

    /// How often its user speaks, at least once.
    pub(super) fn turns(&self) -> usize {
        self.later.len() + 1
    }

    /// What its user says at a turn, counted from 0; past the last one, the first.
    pub(super) fn turn(&self, turn: usize) -> &Turn {
        let later = turn.checked_sub(1).and_then(|later| self.later.get(later));
        later.unwrap_or(&self.first)
    }
}

/// What is sent to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// Plain text.
    Text(String),
    /// A JSON array of chat messages.
    Messages(String),
}

impl Prompt {
    /// The same as a later turn of a conversation, whose system has spoken at its beginning; many chat templates refuse one
    /// that speaks again.
    pub(super) fn without_system(self) -> Self {
        let Self::Messages(text) = &self else { return self };
        let Ok(Value::Array(messages)) = serde_json::from_str(text) else {
            return self;
        };
        let is_system = |message: &Value| {
            matches!(
                message.get("role").and_then(Value::as_str),
                Some("system" | "developer")
            )
        };
        let (system, others): (Vec<Value>, Vec<Value>) = messages.into_iter().partition(is_system);
        if system.is_empty() || others.is_empty() {
            return self;
        }
        Self::Messages(Value::from(others).to_string())
    }
}

/// What is read of a dataset, and how.
pub(super) struct Source<'a> {
    /// The file.
    pub(super) path: &'a Path,
    /// The API that its rows are sent to.
    pub(super) api: Api,
    /// How records stand in it.
    pub(super) format: DatasetFormat,
    /// The prompt's column, where it is named.
    pub(super) prompt_column: Option<&'a str>,
    /// The answer's column, where it is named.
    pub(super) output_column: Option<&'a str>,
    /// Tokens of a text.
    pub(super) count: &'a dyn Fn(&str) -> u32,
    /// Decides the order of the rows.
    pub(super) seed: u64,
    /// Rows that a session sends.
    pub(super) wanted: u64,
}

/// The rows of a dataset that a session sends.
pub(super) struct Dataset {
    /// In an order that only the seed decides.
    pub(super) rows: Rows,
    /// SHA-256 of the file's bytes in hex.
    pub(super) sha256: String,
    /// What is to be told of its rows.
    pub(super) census: Census,
}

/// What is to be told of the rows of a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Census {
    /// Conversations in which no user speaks; they are no rows.
    pub(super) silent: u64,
    /// Fields of requests that rows bring along.
    pub(super) fields: FieldNames,
}

/// Reads a JSON object with `prompt` or `messages` as one request of a log; its length is left to the caller.
///
/// # Errors
/// Why it cannot be sent, in words.
pub(super) fn request(line: &str, api: Api) -> Result<Option<Row>, String> {
    let reading = Reading {
        api,
        prompt_column: None,
        output_column: Some(row::NO_COLUMN),
        count: &|_| 0,
    };
    reading.json(line.as_bytes())
}

/// At least one row, so that every place has one to send.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    first: Row,
    others: Vec<Row>,
    count: u64,
}

impl Rows {
    /// The first rows of `count`; `None` where there is no row at all.
    fn new(held: Vec<Row>, count: u64) -> Option<Self> {
        let mut held = held.into_iter();
        let first = held.next()?;
        Some(Self {
            first,
            others: held.collect(),
            count: count.max(1),
        })
    }

    /// How many rows the dataset has; never 0.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether all of them say how long their answers are.
    pub(super) fn state_answers(&self) -> bool {
        let mut rows = self.others.iter().chain([&self.first]);
        rows.all(|row| {
            let mut turns = row.later.iter().chain([&row.first]);
            turns.all(|turn| turn.output_tokens.is_some())
        })
    }

    /// The row at a place; rows come round again past the last one.
    pub(super) fn at(&self, place: u64) -> &Row {
        let held = self.others.len() as u64 + 1;
        let after_first = usize::try_from(place % self.count % held).unwrap_or(0).checked_sub(1);
        after_first.and_then(|at| self.others.get(at)).unwrap_or(&self.first)
    }
}

/// Where a configured path points: relative ones count from `base_dir`.
pub(super) fn resolve(path: &str, base_dir: &Path) -> PathBuf {
    base_dir.join(path)
}

/// Reads a dataset.
///
/// # Errors
/// The file is unreadable or empty, or a record is no row for this API.
pub(super) fn read(source: &Source<'_>) -> Result<Dataset, LoadError> {
    let framing = source.framing()?;
    let mut index = source.index(framing)?;
    shuffle(&mut index.places, source.seed);
    let count = index.places.len() as u64;
    index
        .places
        .truncate(usize::try_from(source.wanted.max(1)).unwrap_or(usize::MAX));
    let held = source.rows(framing, &index)?;
    let rows = Rows::new(held, count).ok_or_else(|| LoadError::DatasetEmpty {
        path: source.path.to_owned(),
    })?;
    Ok(Dataset {
        rows,
        sha256: index.sha256,
        census: index.census,
    })
}

/// Where the rows of a file stand.
struct Index {
    places: Vec<Place>,
    /// Names of the columns, in a CSV file.
    header: Vec<String>,
    sha256: String,
    census: Census,
}

impl Source<'_> {
    /// Reads the whole file: every row is checked, none is kept.
    fn index(&self, framing: Framing) -> Result<Index, LoadError> {
        let reading = self.reading();
        let hashing = BufReader::with_capacity(1 << 16, Hashing::new(self.open()?));
        let mut records = Records::new(hashing, framing);
        let (mut places, mut header, mut census) = (Vec::new(), Vec::new(), Census::default());
        while let Some((place, record)) = records.next().map_err(|error| self.unreadable(error))? {
            if framing == Framing::Csv && header.is_empty() {
                header = csv_values(&String::from_utf8_lossy(without_mark(record)));
                Reading::header(&header).map_err(|problem| self.wrong(place.line, problem))?;
                continue;
            }
            match self.row(&reading, framing, &header, place, record)? {
                Some(row) => {
                    census.fields.take(row.extras.as_deref());
                    places.push(place);
                }
                None => census.silent += 1,
            }
        }
        if places.is_empty() && !header.is_empty() {
            return Err(self.wrong(1, "a header and no row below it; add rows".into()));
        }
        let rest = records.into_inner().map_err(|error| self.unreadable(error))?;
        Ok(Index {
            places,
            header,
            sha256: rest.into_inner().sha256(),
            census,
        })
    }

    /// Reads the indexed rows, in the order of the index.
    fn rows(&self, framing: Framing, index: &Index) -> Result<Vec<Row>, LoadError> {
        let reading = self.reading();
        let mut file = self.open()?;
        let mut by_place: Vec<(usize, Place)> = index.places.iter().copied().enumerate().collect();
        by_place.sort_by_key(|(_, place)| place.offset);
        let mut rows = Vec::with_capacity(by_place.len());
        for (at, place) in by_place {
            let mut record = vec![0; place.bytes];
            file.seek(SeekFrom::Start(place.offset))
                .and_then(|_| file.read_exact(&mut record))
                .map_err(|error| self.unreadable(error))?;
            let row = self.row(&reading, framing, &index.header, place, &record)?;
            rows.extend(row.map(|row| (at, row)));
        }
        rows.sort_by_key(|(at, _)| *at);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn row(
        &self,
        reading: &Reading<'_>,
        framing: Framing,
        header: &[String],
        place: Place,
        record: &[u8],
    ) -> Result<Option<Row>, LoadError> {
        let row = match framing {
            Framing::Csv => reading.csv(header, record),
            Framing::Lines | Framing::Array => reading.json(without_mark(record)),
        };
        row.map_err(|problem| self.wrong(place.line, problem))
    }

    fn wrong(&self, line: usize, problem: String) -> LoadError {
        LoadError::DatasetRow {
            path: self.path.to_owned(),
            line,
            problem,
        }
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            api: self.api,
            prompt_column: self.prompt_column,
            output_column: self.output_column,
            count: self.count,
        }
    }

    fn open(&self) -> Result<File, LoadError> {
        File::open(self.path).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, source: io::Error) -> LoadError {
        LoadError::DatasetUnreadable {
            path: self.path.to_owned(),
            source,
        }
    }

    /// How records stand in the file: as told, or by its first line.
    fn framing(&self) -> Result<Framing, LoadError> {
        let mut start = Vec::new();
        let mut reader = BufReader::new(self.open()?.take(1 << 16));
        while without_mark(&start).trim_ascii().is_empty() {
            let read = reader.read_until(b'\n', &mut start);
            if read.map_err(|error| self.unreadable(error))? == 0 {
                break;
            }
        }
        let start = without_mark(&start).trim_ascii();
        Ok(match (self.format, start.first()) {
            (DatasetFormat::Jsonl, _) => Framing::Lines,
            (DatasetFormat::Csv, _) => Framing::Csv,
            (_, Some(b'[')) => Framing::Array,
            (DatasetFormat::Auto, Some(first)) if *first != b'{' && self.is_csv(start) => Framing::Csv,
            _ => Framing::Lines,
        })
    }

    /// Whether a first line names columns, one of them the prompt's; a file with the name of a CSV file is one anyway, and
    /// one with tabs is to be told what it lacks.
    fn is_csv(&self, first_line: &[u8]) -> bool {
        let extension = self.path.extension();
        let named = extension.is_some_and(|is| ["csv", "tsv"].iter().any(|name| is.eq_ignore_ascii_case(name)));
        let header = csv_values(&String::from_utf8_lossy(first_line));
        let known = row::KNOWN.iter().map(|(column, _)| *column).chain(self.prompt_column);
        named || known.into_iter().any(|column| header.iter().any(|name| name == column))
    }
}

/// Without the byte-order mark that some editors begin a file with.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// An order that only the seed decides (Fisher and Yates).
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut stream = Stream::new(seed, Purpose::RowOrder, 0);
    for last in (1..items.len()).rev() {
        let other = usize::try_from(stream.below(last as u64 + 1)).unwrap_or(last);
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests;

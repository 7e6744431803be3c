//! The lines of a table: CSV with a header, a JSON list of objects, or JSON lines. Of each line only the columns that are asked for
//! are kept.

use std::rc::Rc;

use super::cell::{Entry, Named};
use crate::import::{
    ImportError, csv,
    detect::{Folder, Part},
    json,
    run::bad,
};

/// What stands in a column that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A number from 0 up, finite.
    Number(f64),
    /// Anything else, blank too.
    Text(Box<str>),
}

impl Cell {
    fn of(text: &str) -> Self {
        let number = text.parse::<f64>().ok();
        match number.filter(|number| number.is_finite() && *number >= 0.0) {
            Some(number) => Self::Number(number),
            None => Self::Text(text.into()),
        }
    }
}

/// The columns that are asked for.
pub(super) struct Wanted<'a> {
    pub(super) columns: &'a [&'a str],
    /// Those of them that are no numbers, whatever they look like.
    pub(super) texts: &'a [&'a str],
}

/// One line, its values in the order of the columns that were asked for.
pub(super) struct Line {
    number: usize,
    values: Box<[Option<Cell>]>,
    names: Rc<Vec<String>>,
}

impl Line {
    /// What stands in a column that was asked for, by its place among those; `None`: there is no such column.
    pub(super) fn get(&self, at: usize) -> Option<&Cell> {
        self.values.get(at)?.as_ref()
    }

    /// All columns that there are.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Where a value stands, for messages.
    pub(super) fn place(&self, column: &str) -> String {
        format!("line {}, {column}", self.number)
    }
}

/// The lines so far.
struct Lines<'a> {
    wanted: &'a Wanted<'a>,
    all: Vec<Line>,
}

impl Lines<'_> {
    fn add(&mut self, number: usize, names: Rc<Vec<String>>, value: impl Fn(&str) -> Option<String>) {
        let cell = |column: &&str| {
            let text = value(column)?;
            Some(if self.wanted.texts.contains(column) {
                Cell::Text(text.into())
            } else {
                Cell::of(&text)
            })
        };
        let values = self.wanted.columns.iter().map(cell).collect();
        self.all.push(Line { number, values, names });
    }

    fn add_entry(&mut self, part: &Part, entry: Entry, number: usize) -> Result<(), ImportError> {
        let Entry::Object(fields) = entry else {
            return Err(bad(
                &part.path,
                &format!("entry {number}"),
                "is no object with a value for each column".into(),
            ));
        };
        let Named { names, values } =
            fields.map_err(|column| bad(&part.path, &format!("entry {number}"), format!("has `{column}` twice")))?;
        // Most have the names of the one before.
        let names = match self.all.last() {
            Some(before) if *before.names == names => Rc::clone(&before.names),
            _ => Rc::new(names),
        };
        let own = Rc::clone(&names);
        let value = |column: &str| {
            let at = own.iter().position(|name| name == column)?;
            values.get(at).cloned()
        };
        self.add(number, names, value);
        Ok(())
    }
}

pub(super) fn read(part: &Part, folder: &Folder<'_>, wanted: &Wanted<'_>) -> Result<Vec<Line>, ImportError> {
    let bytes = folder.bytes(part)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    let new = || Lines {
        wanted,
        all: Vec::new(),
    };
    let lines = match text.first() {
        Some(b'[') => {
            let entries: Vec<Entry> = json::one(&part.path, bytes)?;
            let mut lines = new();
            for (entry, number) in entries.into_iter().zip(1..) {
                lines.add_entry(part, entry, number)?;
            }
            lines
        }
        Some(b'{') => json::each(&part.path, bytes, new, |lines, entry: Entry, number| {
            lines.add_entry(part, entry, number)
        })?,
        _ => {
            let mut lines = new();
            of_csv(part, text, &mut lines)?;
            lines
        }
    };
    if lines.all.is_empty() {
        return Err(ImportError::NoRun {
            path: part.path.clone(),
        });
    }
    Ok(lines.all)
}

fn of_csv(part: &Part, text: &[u8], lines: &mut Lines<'_>) -> Result<(), ImportError> {
    let path = &part.path;
    let text = str::from_utf8(text).map_err(|_| ImportError::Unusable {
        path: path.clone(),
        problem: "it is neither JSON nor CSV in UTF-8".into(),
    })?;
    let mut rows = csv::rows(text).map(|row| row.map_err(|broken| broken.of(path)));
    let (_, header) = rows.next().transpose()?.unwrap_or_default();
    refuse_twice(part, &header)?;
    let header = Rc::new(header);
    let mut last = 1;
    for row in rows {
        let (number, row) = row?;
        if row.iter().all(String::is_empty) {
            continue;
        }
        last = number;
        if row.len() != header.len() {
            let problem = format!("has {} fields, the header {}", row.len(), header.len());
            return Err(bad(path, &format!("line {number}"), problem));
        }
        let value = |column: &str| {
            let at = header.iter().position(|name| name == column)?;
            row.get(at).cloned()
        };
        lines.add(number, Rc::clone(&header), value);
    }
    if !text.ends_with('\n') {
        let problem = "is the last one and no newline ends it, so that its last number may be cut; if the file is whole, end it \
                       with one";
        return Err(bad(path, &format!("line {last}"), problem.into()));
    }
    Ok(())
}

/// Of two columns of one name nobody knows which is meant.
fn refuse_twice(part: &Part, header: &[String]) -> Result<(), ImportError> {
    for (at, column) in header.iter().enumerate().filter(|(_, column)| !column.is_empty()) {
        let Some(first) = header.iter().take(at).position(|other| other == column) else {
            continue;
        };
        let column: String = column.chars().take(40).collect();
        let (one, other) = (first + 1, at + 1);
        let problem = format!("names two columns `{column}`, the {one}. and the {other}.; give each a name of its own");
        return Err(bad(&part.path, "line 1", problem));
    }
    Ok(())
}

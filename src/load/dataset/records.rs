//! A file of any size, record by record: lines, elements of a JSON array, or CSV records. Holds one record at a time.

use std::io::{self, BufRead};

/// How records stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One JSON object a line.
    Lines,
    /// One JSON array.
    Array,
    /// Comma-separated values; a quoted value may hold line breaks.
    Csv,
}

/// One record, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its first byte, counted from 0.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) bytes: usize,
    /// Its first line, counted from 1.
    pub(super) line: usize,
}

/// Reads the records of a file in order.
pub(super) struct Records<R> {
    reader: R,
    framing: Framing,
    offset: u64,
    line: usize,
    record: Vec<u8>,
    array: ArrayState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ArrayState {
    Before,
    Inside,
    After,
}

impl<R: BufRead> Records<R> {
    /// The records that begin at the reader's place.
    pub(super) fn new(reader: R, framing: Framing) -> Self {
        Self {
            reader,
            framing,
            offset: 0,
            line: 1,
            record: Vec::new(),
            array: ArrayState::Before,
        }
    }

    /// The next record without white space around it; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read on, or its array is broken.
    pub(super) fn next(&mut self) -> io::Result<Option<(Place, &[u8])>> {
        loop {
            self.record.clear();
            let (offset, line) = (self.offset, self.line);
            let start = match self.framing {
                Framing::Lines => self.read_line()?.then_some((offset, line)),
                Framing::Csv => self.read_balanced()?.then_some((offset, line)),
                Framing::Array => self.read_element()?,
            };
            let Some((offset, line)) = start else { return Ok(None) };
            let record = self.record.trim_ascii();
            if record.is_empty() {
                continue;
            }
            let before = self.record.len() - self.record.trim_ascii_start().len();
            let place = Place {
                offset: offset + before as u64,
                bytes: record.len(),
                line,
            };
            return Ok(Some((place, self.record.trim_ascii())));
        }
    }

    /// The reader, read to its end.
    pub(super) fn into_inner(mut self) -> io::Result<R> {
        io::copy(&mut self.reader, &mut io::sink())?;
        Ok(self.reader)
    }

    /// Adds a line to the record; `false` at the end of the file.
    fn read_line(&mut self) -> io::Result<bool> {
        let read = self.reader.read_until(b'\n', &mut self.record)?;
        self.offset += read as u64;
        self.line += usize::from(read > 0);
        Ok(read > 0)
    }

    /// Adds lines until every quote has its second one; doubled quotes inside a value change nothing.
    fn read_balanced(&mut self) -> io::Result<bool> {
        let mut any = false;
        let mut counted = 0;
        let mut open = false;
        while self.read_line()? {
            any = true;
            let added = self.record.get(counted..).unwrap_or_default();
            open = added.iter().fold(open, |open, byte| open ^ (*byte == b'"'));
            counted = self.record.len();
            if !open {
                break;
            }
        }
        Ok(any)
    }

    /// Adds the next element of the array; where it starts, or `None` after the last one.
    fn read_element(&mut self) -> io::Result<Option<(u64, usize)>> {
        if self.array == ArrayState::Before {
            if self.peek()? == Some(0xEF) {
                // A byte-order mark.
                self.step(3);
            }
            match self.skip_space()? {
                Some(b'[') => {
                    self.step(1);
                    self.array = ArrayState::Inside;
                }
                _ => return Err(broken(self.line, "a JSON array begins with `[`")),
            }
        }
        if self.array == ArrayState::After {
            return match self.skip_space()? {
                None => Ok(None),
                Some(_) => Err(broken(
                    self.line,
                    "more stands after the JSON array; make one array of all",
                )),
            };
        }
        self.skip_space()?;
        let start = (self.offset, self.line);
        let mut scan = Scan::default();
        loop {
            let Some(byte) = self.peek()? else {
                return Err(broken(self.line, "the file ends inside its JSON array"));
            };
            self.step(1);
            self.line += usize::from(byte == b'\n');
            if scan.is_outside() && (byte == b',' || byte == b']') {
                if byte == b']' {
                    self.array = ArrayState::After;
                }
                return Ok(Some(start));
            }
            scan.take(byte);
            self.record.push(byte);
        }
    }

    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            let byte = self.peek()?;
            match byte {
                Some(space) if space.is_ascii_whitespace() => {
                    self.line += usize::from(space == b'\n');
                    self.step(1);
                }
                _ => return Ok(byte),
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn step(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.offset += bytes as u64;
    }
}

/// Where in a JSON value a byte stands.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_text
    }

    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            b'{' | b'[' if !self.in_text => self.depth += 1,
            // A bracket too many ends up in the element, whose parser names it.
            b'}' | b']' if !self.in_text => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

fn broken(line: usize, problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {problem}"))
}

/// The values of one CSV record, quotes taken off.
pub(super) fn csv_values(record: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut quoted = false;
    let mut signs = record.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                push(&mut values, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(String::new()),
            _ => push(&mut values, sign),
        }
    }
    values
}

fn push(values: &mut [String], sign: char) {
    if let Some(value) = values.last_mut() {
        value.push(sign);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The records and their lines, read through a buffer of this many bytes.
    fn read(text: &str, framing: Framing, buffer: usize) -> io::Result<Vec<(usize, String)>> {
        let reader = BufReader::with_capacity(buffer, Cursor::new(text));
        let mut records = Records::new(reader, framing);
        let mut found = Vec::new();
        while let Some((place, record)) = records.next()? {
            let record = String::from_utf8(record.to_vec()).unwrap();
            let start = usize::try_from(place.offset).unwrap();
            assert_eq!(text.get(start..start + place.bytes), Some(record.as_str()), "its place");
            found.push((place.line, record));
        }
        Ok(found)
    }

    fn owned(records: &[(usize, &str)]) -> Vec<(usize, String)> {
        records.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn records_are_found_with_their_lines() {
        let table = [
            (
                Framing::Lines,
                "{}\r\n\n  {1}  \n{2}",
                owned(&[(1, "{}"), (3, "{1}"), (4, "{2}")]),
            ),
            (
                Framing::Array,
                "\n[ {\"a\": \"],[\\\"\"},\n\n [1]\n, 2] ",
                owned(&[(2, "{\"a\": \"],[\\\"\"}"), (4, "[1]"), (5, "2")]),
            ),
            (Framing::Array, "[]", owned(&[])),
            (
                Framing::Csv,
                "a,b\n\"x\ny\",2\n\n3,\"\"\"\"\n",
                owned(&[(1, "a,b"), (2, "\"x\ny\",2"), (5, "3,\"\"\"\"")]),
            ),
        ];
        for (framing, text, expected) in table {
            for buffer in [1, 3, 4096] {
                assert_eq!(read(text, framing, buffer).unwrap(), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_broken_array_names_its_line() {
        for (text, expected) in [
            ("{}", "begins with `[`"),
            ("[{},\n{\"a\": ", "line 2: the file ends"),
            ("", "begins"),
            ("[{}]\n\n[{}]", "line 3: more stands after"),
            ("[] x", "line 1: more stands after"),
        ] {
            let problem = read(text, Framing::Array, 64).unwrap_err().to_string();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn csv_values_lose_their_quotes_only() {
        assert_eq!(csv_values("a,\"b, \"\"c\"\"\nd\",,\"\""), ["a", "b, \"c\"\nd", "", ""]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(texts in prop::collection::vec(".*", 1..8), buffer in 1_usize..40) {
            let rows: Vec<Value> = texts.iter().map(|text| json!({"t": text, "l": [text]})).collect();
            let parse = |records: Vec<(usize, String)>| -> Vec<Value> {
                records.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
            };
            let array = serde_json::to_string_pretty(&rows).unwrap();
            prop_assert_eq!(&parse(read(&array, Framing::Array, buffer).unwrap()), &rows);
            let quoted = |text: &String| format!("\"{}\",1\n", text.replace('"', "\"\""));
            let csv: String = texts.iter().map(quoted).collect();
            let values: Vec<String> = read(&csv, Framing::Csv, buffer)
                .unwrap()
                .iter()
                .map(|(_, record)| csv_values(record).swap_remove(0))
                .collect();
            prop_assert_eq!(values, texts);
        }
    }
}

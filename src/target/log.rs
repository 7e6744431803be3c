//! Where the words of a program go that we start, and where those of this start begin.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Of a log in a message.
const TAIL_LINES: usize = 10;
const TAIL_BYTES: u64 = 2000;
/// An engine states how it is set up in its first lines.
const TEXT_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    from: u64,
}

impl Log {
    /// Behind what is there already, and a line that says so.
    pub(super) fn open(path: &Path, again: &str) -> io::Result<(File, Self)> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if file.metadata()?.len() > 0 {
            file.write_all(format!("=== {again}\n").as_bytes())?;
        }
        let log = Self {
            path: path.to_owned(),
            from: file.metadata()?.len(),
        };
        Ok((file, log))
    }

    /// What this start has said so far, its first megabyte.
    pub(super) fn text(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.from))?;
            let mut bytes = Vec::new();
            file.take(TEXT_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }

    /// The last lines of this start, indented; empty where there are none.
    pub(super) fn tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES).max(self.from)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
        let is_printed = |sign: &char| !sign.is_control() || *sign == '\t';
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("    {}", line.chars().filter(is_printed).collect::<String>()))
            .collect();
        lines
            .get(lines.len().saturating_sub(TAIL_LINES)..)
            .unwrap_or_default()
            .join("\n")
    }
}

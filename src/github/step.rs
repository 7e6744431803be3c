//! What a step leaves to the runner that started it: outputs, the job summary, annotations in its log.
//!
//! The runner reads the files after the step; what stands in them is a contract of lines, so that no value may hold one.

use std::{
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::limits::SUMMARY_BYTES;

/// The files of one step; each is `None` outside of GitHub's runner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Where outputs go (`GITHUB_OUTPUT`).
    pub output: Option<PathBuf>,
    /// Where the summary goes (`GITHUB_STEP_SUMMARY`).
    pub summary: Option<PathBuf>,
}

/// A value that cannot be taken for anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One of a fixed set.
    Word(&'static str),
    /// A number.
    Number(u64),
    /// A file of the job.
    Path(PathBuf),
    /// An address that the forge gave.
    Address(String),
    /// There is none.
    Empty,
}

/// Why the runner could not be told something.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A value of more than one line.
    #[error("the output `{name}` would hold a control character; name the file or folder otherwise")]
    Lines {
        /// Its name.
        name: &'static str,
    },
    /// A file of the runner.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Step {
    /// As the runner tells it.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        Self {
            output: path("GITHUB_OUTPUT"),
            summary: path("GITHUB_STEP_SUMMARY"),
        }
    }

    /// Appends outputs; nothing where there is no runner.
    ///
    /// # Errors
    /// A value of more than one line, in which case none is written, or the file cannot be written.
    pub fn set(&self, outputs: &[(&'static str, Output)]) -> Result<(), StepError> {
        let text = outputs_text(outputs)?;
        self.output.as_deref().map_or(Ok(()), |path| append(path, &text))
    }

    /// How many bytes the summary may still take.
    pub fn summary_room(&self) -> usize {
        let taken = self.summary.as_deref().and_then(|path| fs::metadata(path).ok());
        let taken = taken.map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
        SUMMARY_BYTES.saturating_sub(taken)
    }

    /// Appends to the summary what fits into it, and tells whether it did.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn summarize(&self, markdown: &str) -> Result<bool, StepError> {
        let Some(path) = &self.summary else { return Ok(false) };
        if markdown.len() + 2 > self.summary_room() {
            return Ok(false);
        }
        append(path, &format!("{}\n\n", markdown.trim_end())).map(|()| true)
    }
}

fn append(path: &Path, text: &str) -> Result<(), StepError> {
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| StepError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Each between lines that nobody can guess.
fn outputs_text(outputs: &[(&'static str, Output)]) -> Result<String, StepError> {
    let mut text = String::new();
    for (name, output) in outputs {
        let value = match output {
            Output::Word(word) => (*word).to_owned(),
            Output::Number(number) => number.to_string(),
            Output::Path(path) => path.to_str().unwrap_or_default().to_owned(),
            Output::Address(address) => address.clone(),
            Output::Empty => String::new(),
        };
        if value.chars().any(char::is_control) {
            return Err(StepError::Lines { name });
        }
        let delimiter = delimiter(&value);
        text.extend([*name, "<<", &delimiter, "\n", &value, "\n", &delimiter, "\n"]);
    }
    Ok(text)
}

/// 128 bits from the system, through the hasher that it seeds.
fn delimiter(value: &str) -> String {
    let half = || RandomState::new().build_hasher().finish();
    loop {
        let delimiter = format!("perfgate_{:016x}{:016x}", half(), half());
        if !value.contains(&delimiter) {
            return delimiter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the runner reads the file (`FileCommandManager`): `name=value`, or `name<<delimiter` up to that line.
    fn read(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some((name, delimiter)) = line.split_once("<<") {
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
                found.push((name.to_owned(), value.join("\n")));
            } else if let Some((name, value)) = line.split_once('=') {
                found.push((name.to_owned(), value.to_owned()));
            }
        }
        found
    }

    #[test]
    fn t7_outputs_are_read_back_as_they_were_meant() {
        let outputs = [
            ("verdict", Output::Word("pass")),
            ("regressions", Output::Number(2)),
            ("result-json", Output::Path("a=b<<EOF/result.json".into())),
            ("comment-url", Output::Empty),
        ];
        let expected = [
            ("verdict", "pass"),
            ("regressions", "2"),
            ("result-json", "a=b<<EOF/result.json"),
            ("comment-url", ""),
        ];
        let read = read(&outputs_text(&outputs).unwrap());
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn t7_a_value_of_several_lines_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let step = Step {
            output: Some(folder.path().join("output")),
            ..Step::default()
        };
        for value in ["a\nverdict=pass", "a\rverdict=pass", "a\u{85}b", "\u{0}"] {
            let outputs = [
                ("exit-code", Output::Number(1)),
                ("result-json", Output::Path(value.into())),
            ];
            assert!(matches!(
                step.set(&outputs),
                Err(StepError::Lines { name: "result-json" })
            ));
        }
        assert!(!folder.path().join("output").exists());
    }

    #[test]
    fn t7_no_delimiter_comes_twice() {
        let mut seen = std::collections::BTreeSet::new();
        assert!((0..100).all(|_| seen.insert(delimiter("x"))));
        assert!(seen.iter().all(|delimiter| delimiter.len() == "perfgate_".len() + 32));
    }

    #[test]
    fn a_summary_is_appended_and_never_larger_than_it_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        fs::write(&path, "theirs\n").unwrap();
        let step = Step {
            summary: Some(path.clone()),
            ..Step::default()
        };
        assert!(step.summarize("ours").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs\nours\n\n");
        assert!(
            !step.summarize(&"x".repeat(SUMMARY_BYTES)).unwrap(),
            "it would be dropped as a whole"
        );
        assert_eq!(fs::read_to_string(&path).unwrap().len(), 13);
        assert!(!Step::default().summarize("x").unwrap());
    }
}

//! Any bytes as files of another tool: nothing panics, and what is imported can be kept, and holds all that arithmetic relies on.
//!
//! The first byte says which format is asked for, so that each has its share; 255 and all others: by the content. Of 254 the
//! first line is what `--map` gives (`ttft_ms=a e2e_ms=b`). Two zero bytes part files of one folder, three at most.
#![no_main]

use std::{fs, path::PathBuf, process};

use libfuzzer_sys::fuzz_target;
use perfgate::{
    import::{Options, formats, import},
    measure::measure,
    store,
};

const WITH_COLUMNS: u8 = 254;
const MOST_FILES: usize = 3;

/// `a=b` of each word.
fn columns(line: &[u8]) -> Vec<(String, String)> {
    let line = String::from_utf8_lossy(line);
    let pairs = line.split(' ').filter_map(|word| word.split_once('='));
    pairs
        .map(|(figure, column)| (figure.to_owned(), column.to_owned()))
        .collect()
}

/// The files, up to where each of them ends.
fn files(mut content: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    while files.len() + 1 < MOST_FILES {
        let Some(at) = content.windows(2).position(|two| two == [0, 0]) else {
            break;
        };
        files.push(&content[..at]);
        content = &content[at + 2..];
    }
    files.push(content);
    files
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, mut content)) = bytes.split_first() else {
        return;
    };
    let mut options = Options {
        format: formats().nth(usize::from(*which)).map(|(name, _)| name.to_owned()),
        ..Options::default()
    };
    if *which == WITH_COLUMNS {
        let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
        options.columns = columns(line);
        content = content.get(line.len() + 1..).unwrap_or_default();
    }
    // In memory, where there is such a folder.
    let folder = ["/dev/shm", "/tmp"]
        .map(PathBuf::from)
        .into_iter()
        .find(|folder| folder.is_dir());
    let folder = folder.unwrap_or_default();
    let mut paths = Vec::new();
    for (at, file) in files(content).into_iter().enumerate() {
        let path = folder.join(format!("perfgate-fuzz-{}-{at}", process::id()));
        if fs::write(&path, file).is_err() {
            return;
        }
        paths.push(path);
    }
    let Ok(found) = import(&paths, &options) else {
        return;
    };
    for cell in measure(&found.session).cells {
        for value in cell.series.into_values().flatten().flatten() {
            assert!(value.value.is_finite() && value.value >= 0.0);
        }
    }
    // An importer gives what can be kept, or says what is wrong; and what is kept comes back as it was.
    store::check_session(&paths[0], &found.session).expect("what is imported can be kept");
    let kept = store::session_json(&found.session).expect("what was checked is written");
    assert_eq!(store::session_of_json(&kept).expect("and read again"), found.session);
});

//! Any bytes as a file of another tool: nothing panics, and what is imported holds all that arithmetic relies on.
//!
//! The first byte says which format is asked for, so that each has its share; seeds are in `tests/data/import`.
#![no_main]

use std::{fs, path::PathBuf, process};

use libfuzzer_sys::fuzz_target;
use perfgate::{
    import::{Options, formats, import},
    measure::measure,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, content)) = bytes.split_first() else { return };
    let names: Vec<&str> = formats().map(|(name, _)| name).collect();
    // In memory, where there is such a folder.
    let folder = ["/dev/shm", "/tmp"].map(PathBuf::from).into_iter().find(|folder| folder.is_dir());
    let path = folder.unwrap_or_default().join(format!("perfgate-fuzz-{}", process::id()));
    if fs::write(&path, content).is_err() {
        return;
    }
    // One more than there are: by its content.
    let format = names.get(usize::from(*which) % (names.len() + 1)).map(|name| (*name).to_owned());
    let options = Options {
        format,
        ..Options::default()
    };
    if let Ok(found) = import(&[path], &options) {
        for cell in measure(&found.session).cells {
            for value in cell.series.into_values().flatten().flatten() {
                assert!(value.value.is_finite() && value.value >= 0.0);
            }
        }
    }
});

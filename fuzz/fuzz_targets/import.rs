//! Any bytes as a file of another tool: nothing panics, and what is imported holds all that arithmetic relies on.
//!
//! The first byte says which format is asked for, so that each has its share; 255 and all others: by the content.
#![no_main]

use std::{fs, path::PathBuf, process};

use libfuzzer_sys::fuzz_target;
use perfgate::{
    import::{Options, formats, import},
    measure::measure,
    store,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, content)) = bytes.split_first() else {
        return;
    };
    // In memory, where there is such a folder.
    let folder = ["/dev/shm", "/tmp"]
        .map(PathBuf::from)
        .into_iter()
        .find(|folder| folder.is_dir());
    let path = folder
        .unwrap_or_default()
        .join(format!("perfgate-fuzz-{}", process::id()));
    if fs::write(&path, content).is_err() {
        return;
    }
    let format = formats().nth(usize::from(*which)).map(|(name, _)| name.to_owned());
    let options = Options {
        format,
        ..Options::default()
    };
    let Ok(found) = import(std::slice::from_ref(&path), &options) else {
        return;
    };
    for cell in measure(&found.session).cells {
        for value in cell.series.into_values().flatten().flatten() {
            assert!(value.value.is_finite() && value.value >= 0.0);
        }
    }
    // As the verbs do, which refuse what cannot be kept; all else comes back as it was.
    if store::check_session(&path, &found.session).is_err() {
        return;
    }
    let kept = store::session_json(&found.session).expect("what was checked is written");
    let again = store::session_of_json(&kept).expect("and read again");
    assert_eq!(store::session_json(&again).ok(), Some(kept));
});

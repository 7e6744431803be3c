//! Any bytes as a file of a profiler: torch.profiler's traces, packed and plain, Nsight's tables and databases.
#![no_main]

use std::{fs, path::PathBuf, process};

use libfuzzer_sys::fuzz_target;
use perfgate::profile::{read, recognise};

fuzz_target!(|bytes: &[u8]| {
    // In memory, where there is such a folder.
    let folder = ["/dev/shm", "/tmp"]
        .map(PathBuf::from)
        .into_iter()
        .find(|folder| folder.is_dir());
    let path = folder
        .unwrap_or_default()
        .join(format!("perfgate-fuzz-profile-{}", process::id()));
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let _ = recognise(&path);
    let _ = read(&path);
});

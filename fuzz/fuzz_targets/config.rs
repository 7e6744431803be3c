//! Any bytes as a configuration file, and as a file of accepted regressions: refused in words, or resolved.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use perfgate::config::{FileText, Overrides, acceptances, resolve_text};

fuzz_target!(|bytes: &[u8]| {
    let file = FileText {
        name: "perfgate.yaml",
        path: Path::new("perfgate.yaml"),
        bytes,
    };
    let told = resolve_text(Some(&file), &|_| None, &Overrides::new()).map(|_| ());
    if let Err(error) = told {
        assert!(!error.to_string().is_empty());
    }
    let _ = acceptances(bytes, "perfgate-accept.yaml");
});

//! Committed schemas beside the twins that they are made from.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{env, fs, path::Path};

/// The committed file (`schemas/report.schema.json`) says what the twin says; with `UPDATE_SCHEMAS` set it is rewritten.
pub(crate) fn assert_committed(file: &str, schema: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, schema).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    let mut lines = committed.lines().zip(schema.lines());
    let at = lines.position(|(committed, made)| committed != made);
    assert!(
        committed == schema,
        "`{file}` differs from line {} on: run `UPDATE_SCHEMAS=1 cargo test` and read the diff",
        at.map_or_else(|| "the end".to_owned(), |at| (at + 1).to_string())
    );
}

//! Results of other tools: the figures of their own tables, files that cannot be, and the verbs that take them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod bad;
mod further;
mod llm_d;
mod proof;
mod sessions;
mod spoilt;
mod verbs;

use std::path::{Path, PathBuf};

use perfgate::{
    import::{ImportError, Imported, Options, import},
    measure::measure,
    metric::Metric,
    session::Session,
};

/// What was made for these tests, by running the tools.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/import")
        .join(name)
}

fn imported(paths: &[PathBuf]) -> Result<Imported, ImportError> {
    import(paths, &Options::default())
}

fn session(path: &Path) -> Session {
    imported(&[path.to_owned()])
        .unwrap_or_else(|error| unreachable!("{error}"))
        .session
}

/// A figure of a run of the first cell, or why there is none.
fn figure(session: &Session, run: usize, metric: Metric) -> Result<f64, String> {
    let measured = measure(session);
    measured.cells[0].series[&metric][run]
        .clone()
        .map(|sample| sample.value)
}

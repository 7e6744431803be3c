//! Results of other tools: the figures of their own tables, files that cannot be, and the verbs that take them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod bad;
mod further;
mod llm_d;
mod lost;
mod proof;
mod sessions;
mod spoilt;
mod table;
mod verbs;

use std::path::{Path, PathBuf};

use perfgate::{
    import::{ImportError, Imported, Options},
    measure::measure,
    metric::Metric,
    session::Session,
    store,
};

/// Imports as the verbs do, which keep nothing that the store refuses; and what is kept comes back as it was.
pub(crate) fn import(paths: &[PathBuf], options: &Options) -> Result<Imported, ImportError> {
    let found = perfgate::import::import(paths, options)?;
    let path = paths.first().unwrap();
    store::check_session(path, &found.session).unwrap_or_else(|error| unreachable!("{error}"));
    let kept = store::session_json(&found.session).unwrap();
    assert_eq!(store::session_of_json(&kept).unwrap(), found.session);
    Ok(found)
}

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

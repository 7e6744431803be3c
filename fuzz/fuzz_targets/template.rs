//! Any bytes as somebody's own template of a comment or a page: refused, or rendered within its limits.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use perfgate::{
    render::Template,
    report::{Reference, Report, build},
    store,
    verdict::Policy,
};

/// A session against itself.
fn report() -> Report {
    let text = include_str!("../../tests/data/store/session-0.1.0-first.json");
    let session = store::session_of_json(text).expect("a session of ours");
    let reference = Reference::alone("baseline.json", &session);
    build(Some(&reference), ("session.json", &session), &Policy::default())
}

fuzz_target!(|bytes: &[u8]| {
    static REPORT: OnceLock<Report> = OnceLock::new();
    for name in ["own.md", "own.html"] {
        if let Ok(template) = Template::new(name, bytes) {
            let _ = template.render(REPORT.get_or_init(report));
        }
    }
});

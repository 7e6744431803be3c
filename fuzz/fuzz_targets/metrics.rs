//! Any bytes as a page of Prometheus metrics, and as an engine's log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perfgate::telemetry::{facts_of_log, facts_of_pages, held_requests};

fuzz_target!(|bytes: &[u8]| {
    let _ = facts_of_pages(&[bytes.to_vec()]);
    let _ = held_requests([bytes]);
    if let Ok(log) = str::from_utf8(bytes) {
        let _ = facts_of_log(log);
    }
});

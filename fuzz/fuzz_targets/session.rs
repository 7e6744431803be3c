//! Any bytes as a session file: refused, or a session that can be measured and written again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perfgate::{measure::measure, store};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(session) = store::session_of_json(text) else {
        return;
    };
    for cell in measure(&session).cells {
        for value in cell.series.into_values().flatten().flatten() {
            assert!(!value.value.is_nan());
        }
    }
    let written = store::session_json(&session).expect("what was read can be written");
    let again = store::session_of_json(&written).expect("and read again");
    assert_eq!(store::session_json(&again).ok(), Some(written));
});

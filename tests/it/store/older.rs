//! Files of earlier versions still mean what they meant.

use std::{collections::BTreeMap, fs, path::Path};

use perfgate::{
    compare::Fingerprint,
    plan::{Arrivals, Lengths, Load, Plan, Prompts, Target, Workload},
    store,
};

/// Written by the last perfgate that knew no stages, conversations, SLOs and other APIs (commit 77461b7), against its
/// own engine.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/store/session-0.1.0-first.json");

#[test]
fn a_session_of_the_first_version_gives_the_plan_that_it_gave_then() {
    let target = Target {
        model: Some("sim".into()),
        header_names: vec!["x-team".into()],
        extra_body: BTreeMap::from([("ignore_eos".into(), "true".into()), ("temperature".into(), "0".into())]),
        ..Target::at("http://127.0.0.1:18917")
    };
    let input_tokens = Lengths::Uniform { min: 100, max: 200 };
    let workload = Workload::new(
        Prompts::Synthetic { input_tokens },
        Lengths::Normal { mean: 8.0, std: 2.0 },
    );
    let rate = Load::Rate {
        rate_rps: 20.0,
        arrivals: Arrivals::Poisson,
    };
    let session = store::read_session(Path::new(FIRST)).unwrap();
    assert_eq!(
        session.plan,
        Plan {
            requests_per_run: 3,
            warmup_requests: 1,
            repeats: 2,
            seed: 7,
            hardware: BTreeMap::from([("gpu".into(), "none".into())]),
            ..Plan::new(target, workload, vec![Load::Concurrency(2), rate])
        }
    );
    // Its own `show` said so: a baseline of then is one of now.
    assert_eq!(Fingerprint::of(&session).hash(), "7886c8b294a845e5");
}

#[test]
fn a_session_that_needs_nothing_new_is_written_as_the_first_version_wrote_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.json");
    let session = store::read_session(Path::new(FIRST)).unwrap();
    store::write_session(&path, &session).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), fs::read_to_string(FIRST).unwrap());
}

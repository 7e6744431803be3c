//! How often the whole gate is wrong and right: simulated sessions in, verdicts out.
//!
//! Ten blocking checks (TPOT P95 and output throughput in five cells), the default policy, requests of a made-up server
//! in closed loop (`server`), machines with known noise (`noise`). The default run is a small form; the whole one is
//!
//! ```text
//! cargo test --release --test calibration -- --ignored --nocapture
//! ```
//!
//! Its table stands in `docs/statistics.md`. Every number is seeded: the same code gives the same counts. A bound is
//! asserted with the uncertainty of its count (Clopper and Pearson, one-sided 95 %): `proves` where the count shows it,
//! `allows` where the count is too small for more than not to contradict it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod full;
mod gates;
mod noise;
mod rates;
mod server;

use gates::{DRIFT_TOGETHER, Drift, NOTHING, Place, Planted, alone, alternated, judged, reported};
use noise::{ONE_NOISY, ONE_WILD, QUIET_1, QUIET_2, QUIET_3, Random, SHARED, SLOW_RUNS, Site};
use perfgate::compare::Background;
use rates::{Known, allows_at_most, paired, proves_at_least, proves_at_most, stored};
use server::{AT_LIMIT, Effect, TAIL, TWICE_LIMIT, World};

/// What twenty earlier measurements tell of a machine; few histories, as they cost more than the gates.
fn known(world: &World, site: impl Into<Site>) -> Known {
    Known::from(world, site, 20, 2)
}

#[test]
fn nothing_changed_on_a_quiet_machine_blocks_less_than_once_in_a_hundred_gates() {
    let world = World::new();
    let found = paired(&world, &known(&world, QUIET_1), NOTHING, 300);
    assert!(proves_at_most(found.blocked, found.gates, 0.01), "{found:?}");
    assert!(proves_at_least(found.passed, found.gates, 0.95), "{found:?}");
}

#[test]
fn nothing_changed_on_a_noisy_machine_blocks_as_rarely() {
    let world = World::new();
    for (class, gates) in [(QUIET_2, 50), (QUIET_3, 30), (SLOW_RUNS, 20), (SHARED, 20)] {
        let found = paired(&world, &known(&world, class), NOTHING, gates);
        assert!(
            allows_at_most(found.blocked, found.gates, 0.01),
            "{}: {found:?}",
            class.name
        );
    }
}

#[test]
fn the_first_measurements_on_a_machine_block_as_rarely() {
    let world = World::new();
    for earlier in [0, 1] {
        let found = paired(&world, &Known::from(&world, QUIET_2, earlier, 4), NOTHING, 40);
        assert!(allows_at_most(found.blocked, found.gates, 0.01), "{earlier}: {found:?}");
    }
}

#[test]
fn one_noisy_cell_among_quiet_ones_blocks_as_rarely_whatever_is_known_of_it() {
    let world = World::new();
    for (site, earlier) in [(ONE_NOISY, 0), (ONE_WILD, 0), (ONE_NOISY, 20)] {
        let found = paired(&world, &Known::from(&world, site, earlier, 1), NOTHING, 30);
        assert!(
            allows_at_most(found.blocked, found.gates, 0.01),
            "{}, {earlier}: {found:?}",
            site.name
        );
    }
    let found = stored(&world, drifting(ONE_NOISY, 0.03), NOTHING, 5, (60, 20));
    assert!(allows_at_most(found.blocked, found.gates, 0.01), "{found:?}");
}

#[test]
fn twice_the_limit_is_blocked_on_a_quiet_machine_and_the_limit_rarely() {
    let world = World::new();
    let quiet = known(&world, QUIET_1);
    let found = paired(&world, &quiet, Planted::in_one_cell(TWICE_LIMIT), 100);
    assert!(proves_at_least(found.blocked_by_5, found.gates, 0.95), "{found:?}");
    let found = paired(&world, &quiet, Planted::in_one_cell(TAIL), 40);
    assert!(proves_at_least(found.blocked, found.gates, 0.75), "tail: {found:?}");
    let found = paired(&world, &quiet, Planted::in_one_cell(AT_LIMIT), 40);
    assert!(
        allows_at_most(found.blocked, found.gates, 0.15),
        "at the limit: {found:?}"
    );
}

/// A machine whose sessions drift by this much, each cell by itself, with five runs a session.
fn drifting(site: impl Into<Site>, sd: f64) -> Place {
    Place {
        site: site.into(),
        drift: Drift { sd, together: false },
        runs: 5,
    }
}

#[test]
fn stored_sessions_that_drift_block_less_than_once_in_a_hundred_gates() {
    let world = World::new();
    for sessions in [1, 5, 20] {
        let found = stored(&world, drifting(QUIET_2, 0.03), NOTHING, sessions, (100, 40));
        assert!(
            allows_at_most(found.blocked, found.gates, 0.01),
            "{sessions}: {found:?}"
        );
    }
}

#[test]
fn on_the_first_day_twice_as_slow_blocks_and_equal_software_never_does() {
    let world = World::new();
    let doubled = Planted::everywhere(Effect::Everything(1.0));
    for place in [drifting(QUIET_2, 0.03), drifting(SHARED, 0.05)] {
        let found = stored(&world, place, doubled, 1, (60, 0));
        assert_eq!(found.blocked, found.gates, "{place:?}: {found:?}");
        let found = stored(&world, place, NOTHING, 1, (100, 0));
        assert_eq!(found.blocked, 0, "{place:?}: {found:?}");
    }
}

#[test]
fn the_report_says_what_is_counted_here() {
    let (world, nothing) = (World::new(), Background::default());
    for (seed, planted) in [
        (1, NOTHING),
        (2, Planted::everywhere(TWICE_LIMIT)),
        (3, Planted::in_one_cell(AT_LIMIT)),
    ] {
        let mut random = Random::new(seed);
        let [baseline, candidate] = alternated(&world, QUIET_1.into(), planted, 3, &mut random);
        let expected = judged(&baseline, &candidate, &nothing).verdict;
        assert_eq!(reported(&baseline, &candidate, &nothing), expected, "{planted:?}");
        let place = Place {
            site: QUIET_1.into(),
            drift: DRIFT_TOGETHER,
            runs: 3,
        };
        let candidate = alone(&world, place, planted, &mut random);
        let baseline = alone(&world, place, NOTHING, &mut random);
        let expected = judged(&baseline, &candidate, &nothing).verdict;
        assert_eq!(reported(&baseline, &candidate, &nothing), expected, "{planted:?}");
    }
}

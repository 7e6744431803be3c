//! The whole form: the tables of `docs/statistics.md`, with every bound of the promise asserted.

use crate::{
    drifting,
    gates::{DRIFT_TOGETHER, NOTHING, Place, Planted},
    noise::{ONE_NOISY, ONE_WILD, QUIET_1, QUIET_2, QUIET_3, SHARED, SLOW_RUNS, Site},
    rates::{Known, Tally, paired, proves_at_least, proves_at_most, stored},
    server::{AT_LIMIT, Effect, TAIL, TWICE_LIMIT, World},
};

/// Gates of each kind without a change, whose blocks are rare and must be shown to be; and of each other kind.
const UNCHANGED: u32 = 2000;
const CHANGED: u32 = 500;
/// Histories that take turns in them.
const HISTORIES: u32 = 100;
/// Stored sessions to draw from.
const POOL: u32 = 100;

#[test]
#[ignore = "minutes in release; its output stands in docs/statistics.md"]
fn pairs_in_every_class_of_noise() {
    let world = World::new();
    println!(
        "| noise of a run | nothing changed: blocked | passes, mean pairs | 0.9 × limit: blocked | limit | 1.5 × | 2 ×, mean pairs | 2 ×, could block by 5 pairs | 2 × in all cells | P95 alone 2 × (mean +3 %) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let alike = [QUIET_1, QUIET_2, QUIET_3, SLOW_RUNS, SHARED].map(Site::from);
    for site in alike.into_iter().chain([ONE_NOISY]) {
        let known = Known::from(&world, site, 20, HISTORIES);
        let of = |planted| paired(&world, &known, planted, CHANGED);
        let one = |effect| of(Planted::in_one_cell(effect));
        let (same, limit, twice) = (
            paired(&world, &known, NOTHING, UNCHANGED),
            one(AT_LIMIT),
            one(TWICE_LIMIT),
        );
        let cells = [
            site.name.to_owned(),
            count(same.blocked, same),
            format!("{}, {:.1}", share(same.passed, same), same.mean_pairs()),
            blocked(one(Effect::Decode(0.045))),
            blocked(limit),
            blocked(one(Effect::Decode(0.075))),
            format!("{}, {:.1} pairs", blocked(twice), twice.mean_pairs()),
            share(twice.blocked_by_5, twice),
            blocked(of(Planted::everywhere(TWICE_LIMIT))),
            blocked(one(TAIL)),
        ];
        println!("| {} |", cells.join(" | "));
        assert!(proves_at_most(same.blocked, same.gates, 0.01), "{same:?}");
        assert!(proves_at_most(limit.blocked, limit.gates, 0.15), "{limit:?}");
        if site.cells.iter().all(|class| class.run_sd <= 0.01) {
            assert!(proves_at_least(twice.blocked_by_5, twice.gates, 0.95), "{twice:?}");
        }
    }
}

#[test]
#[ignore = "minutes in release; its output stands in docs/statistics.md"]
fn pairs_with_few_earlier_measurements() {
    let world = World::new();
    println!(
        "| noise of a run | earlier measurements | nothing changed: blocked | passes, mean pairs | 2 × limit, mean pairs | 2 ×, could block by 5 pairs |"
    );
    println!("|---|---|---|---|---|---|");
    for site in [QUIET_2.into(), SLOW_RUNS.into(), ONE_NOISY, ONE_WILD] {
        for earlier in [0, 1, 5] {
            let known = Known::from(&world, site, earlier, HISTORIES);
            let of = |planted| paired(&world, &known, planted, CHANGED);
            let (same, twice) = (
                paired(&world, &known, NOTHING, UNCHANGED),
                of(Planted::in_one_cell(TWICE_LIMIT)),
            );
            let cells = [
                site.name.to_owned(),
                earlier.to_string(),
                count(same.blocked, same),
                format!("{}, {:.1}", share(same.passed, same), same.mean_pairs()),
                format!("{}, {:.1} pairs", blocked(twice), twice.mean_pairs()),
                share(twice.blocked_by_5, twice),
            ];
            println!("| {} |", cells.join(" | "));
            assert!(proves_at_most(same.blocked, same.gates, 0.01), "{same:?}");
        }
    }
}

#[test]
#[ignore = "minutes in release; its output stands in docs/statistics.md"]
fn stored_sessions_in_every_kind_of_drift() {
    let world = World::new();
    println!(
        "| noise of a run; drift between sessions | stored sessions | nothing changed: blocked | passes | 2 × limit in one cell: blocked | twice as slow: blocked |"
    );
    println!("|---|---|---|---|---|---|");
    let alike = |site: Site| Place {
        site,
        drift: DRIFT_TOGETHER,
        runs: 5,
    };
    for (place, drift) in [
        (drifting(QUIET_2, 0.01), "1 %"),
        (drifting(QUIET_2, 0.03), "3 %"),
        (alike(QUIET_2.into()), "3 %, all cells alike"),
        (drifting(ONE_NOISY, 0.03), "3 %"),
        (drifting(SHARED, 0.05), "5 %"),
    ] {
        for sessions in [1, 5, 20] {
            let of = |planted| stored(&world, place, planted, sessions, (CHANGED, POOL));
            let same = stored(&world, place, NOTHING, sessions, (UNCHANGED, POOL));
            let doubled = of(Planted::everywhere(Effect::Everything(1.0)));
            let cells = [
                format!("{}; {drift}", place.site.name),
                sessions.to_string(),
                count(same.blocked, same),
                share(same.passed, same),
                blocked(of(Planted::in_one_cell(TWICE_LIMIT))),
                blocked(doubled),
            ];
            println!("| {} |", cells.join(" | "));
            assert!(proves_at_most(same.blocked, same.gates, 0.01), "{same:?}");
            assert!(proves_at_least(doubled.blocked, doubled.gates, 0.99), "{doubled:?}");
        }
    }
}

fn blocked(tally: Tally) -> String {
    share(tally.blocked, tally)
}

fn share(hits: u32, of: Tally) -> String {
    format!("{:.1} %", 100.0 * f64::from(hits) / f64::from(of.gates))
}

fn count(hits: u32, of: Tally) -> String {
    format!("{hits}/{}", of.gates)
}

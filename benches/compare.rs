//! How long a verdict takes: two sessions of 60 cells × 5 runs × 1,000 requests in memory, measured, compared, judged.
//!
//! `cargo bench --bench compare`. Reading the files is `store`'s and not part of it.
#![expect(clippy::print_stdout, reason = "a bench tells its figure")]

mod made;

use std::{hint::black_box, time::Instant};

use made::{CELLS, REQUESTS, session};
use perfgate::{
    report::{self, Reference},
    verdict::Policy,
};

const RUNS: u32 = 5;

fn main() {
    let (old, new) = (session(1, RUNS), session(2, RUNS));
    let policy = Policy::default();
    for round in 1..=3 {
        let start = Instant::now();
        let report = black_box(report::build(
            Some(&Reference::alone("old", &old)),
            ("new", &new),
            &policy,
        ));
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "round {round}: {CELLS} cells × {RUNS} runs × {REQUESTS} requests, twice: {seconds:.3} s, {} checks, {}",
            report.checks.len(),
            report.headline
        );
    }
}

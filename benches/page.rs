//! How long a page takes: two sessions of 60 cells × 12 runs × 1,000 requests in memory, what charts are drawn of, and the page.
//!
//! `cargo bench --bench page`. Judging is not part of it: `compare` tells that. The page stays under `target/tmp`, for Chromium.
#![expect(clippy::print_stdout, reason = "a bench tells its figure")]

mod made;

use std::{fs, hint::black_box, io, time::Instant};

use made::{CELLS, REQUESTS, session};
use perfgate::{
    render::{html, whole_html},
    report::{self, Reference},
    verdict::Policy,
};

const RUNS: u32 = 12;

/// Where the page stays.
const PAGE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/page.html");

fn main() -> io::Result<()> {
    let (old, new) = (session(1, RUNS), session(2, RUNS));
    let mut report = report::build(Some(&Reference::alone("old", &old)), ("new", &new), &Policy::default());
    for round in 1..=3 {
        let start = Instant::now();
        report.draw(Some(&old), black_box(&new));
        let drawn = start.elapsed().as_secs_f64();
        let page = html(black_box(&report)).map_or(0, |page| page.len());
        let both = start.elapsed().as_secs_f64();
        let whole = whole_html(&report).map_or(0, |page| page.len());
        println!(
            "round {round}: {CELLS} cells × {RUNS} runs × {REQUESTS} requests, twice: charts' data {drawn:.3} s, page {:.3} s, \
             together {both:.3} s; {page} bytes, {whole} with everything",
            both - drawn
        );
    }
    fs::write(PAGE, html(&report).unwrap_or_default())?;
    println!("{PAGE}");
    Ok(())
}

//! perfgate: a performance-regression gate for LLM inference serving.
//!
//! The house has floors; a file imports only from floors below its own (`tests/architecture.rs` holds it).
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 6 door | [`cli`] | flags as typed, exit codes, the only place that prints |
//! | 5 verbs | [`commands`] | one file a verb; each reads as a list of steps |
//! | 4 hands | [`process`] | programs that we start, in groups of their own: what any other hand may use |
//! | | [`config`] | `perfgate.yaml`: layers, defaults, the resolved plan, its JSON Schema |
//! | | [`load`] | when, what, which API, how: a measured [`session::Run`] |
//! | | [`target`] | servers under test that we start: awaited, and stopped with all their children |
//! | | [`telemetry`] | GPU samples during a run; what machine this is |
//! | | [`store`] | sessions and baselines at rest |
//! | | [`git`] | files at a commit, ancestors, trailers, the commits of a range, work trees of our own |
//! | | [`github`] | the forge behind a trait |
//! | | [`import`] | results of other tools, found by their content, as sessions |
//! | | [`profile`] | profiler files: which profiler wrote one |
//! | | [`render`] | terminal, Markdown, HTML, JSON |
//! | | [`sim`] | the embedded inference engine |
//! | 3 arithmetic | [`stats`] | quantiles, intervals, tests: numbers in, numbers out |
//! | | [`measure`] | session → one value per run for each metric |
//! | | [`capacity`] | the highest level that meets the SLO, and when a ladder is saturated: from answers alone |
//! | | [`compare`] | comparable? then the change of each metric with its interval |
//! | | [`verdict`] | thresholds and decisions |
//! | | [`obligation`] | what a warning still owes |
//! | | [`bisect`] | the search over commits, as a pure function of answers |
//! | | [`report`] | all that any renderer shows |
//! | | [`history`] | stored sessions over time: what may enter, steps, the window, slow creep |
//! | | [`noise`] | a server against itself: what a gate can tell on this machine |
//! | 1 records | [`plan`] | what was asked |
//! | | [`session`] | what happened |
//! | 0 words | [`metric`] | each metric's name, unit, definition, and which way is better |
//!
//! What flows through it:
//!
//! ```text
//! flags ─┐
//! file  ─┴ config → Plan → load ×N (+ telemetry) → Run… → Session ─ measure → Measurements ─┬ store   (a baseline)
//! files of other tools ─────── import ───────────────→ Session                              └ compare → Comparison
//!                                              Policy ──────────────────────── verdict → Judgement → Report
//!                                              Report → render (terminal, Markdown, HTML, JSON) → files → exit code
//! ```

pub mod bisect;
pub mod capacity;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod config;
pub mod git;
pub mod github;
pub mod history;
pub mod import;
pub mod load;
pub mod measure;
pub mod metric;
pub mod noise;
pub mod obligation;
pub mod plan;
pub mod process;
pub mod profile;
pub mod render;
pub mod report;
pub mod session;
pub mod sim;
pub mod stats;
pub mod store;
pub mod target;
pub mod telemetry;
pub mod verdict;

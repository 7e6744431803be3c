//! Integration tests: one binary, a module per topic, helpers beside them.

mod ab;
mod again;
mod answering;
mod bisect;
#[cfg(target_os = "linux")]
mod bisect_long;
mod capacity;
#[cfg(unix)]
mod capture;
mod chain;
mod check;
mod checkout;
mod command;
mod commits;
mod config;
mod engine_page;
mod exact;
mod false_usage;
mod foreign;
mod github;
mod gpus;
mod history;
mod honest;
mod import;
mod kept;
mod launch;
mod load;
mod made;
mod manual;
mod memory_gate;
mod mlperf;
mod noise;
mod post;
mod profiles;
#[cfg(unix)]
mod pty;
mod render;
mod runner;
mod runner_alike;
mod runner_beside;
mod schemas;
mod selftest;
#[cfg(target_os = "linux")]
mod served;
mod settled;
mod shards;
mod sim;
mod site;
mod slow_reader;
mod store;
mod target;
mod telemetry;
#[cfg(unix)]
mod terminal;
mod trouble;
mod trust;

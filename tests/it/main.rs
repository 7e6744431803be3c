//! Integration tests: one binary, a module per topic, helpers beside them.

mod ab;
mod again;
mod answering;
mod bisect;
mod capacity;
#[cfg(unix)]
mod capture;
mod chain;
mod checkout;
mod command;
mod commits;
mod config;
mod engine_page;
mod exact;
mod false_usage;
mod github;
mod history;
mod honest;
mod load;
mod made;
mod manual;
mod noise;
mod post;
mod profiles;
#[cfg(unix)]
mod pty;
mod render;
mod schemas;
mod selftest;
mod settled;
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

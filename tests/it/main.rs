//! Integration tests: one binary, a module per topic, helpers beside them.

mod capacity;
mod chain;
mod command;
mod config;
mod exact;
mod honest;
mod load;
mod render;
mod selftest;
mod sim;
mod store;
mod telemetry;
mod trouble;

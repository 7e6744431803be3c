//! Integration tests: one binary, a module per topic, helpers beside them.

mod config;
mod load;
mod render;
mod sim;
mod store;
mod telemetry;

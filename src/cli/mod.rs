//! The door: flags as typed, exit codes, the only place that prints.

pub mod args;

//! The load generator: when, what, which API, how; its product is one measured run.

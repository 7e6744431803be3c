//! The search for the commit that made a metric worse, as a pure function of what was measured.

pub mod posterior;

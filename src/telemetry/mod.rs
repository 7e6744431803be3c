//! GPU samples during a run, and what machine this is.

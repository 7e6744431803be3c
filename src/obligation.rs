//! What a warning still owes: an explanation, a profiling report.

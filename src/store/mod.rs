//! Sessions and baselines at rest: versioned twins, atomic writes.

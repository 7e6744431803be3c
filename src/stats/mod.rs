//! Quantiles, intervals, tests: numbers in, numbers out.

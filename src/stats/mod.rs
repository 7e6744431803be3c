//! Quantiles, intervals, tests: numbers in, numbers out.

pub mod change_point;
pub mod cusum;
pub mod holm;
pub mod moments;
pub mod polygamma;
pub mod proportion;
pub mod quantile;
pub mod sequential;
#[cfg(test)]
pub(crate) mod series;
pub mod steady;
pub mod student_t;
pub mod trend;
pub mod variance_prior;
pub mod welch;

/// A count as a real number.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of runs and requests are far below 2^52"
)]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

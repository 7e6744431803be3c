//! Quantiles, intervals, tests: numbers in, numbers out.

pub mod bootstrap;
pub mod calendar;
pub mod change_point;
pub mod cusum;
pub mod draws;
pub mod e_process;
pub mod early_stopping;
pub mod fisher;
pub mod holm;
pub mod mann_whitney;
pub mod moments;
pub mod normal;
pub mod permutation;
pub mod polygamma;
pub mod proportion;
pub mod quantile;
mod ranks;
pub mod sequential;
#[cfg(test)]
pub(crate) mod series;
pub mod signed_rank;
pub mod steady;
pub mod student_t;
pub mod trend;
pub mod variance_prior;
pub mod welch;

/// Which way a test looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// The first is smaller than the second, or the value smaller than zero.
    Less,
    /// The first is greater than the second, or the value greater than zero.
    Greater,
    /// Either.
    TwoSided,
}

impl Alternative {
    /// The p of this alternative from those of both sides; twice the smaller for either.
    pub(crate) fn of(self, less: f64, greater: f64) -> f64 {
        match self {
            Self::Less => less.min(1.0),
            Self::Greater => greater.min(1.0),
            Self::TwoSided => (2.0 * less.min(greater)).min(1.0),
        }
    }
}

/// A count as a real number.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of runs and requests are far below 2^52"
)]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

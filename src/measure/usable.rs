//! The last look at a figure before anything is made of it: no NaN, no infinity, nothing negative leaves `measure`.

use super::RunValue;
use crate::metric::Metric;

/// The value, or why it can be none.
pub(super) fn usable(metric: Metric, value: RunValue) -> RunValue {
    let sample = value?;
    let told = |why: &str| Err(format!("it came out as `{} {}`, {why}", sample.value, metric.unit()));
    if !sample.value.is_finite() {
        return told("which is no number");
    }
    if sample.value < 0.0 {
        return told("which is less than nothing");
    }
    if sample.value == 0.0 && takes_something(metric) {
        return told("which no server can do");
    }
    Ok(sample)
}

/// Latencies and memory are never nothing; rates, shares and counts may be, and so may the gap between two tokens that
/// came in one read.
fn takes_something(metric: Metric) -> bool {
    let latency = metric.percentile().is_some() && !matches!(metric, Metric::Itl(_));
    latency || metric == Metric::GpuMemoryPeakGb
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::Sample,
        metric::Percentile::{P50, P95},
    };

    fn told(metric: Metric, value: f64) -> Result<f64, String> {
        let sample = Sample {
            value,
            samples: 200,
            ..Sample::default()
        };
        usable(metric, Ok(sample)).map(|sample| sample.value)
    }

    #[test]
    fn no_figure_is_infinite_negative_or_not_a_number() {
        for metric in Metric::ALL {
            for (value, why) in [
                (f64::NAN, "which is no number"),
                (f64::INFINITY, "which is no number"),
                (f64::NEG_INFINITY, "which is no number"),
                (-1.0, "which is less than nothing"),
            ] {
                assert!(
                    told(metric, value).is_err_and(|told| told.ends_with(why)),
                    "{metric} {value}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_a_figure_only_where_it_can_be_one() {
        assert_eq!(
            told(Metric::Ttft(P95), 0.0),
            Err("it came out as `0 ms`, which no server can do".to_owned())
        );
        assert_eq!(told(Metric::GpuMemoryPeakGb, 0.0).ok(), None);
        for metric in [Metric::ErrorRate, Metric::GoodputRps, Metric::Failed, Metric::Itl(P50)] {
            assert_eq!(told(metric, 0.0), Ok(0.0), "{metric}");
        }
    }
}

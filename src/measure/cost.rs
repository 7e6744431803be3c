//! What a million output tokens cost: the price of the GPUs over the output throughput.

use super::{Measurements, RunValue, Sample};
use crate::{metric::Metric, plan::Price};

/// Every run at this price, whatever it was measured at.
pub(super) fn fill(measured: &mut Measurements, price: Option<Price>) {
    for cell in &mut measured.cells {
        let throughput = cell.series.get(&Metric::OutputTokensPerS).cloned().unwrap_or_default();
        let costs = throughput.into_iter().map(|value| cost(value, price));
        let costs = costs.collect();
        cell.series.insert(Metric::CostPerMillionOutputTokens, costs);
    }
}

fn cost(throughput: RunValue, price: Option<Price>) -> RunValue {
    let price = price.ok_or("nobody said what the GPUs cost (`price`)")?;
    let Sample { value, samples, .. } = throughput?;
    let cost = price.of_a_million(value).ok_or("no output token came")?;
    Ok(super::run::sample(cost, samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{
        measure, measure_alike,
        synthetic::{Figures, session},
    };

    fn costs(measured: &Measurements) -> Vec<Result<f64, String>> {
        let series = &measured.cells[0].series[&Metric::CostPerMillionOutputTokens];
        series
            .iter()
            .map(|value| value.clone().map(|sample| sample.value))
            .collect()
    }

    #[test]
    fn each_run_costs_what_its_throughput_makes_of_the_price() {
        let mut priced = session(&[1], &[Figures::default(); 2]);
        assert!(
            costs(&measure(&priced))[0]
                .as_ref()
                .is_err_and(|why| why.contains("`price`"))
        );
        priced.plan.price = Some(Price { gpu_hour: 3.6, gpus: 2 });
        for cost in costs(&measure(&priced)) {
            // 2 a thousand seconds, at 1000 tokens a second.
            assert!(cost.is_ok_and(|cost| (cost - 2.0).abs() < 1e-6));
        }
    }

    #[test]
    fn both_sides_are_counted_at_the_candidates_price() {
        let at = |gpu_hour| {
            let mut priced = session(&[1], &[Figures::default(); 2]);
            priced.plan.price = Some(Price { gpu_hour, gpus: 1 });
            priced
        };
        let (old, new, _) = measure_alike(&at(7.2), &at(3.6));
        assert_eq!(costs(&old), costs(&new));
    }
}

//! Requests that kept what users are promised: goodput and SLO attainment.

use super::{
    RunValue, SLOWER_STEP, SLOWER_STEPS, Sample,
    promise::{Kept, kept, kept_if_slower, why_unseen},
    run::{nothing_completed, output_tokens, sample, throughput},
};
use crate::{
    metric::Metric,
    plan::Slo,
    session::{RequestRecord, Run},
    stats::real,
};

/// Goodput in requests and in tokens, and attainment; a request's own limits stand in place of the plan's, and in open
/// loop they count from the schedule.
pub(super) fn values(run: &Run, slo: &Slo, is_open: bool) -> Vec<(Metric, RunValue)> {
    let promised = promised(run, slo);
    let good = |record: &RequestRecord| kept(record, slo, is_open).map(|kept| kept == Kept::Yes);
    let good_ones = |record: &RequestRecord| good(record).map(f64::from);
    let good_tokens = |record: &RequestRecord| {
        if good(record)? { output_tokens(record) } else { Ok(0.0) }
    };
    let slower = if_slower(run, slo, is_open);
    let attained = promised
        .clone()
        .and_then(|()| attainment(run, good).map(|found| Sample { slower, ..found }));
    let share = attained.as_ref().ok().copied();
    let goodput = |found: RunValue| found.map(|found| with_fewer(found, share));
    vec![
        (
            Metric::GoodputRps,
            promised.clone().and_then(|()| goodput(throughput(run, good_ones))),
        ),
        (
            Metric::GoodputTokensPerS,
            promised.and_then(|()| goodput(throughput(run, good_tokens))),
        ),
        (Metric::SloAttainment, attained),
    ]
}

/// A goodput with what it would be if all times were longer: as many requests, of which fewer are good.
fn with_fewer(goodput: Sample, attained: Option<Sample>) -> Sample {
    let slower = attained
        .filter(|share| share.value > 0.0)
        .and_then(|share| Some(share.slower?.map(|then| goodput.value * then / share.value)));
    Sample { slower, ..goodput }
}

fn promised(run: &Run, slo: &Slo) -> Result<(), String> {
    let own = |record: &RequestRecord| record.slo.as_ref().is_some_and(|own| !own.is_empty());
    if slo.is_empty() && !run.requests.iter().any(own) {
        return Err("no SLO is set: give its limits under `slo`".into());
    }
    why_unseen(run, slo).map_or(Ok(()), Err)
}

/// Failed requests stay below the line: dropping them would make a server good by failing.
fn attainment(run: &Run, good: impl Fn(&RequestRecord) -> Result<bool, &'static str>) -> RunValue {
    if run.requests.is_empty() {
        nothing_completed(run)?;
    }
    let mut met = 0;
    for record in &run.requests {
        let good = good(record).map_err(|lack| format!("request {} completed, but {lack}", record.index))?;
        met += usize::from(good);
    }
    let all = run.requests.len();
    Ok(sample(real(met) / real(all), all))
}

/// What the share would be if all times were one, two, … steps longer; `None` of no request.
fn if_slower(run: &Run, slo: &Slo, is_open: bool) -> Option<[f64; SLOWER_STEPS]> {
    let all = Some(run.requests.len()).filter(|all| *all > 0)?;
    let mut times = 1.0;
    Some([(); SLOWER_STEPS].map(|()| {
        times *= SLOWER_STEP.exp();
        let is_kept = |record: &&RequestRecord| kept_if_slower(record, slo, is_open, times) == Ok(Kept::Yes);
        real(run.requests.iter().filter(is_kept).count()) / real(all)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::Figures;

    #[test]
    fn attainment_and_goodput_know_what_slower_servers_would_have() {
        let run = Figures::default().run();
        // TTFT is 50 ms in every request: 57 ms are 14 % away, between the second and the third step.
        let slo = Slo {
            ttft_ms: Some(57.0),
            ..Slo::default()
        };
        let found = values(&run, &slo, false);
        let of = |wanted: Metric| found.iter().find(|(metric, _)| *metric == wanted).unwrap().1.clone();
        let attainment = of(Metric::SloAttainment).unwrap();
        assert_eq!(
            (attainment.value.to_bits(), attainment.samples),
            (1.0_f64.to_bits(), 200)
        );
        assert_eq!(attainment.slower, Some([1.0, 1.0, 0.0, 0.0, 0.0]));
        for metric in [Metric::GoodputRps, Metric::GoodputTokensPerS] {
            let goodput = of(metric).unwrap();
            let all = goodput.value;
            assert_eq!(goodput.slower, Some([all, all, 0.0, 0.0, 0.0]));
        }
    }
}

//! A ladder of load levels on the page: throughput against latency with the Pareto edge and the best level under the SLO,
//! and the P99 of each level. The SVG elements stand in `templates/report.html`.

mod by_level;
mod edge;
mod levels;
mod plot;
mod tradeoff;
mod words;

use serde::Serialize;

use self::{
    levels::{Levels, ladders},
    plot::Plot,
    tradeoff::{Ground, promised},
    words::Limit,
};
use super::{figures::NamedArm, format::Scale};
use crate::{
    metric::{
        Metric,
        Percentile::{P50, P99},
    },
    plan::Slo,
};

/// The charts of all ladders of a report, or why there are none.
#[derive(Debug, Default, Serialize)]
pub(super) struct Ladders {
    charts: Vec<Plot>,
    /// Charts that could not be drawn, each with its reason.
    without: Vec<String>,
    /// Whether a level is ringed.
    has_slo: bool,
}

/// The charts of every ladder that the candidate climbed.
pub(super) fn charts(arms: &[NamedArm<'_>]) -> Ladders {
    let mut drawn = Ladders::default();
    match ladders(arms) {
        Ok(ladders) => ladders.iter().for_each(|levels| drawn.add(levels)),
        Err(reason) => drawn
            .without
            .push(format!("no chart of throughput against latency: {reason}")),
    }
    drawn
}

impl Ladders {
    fn add(&mut self, levels: &Levels<'_>) {
        let Some(candidate) = levels.climbs.last() else { return };
        let slo = candidate.slo;
        let ground = ground(levels, &slo);
        self.has_slo |= !ground.promise.is_empty();
        let ttft = levels.common(&[Metric::TtftFromSchedule(P99), Metric::Ttft(P99)]);
        for (metric, limit) in against(levels, &slo) {
            self.keep(
                tradeoff::plot(&ground, metric, limit),
                metric,
                candidate.why_not(metric),
            );
        }
        for (metric, limit) in [(ttft, slo.ttft_ms), (Some(Metric::Tpot(P99)), slo.tpot_ms)] {
            let Some(metric) = metric else { continue };
            let plot = by_level::plot(levels, metric, Limit::of(limit).as_ref());
            self.keep(plot, metric, candidate.why_not(metric));
        }
    }

    /// For whoever leaves some out.
    pub(super) fn charts_mut(&mut self) -> &mut Vec<Plot> {
        &mut self.charts
    }

    fn keep(&mut self, plot: Option<Plot>, metric: Metric, reason: Option<&str>) {
        if let Some(plot) = plot {
            self.charts.push(plot);
            return;
        }
        let reason = reason.unwrap_or("its throughput was not measured");
        let told = format!("no chart of {}: {reason}", metric.label());
        if !self.without.contains(&told) {
            self.without.push(told);
        }
    }
}

/// The latencies that throughput is drawn against: the whole answer, and what else is promised. A promise to all but one of a
/// hundred requests is one of their P99.
fn against(levels: &Levels<'_>, slo: &Slo) -> Vec<(Metric, Option<Limit>)> {
    let (e2e, e2e_limit) = match Limit::of(slo.e2e_ms) {
        Some(limit) => (P99, Some(limit)),
        None => (P50, None),
    };
    let of_e2e = levels.common(&[Metric::E2eFromSchedule(e2e), Metric::E2e(e2e)]);
    let of_ttft = levels.common(&[Metric::TtftFromSchedule(P99), Metric::Ttft(P99)]);
    let promised = [(of_ttft, slo.ttft_ms), (Some(Metric::Tpot(P99)), slo.tpot_ms)];
    let promised = promised
        .into_iter()
        .filter_map(|(metric, ms)| Some((metric?, Some(Limit::of(ms)?))));
    of_e2e
        .map(|metric| (metric, e2e_limit))
        .into_iter()
        .chain(promised)
        .collect()
}

fn ground<'a>(levels: &'a Levels<'a>, slo: &Slo) -> Ground<'a> {
    let throughput = levels
        .common(&[Metric::OutputTokensPerS, Metric::Qps])
        .unwrap_or(Metric::Qps);
    let bests: Vec<Option<edge::Best>> = levels
        .climbs
        .iter()
        .map(|climb| edge::best(climb, throughput))
        .collect();
    let is_promised = bests.iter().flatten().any(|best| !matches!(best, edge::Best::Most(_)));
    Ground {
        levels,
        throughput,
        along: Scale::of(throughput, levels.values(throughput)),
        promise: if is_promised {
            format!("{} for {} of the requests", words::promise(slo), promised())
        } else {
            String::new()
        },
        bests,
    }
}

#[cfg(test)]
mod tests;

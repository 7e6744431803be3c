//! Facts of one session that tell how far its figures can be trusted: the client, the warm-up, the prefix cache.

use std::time::Duration;

use crate::{
    measure::validity::{MAX_CPU_SHARE, judged_cpu_share},
    plan::Slo,
    session::{ClientUse, Run, SearchEnd, Session, WarmupEnd},
    stats::quantile::quantile,
};

fn runs(session: &Session) -> impl Iterator<Item = &Run> {
    session.cells.iter().flat_map(|cell| &cell.runs)
}

fn worst(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}

/// What the client itself cost, the worst run in each respect.
pub(super) fn client(session: &Session) -> Option<String> {
    let used: Vec<&ClientUse> = runs(session).filter_map(|run| run.client.as_ref()).collect();
    let cpu = worst(used.iter().filter_map(|client| judged_cpu_share(client)));
    let sent = worst(runs(session).filter_map(Run::send_lag_p99_ms));
    let read = worst(used.iter().filter_map(|client| client.read_lag).map(|lag| lag.p99_ms));
    let mut parts = Vec::new();
    parts.extend(cpu.map(|share| {
        format!(
            "at most {:.0} % of its threads' CPU time (limit {:.0} %)",
            share * 100.0,
            MAX_CPU_SHARE * 100.0
        )
    }));
    parts.extend(sent.map(|ms| format!("sends up to {ms:.1} ms behind schedule (P99)")));
    parts.extend(read.map(|ms| format!("reads up to {ms:.1} ms after arrival (P99)")));
    if !used.is_empty() {
        let by_kernel = used.iter().all(|client| client.kernel_stamps);
        let who = if by_kernel { "the kernel" } else { "perfgate itself" };
        parts.push(format!("arrivals stamped by {who}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Connections that were opened for measured requests, and how long that took; it is in no figure of a request.
pub(super) fn connections(session: &Session) -> Option<String> {
    let requests = runs(session).flat_map(|run| &run.requests);
    let opened: Vec<f64> = requests
        .filter_map(|record| Some(Duration::from_nanos(record.connect_ns?).as_secs_f64() * 1e3))
        .collect();
    let (p50_ms, p95_ms) = (quantile(&opened, 0.5)?, quantile(&opened, 0.95)?);
    Some(format!(
        "{} opened for measured requests, in {p50_ms:.2} ms (P50) and {p95_ms:.2} ms (P95) before they were sent",
        opened.len()
    ))
}

/// How the warm-ups ended, where anybody looked.
pub(super) fn warm_up(session: &Session) -> Option<String> {
    let ended = |end: WarmupEnd| runs(session).filter(|run| run.warmup.end == end).count();
    let (steady, limit) = (ended(WarmupEnd::Steady), ended(WarmupEnd::Limit));
    let most = runs(session).map(|run| run.warmup.requests).max().unwrap_or(0);
    (steady + limit > 0).then(|| {
        let all = runs(session).count();
        format!("until steady in {steady} of {all} runs, after {most} requests at most")
    })
}

/// Which page emptied the prefix cache, and before how many runs.
pub(super) fn cache(session: &Session) -> Option<String> {
    let pages: Vec<&String> = runs(session).filter_map(|run| run.cache_reset.as_ref()).collect();
    let page = pages.first()?;
    let all = runs(session).count();
    Some(format!("emptied by `{page}` before {} of {all} runs", pages.len()))
}

/// Searches without a figure: they ended at a bound of their range, beyond which the true one is, or before they knew it as
/// precisely as asked.
pub(super) fn without_answer(session: &Session) -> Option<String> {
    let ends: Vec<SearchEnd> = runs(session).filter_map(|run| Some(run.search.as_ref()?.end)).collect();
    let mut told = Vec::new();
    let above = ends.iter().filter(|end| matches!(end, SearchEnd::AboveMax(_))).count();
    let below = ends.iter().filter(|end| matches!(end, SearchEnd::BelowMin(_))).count();
    if above > 0 {
        told.push(format!(
            "{above} of {} met the SLO even at the highest level tried",
            ends.len()
        ));
    }
    if below > 0 {
        told.push(format!(
            "{below} of {} missed the SLO even at the lowest level tried",
            ends.len()
        ));
    }
    let wide = ends.iter().filter_map(|end| match end {
        SearchEnd::Wide(met, missed) => Some(format!("{met} to {missed}")),
        _ => None,
    });
    let wide: Vec<String> = wide.collect();
    if !wide.is_empty() {
        told.push(format!(
            "{} of {} took their most batches before they were as precise as asked ({})",
            wide.len(),
            ends.len(),
            wide.join(", ")
        ));
    }
    (!told.is_empty()).then(|| told.join(", "))
}

/// What users are promised.
pub(super) fn slo(slo: &Slo) -> Option<String> {
    let limits = [("TTFT", slo.ttft_ms), ("TPOT", slo.tpot_ms), ("E2E", slo.e2e_ms)];
    let told: Vec<String> = limits
        .into_iter()
        .filter_map(|(name, limit_ms)| Some(format!("{name} ≤ {} ms", limit_ms?)))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        session::{Lag, Search},
    };

    #[test]
    fn an_older_session_has_no_health_to_tell() {
        let plain = session(&[4], &[Figures::default(); 3]);
        assert_eq!((client(&plain), warm_up(&plain), cache(&plain)), (None, None, None));
        assert_eq!(slo(&plain.plan.slo), None);
    }

    #[test]
    fn the_worst_run_speaks_for_the_client() {
        let mut found = session(&[4], &[Figures::default(); 2]);
        for (run, cpu_s) in found.cells[0].runs.iter_mut().zip([1.0, 3.0]) {
            run.client = Some(ClientUse {
                cpu_s,
                wall_s: 10.0,
                threads: 2,
                kernel_stamps: true,
                read_lag: Some(Lag {
                    p99_ms: cpu_s / 10.0,
                    ..Lag::default()
                }),
            });
            run.warmup.end = WarmupEnd::Steady;
            run.cache_reset = Some("/flush_cache".into());
        }
        assert_eq!(
            client(&found).unwrap(),
            "at most 15 % of its threads' CPU time (limit 90 %), reads up to 0.3 ms after arrival (P99), arrivals stamped \
             by the kernel"
        );
        assert_eq!(
            warm_up(&found).unwrap(),
            "until steady in 2 of 2 runs, after 10 requests at most"
        );
        assert_eq!(cache(&found).unwrap(), "emptied by `/flush_cache` before 2 of 2 runs");
        found.cells[0].runs[0].requests[0].scheduled_ns = Some(0);
        found.cells[0].runs[0].requests[0].sent_ns = 2_500_000;
        assert!(client(&found).unwrap().contains("sends up to 2.5 ms behind schedule"));
        let promised = Slo {
            ttft_ms: Some(2000.0),
            tpot_ms: None,
            e2e_ms: Some(0.5),
        };
        assert_eq!(slo(&promised).unwrap(), "TTFT ≤ 2000 ms, E2E ≤ 0.5 ms");
    }

    #[test]
    fn opened_connections_are_counted_with_their_times() {
        let mut found = session(&[4], &[Figures::default(); 2]);
        assert_eq!(connections(&found), None, "all were open before");
        for (run, connect_ns) in found.cells[0].runs.iter_mut().zip([1_000_000, 3_000_000]) {
            run.requests[0].connect_ns = Some(connect_ns);
        }
        assert_eq!(
            connections(&found).unwrap(),
            "2 opened for measured requests, in 2.00 ms (P50) and 2.90 ms (P95) before they were sent"
        );
    }

    #[test]
    fn searches_without_an_answer_are_told() {
        let mut found = session(&[4], &[Figures::default(); 3]);
        let ends = [
            SearchEnd::AboveMax(9.0),
            SearchEnd::Found(7.0),
            SearchEnd::AboveMax(9.0),
        ];
        assert_eq!(without_answer(&found), None);
        for (run, end) in found.cells[0].runs.iter_mut().zip(ends) {
            run.search = Some(Search { end, steps: Vec::new() });
        }
        let told = "2 of 3 met the SLO even at the highest level tried";
        assert_eq!(without_answer(&found).as_deref(), Some(told));
        if let Some(search) = &mut found.cells[0].runs[1].search {
            search.end = SearchEnd::Wide(6.0, 9.0);
        }
        let wide = "1 of 3 took their most batches before they were as precise as asked (6 to 9)";
        assert_eq!(without_answer(&found).unwrap(), format!("{told}, {wide}"));
    }

    #[test]
    fn a_run_below_a_second_tells_nothing_of_the_clients_cpu() {
        let mut found = session(&[4], &[Figures::default()]);
        found.cells[0].runs[0].client = Some(ClientUse {
            cpu_s: 0.02,
            wall_s: 0.01,
            threads: 2,
            kernel_stamps: true,
            read_lag: None,
        });
        assert_eq!(client(&found).unwrap(), "arrivals stamped by the kernel");
    }
}

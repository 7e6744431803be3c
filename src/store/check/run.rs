//! What holds of one run and of each of its requests.

use std::collections::BTreeSet;

use super::{
    Checked, MAX_EXACT, above_zero, each, ensure, is_above_zero, is_zero_or_more, pairing, plan, stated, telemetry,
    time_of_day,
};
use crate::{
    plan::{Load, Plan},
    session::{ClientUse, GapCounts, GpuUse, RequestRecord, Run, Search, SearchEnd, Warmup},
};

pub(super) fn run(run: &Run, load: &Load, plan: &Plan) -> Checked {
    time_of_day(run.started_unix_s, "started_unix_s")?;
    for (at, record) in run.requests.iter().enumerate() {
        request(record, load, plan).map_err(|fault| fault.within(format_args!("requests[{at}]")))?;
    }
    unique_indexes(&run.requests)?;
    gaps(&run.itl, "itl")?;
    gaps_by_stage(&run.itl_by_stage, stages_of(load))?;
    warmup(run.warmup)?;
    gpu(&run.gpu)?;
    telemetry::telemetry(&run.telemetry)?;
    pairing::blocks(run)?;
    pairing::host(&run.host)?;
    if let Some(client) = &run.client {
        client_use(client).map_err(|fault| fault.within("client"))?;
    }
    if let Some(stated) = &run.stated {
        stated::stated(stated).map_err(|fault| fault.within("stated"))?;
    }
    if let Some(startup_s) = run.startup_s {
        each(&[("startup_s", startup_s)], is_zero_or_more, "a number of seconds")?;
    }
    search_of(run, load)
}

fn request(record: &RequestRecord, load: &Load, plan: &Plan) -> Checked {
    let planned = plan.requests_per_run;
    ensure(record.index < planned || !load.has_planned_count(), "index", || {
        format!(
            "is `{}`, but `plan.requests_per_run` is `{planned}` and the first index is 0",
            record.index
        )
    })?;
    let stages = stages_of(load);
    ensure(usize::from(record.stage) < stages, "stage", || {
        format!("is `{}`, but the load has {stages}, counted from 0", record.stage)
    })?;
    if let Some(scheduled_ns) = record.scheduled_ns {
        not_after(("scheduled_ns", scheduled_ns), ("sent_ns", record.sent_ns))?;
    }
    if let Some(connect_ns) = record.connect_ns {
        ensure(connect_ns <= MAX_EXACT, "connect_ns", || {
            format!("is `{connect_ns}`, beyond 2^53 ns")
        })?;
    }
    stamps(record, needed_stamps(plan))?;
    match &record.slo {
        Some(limits) => plan::slo(limits).map_err(|fault| fault.within("slo")),
        None => Ok(()),
    }
}

/// What a completed request needs where its tokens were streamed; not every other tool tells when the last one came.
fn needed_stamps(plan: &Plan) -> &'static [&'static str] {
    let streams_tokens = plan.target.streaming && plan.target.api.has_tokens();
    match (streams_tokens, plan.workload.prompts.is_foreign()) {
        (false, _) => &[],
        (true, true) => &["first_token_ns"],
        (true, false) => &["first_token_ns", "last_token_ns"],
    }
}

/// The order of a request's stamps, and those that a completed one needs.
fn stamps(record: &RequestRecord, needed: &[&str]) -> Checked {
    let mut latest = ("sent_ns", record.sent_ns);
    let tokens = [
        ("first_token_ns", record.first_token_ns),
        ("first_answer_ns", record.first_answer_ns),
        ("last_token_ns", record.last_token_ns),
    ];
    for (key, stamp) in tokens {
        let is_needed = record.completed() && needed.contains(&key);
        ensure(stamp.is_some() || !is_needed, key, || {
            "is missing from a completed request; give the stamp, or an `outcome`".into()
        })?;
        if let Some(stamp) = stamp {
            not_after(latest, (key, stamp))?;
            latest = (key, stamp);
        }
    }
    let later = record.first_answer_ns.or(record.last_token_ns);
    ensure(
        record.first_token_ns.is_some() || later.is_none(),
        "first_token_ns",
        || "is missing, but there is a later token".into(),
    )?;
    not_after(latest, ("end_ns", record.end_ns))?;
    ensure(record.end_ns <= MAX_EXACT, "end_ns", || {
        format!("is `{}`, beyond 2^53; stamps count from the run's start", record.end_ns)
    })
}

fn not_after((earlier_key, earlier): (&str, u64), (key, stamp): (&str, u64)) -> Checked {
    ensure(earlier <= stamp, key, || {
        format!("is `{stamp}`, before `{earlier_key}` at `{earlier}`")
    })
}

fn unique_indexes(requests: &[RequestRecord]) -> Checked {
    if requests.is_sorted_by(|one, next| one.index < next.index) {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    for (at, record) in requests.iter().enumerate() {
        ensure(seen.insert(record.index), &format!("requests[{at}].index"), || {
            format!("`{}` stands twice in this run", record.index)
        })?;
    }
    Ok(())
}

fn stages_of(load: &Load) -> usize {
    match load {
        Load::Stages { stages, .. } => stages.len(),
        _ => 1,
    }
}

fn gaps_by_stage(by_stage: &[GapCounts], stages: usize) -> Checked {
    ensure(by_stage.len() <= stages, "itl_by_stage", || {
        format!(
            "counts the gaps of {} stages, but the load has {stages}",
            by_stage.len()
        )
    })?;
    let mut numbered = by_stage.iter().enumerate();
    numbered.try_for_each(|(stage, itl)| gaps(itl, &format!("itl_by_stage[{stage}]")))
}

fn gaps(itl: &GapCounts, name: &str) -> Checked {
    let mut total: u64 = 0;
    let mut gap_before = None;
    for (at, &(gap_ns, count)) in itl.bins.iter().enumerate() {
        let key = format!("{name}[{at}]");
        ensure(count > 0, &key, || "counts `0` gaps; leave the pair out".into())?;
        ensure(gap_before < Some(gap_ns), &key, || {
            format!("`{gap_ns}` is not above the gap before; gaps rise")
        })?;
        ensure(gap_ns <= MAX_EXACT, &key, || {
            format!("the gap `{gap_ns}` is beyond 2^53 ns")
        })?;
        gap_before = Some(gap_ns);
        total = total.saturating_add(count);
    }
    ensure(total <= MAX_EXACT, name, || {
        format!("counts `{total}` gaps, beyond 2^53")
    })
}

fn warmup(warmup: Warmup) -> Checked {
    ensure(warmup.failed <= warmup.requests, "warmup.failed", || {
        format!("is `{}` of `{}` requests", warmup.failed, warmup.requests)
    })
}

fn gpu(gpu: &GpuUse) -> Checked {
    let GpuUse::Measured {
        utilization_mean_pct,
        samples,
        ..
    } = *gpu
    else {
        return Ok(());
    };
    above_zero(samples, "gpu.measured.samples")?;
    let utilization_pct = utilization_mean_pct.unwrap_or(0.0);
    ensure(
        (0.0..=100.0).contains(&utilization_pct),
        "gpu.measured.utilization_mean_pct",
        || format!("is `{utilization_pct}`; give percent from 0 to 100"),
    )
}

fn client_use(client: &ClientUse) -> Checked {
    let seconds = [("cpu_s", client.cpu_s), ("wall_s", client.wall_s)];
    each(&seconds, is_zero_or_more, "seconds, zero or more")?;
    let Some(lag) = client.read_lag else {
        return Ok(());
    };
    let lags = [
        ("read_lag.p50_ms", lag.p50_ms),
        ("read_lag.p95_ms", lag.p95_ms),
        ("read_lag.p99_ms", lag.p99_ms),
        ("read_lag.max_ms", lag.max_ms),
    ];
    each(&lags, is_zero_or_more, "milliseconds, zero or more")?;
    ensure(
        [lag.p50_ms, lag.p95_ms, lag.p99_ms, lag.max_ms].is_sorted(),
        "read_lag",
        || "does not rise from P50 over P99 to the largest".into(),
    )
}

/// A search stands only where one was planned, and its runs keep no requests.
fn search_of(run: &Run, load: &Load) -> Checked {
    let is_search = matches!(load, Load::Capacity(_));
    ensure(run.requests.is_empty() || !is_search, "requests", || {
        "is not empty, but the run is a search, which keeps no requests".into()
    })?;
    let Some(search) = &run.search else {
        return Ok(());
    };
    ensure(is_search, "search", || {
        format!("stands in a run of `{load}`, which is no search")
    })?;
    search_steps(search).map_err(|fault| fault.within("search"))
}

fn search_steps(search: &Search) -> Checked {
    let (level, missed) = match search.end {
        SearchEnd::Found(level) | SearchEnd::AboveMax(level) | SearchEnd::BelowMin(level) => (level, None),
        SearchEnd::Wide(met, missed) => (met, Some(missed)),
    };
    each(&[("end", level)], is_above_zero, "a level above zero")?;
    if let Some(missed) = missed {
        ensure(missed.is_finite() && missed > level, "end", || {
            format!("was met at `{level}` and missed at `{missed}`, which does not lie above it")
        })?;
    }
    for (at, step) in search.steps.iter().enumerate() {
        let offered_rps = step.offered_rps.unwrap_or_default();
        let numbers = [
            ("level", step.level),
            ("offered_rps", offered_rps),
            ("completed_rps", step.completed_rps),
        ];
        each(&numbers, is_zero_or_more, "a number, zero or more")
            .and_then(|()| {
                ensure((0.0..=1.0).contains(&step.attainment), "attainment", || {
                    format!("is `{}`; give a share from 0 to 1", step.attainment)
                })
            })
            .map_err(|fault| fault.within(format_args!("steps[{at}]")))?;
    }
    Ok(())
}

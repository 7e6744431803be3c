//! The rules that arithmetic relies on: order of stamps, finite numbers, counts above zero, no duplicates.
//!
//! Keys are those of the file, so that a person finds the place.

use std::collections::BTreeSet;

use crate::{
    plan::{Lengths, Load, Plan, Prompts},
    session::{CellRuns, GapCounts, GpuUse, RequestRecord, Run, Session, Warmup},
};

/// Whole numbers up to here are exact in `f64`, and so in every program that reads JSON.
const MAX_EXACT: u64 = 1 << 53;

/// The last second of the year 9999, UTC.
const MAX_UNIX_S: u64 = 253_402_300_799;

/// More load levels than anyone measures; the search for two alike takes their square.
const MAX_LOADS: usize = 1000;

/// What is wrong with a value, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where (`cells[0].runs[1].requests[17].first_token_ns`).
    pub(super) key: String,
    /// What, and what would be right.
    pub(super) problem: String,
}

type Checked = Result<(), Fault>;

impl Fault {
    /// The same fault, seen from one level above.
    pub(super) fn within(self, outer: impl std::fmt::Display) -> Self {
        let key = format!("{outer}.{}", self.key);
        Self { key, ..self }
    }
}

fn ensure(holds: bool, key: &str, problem: impl FnOnce() -> String) -> Checked {
    if holds {
        return Ok(());
    }
    Err(Fault {
        key: key.into(),
        problem: problem(),
    })
}

fn above_zero(count: u32, key: &str) -> Checked {
    ensure(count > 0, key, || "is `0`; give a number above zero".into())
}

fn time_of_day(unix_s: u64, key: &str) -> Checked {
    ensure(unix_s <= MAX_UNIX_S, key, || {
        format!("is `{unix_s}`, after the year 9999; give seconds since 1970 UTC")
    })
}

/// Checks a whole session.
pub(super) fn session(session: &Session) -> Checked {
    time_of_day(session.started_unix_s, "started_unix_s")?;
    plan(&session.plan).map_err(|fault| fault.within("plan"))?;
    for (at, cell) in session.cells.iter().enumerate() {
        let before = session.cells.get(..at).unwrap_or_default();
        cell_in(cell, before, &session.plan).map_err(|fault| fault.within(format_args!("cells[{at}]")))?;
    }
    Ok(())
}

fn plan(plan: &Plan) -> Checked {
    if let Prompts::Synthetic { input_tokens } = plan.workload.prompts {
        lengths(input_tokens, "workload.prompts.synthetic.input_tokens")?;
    }
    lengths(plan.workload.output_tokens, "workload.output_tokens")?;
    ensure(!plan.loads.is_empty(), "loads", || {
        "is empty; give at least one load level".into()
    })?;
    ensure(plan.loads.len() <= MAX_LOADS, "loads", || {
        format!("has {} entries; give at most {MAX_LOADS}", plan.loads.len())
    })?;
    for (at, load) in plan.loads.iter().enumerate() {
        let key = format!("loads[{at}]");
        load_level(load, &key)?;
        let earlier = plan.loads.iter().position(|other| other == load);
        ensure(earlier == Some(at), &key, || {
            format!("`{load}` stands twice; each load level is one cell")
        })?;
    }
    above_zero(plan.requests_per_run, "requests_per_run")?;
    above_zero(plan.repeats, "repeats")?;
    let rate = plan.max_error_rate;
    ensure((0.0..=1.0).contains(&rate), "max_error_rate", || {
        format!("is `{rate}`; give a fraction from 0 to 1")
    })
}

fn lengths(lengths: Lengths, key: &str) -> Checked {
    match lengths {
        Lengths::Fixed(tokens) => above_zero(tokens, &format!("{key}.fixed")),
        Lengths::Normal { mean, std } => {
            let holds = mean.is_finite() && mean > 0.0 && std.is_finite() && std >= 0.0;
            ensure(holds, &format!("{key}.normal"), || {
                format!("has mean `{mean}` and std `{std}`; give a mean above zero and a std of zero or more")
            })
        }
        Lengths::LogNormal { .. } | Lengths::Zipf { .. } | Lengths::Within { .. } => Ok(()),
        Lengths::Uniform { min, max } => ensure(1 <= min && min <= max, &format!("{key}.uniform"), || {
            format!("goes from `{min}` to `{max}`; give 1 ≤ min ≤ max")
        }),
    }
}

fn load_level(load: &Load, key: &str) -> Checked {
    match *load {
        Load::Concurrency(streams) => above_zero(streams, &format!("{key}.concurrency")),
        Load::Rate { rate_rps, .. } => ensure(
            rate_rps.is_finite() && rate_rps > 0.0,
            &format!("{key}.rate.rate_rps"),
            || format!("is `{rate_rps}`; give requests per second above zero"),
        ),
        _ => Ok(()),
    }
}

fn cell_in(cell: &CellRuns, before: &[CellRuns], plan: &Plan) -> Checked {
    ensure(plan.loads.contains(&cell.load), "load", || {
        format!("`{}` is none of `plan.loads`", cell.load)
    })?;
    ensure(!before.iter().any(|other| other.load == cell.load), "load", || {
        format!("`{}` has a cell already", cell.load)
    })?;
    ensure(!before.iter().any(|other| other.name == cell.name), "name", || {
        format!("`{}` is the name of an earlier cell", cell.name)
    })?;
    let mut next_repeat = 0;
    for (at, run) in cell.runs.iter().enumerate() {
        let whole = ensure(run.repeat >= next_repeat, "repeat", || {
            format!("is `{}`, not above that of the run before", run.repeat)
        });
        next_repeat = run.repeat.saturating_add(1);
        whole
            .and_then(|()| run_of(run, plan.requests_per_run))
            .map_err(|fault| fault.within(format_args!("runs[{at}]")))?;
    }
    Ok(())
}

fn run_of(run: &Run, requests_per_run: u32) -> Checked {
    time_of_day(run.started_unix_s, "started_unix_s")?;
    for (at, record) in run.requests.iter().enumerate() {
        request(record, requests_per_run).map_err(|fault| fault.within(format_args!("requests[{at}]")))?;
    }
    unique_indexes(&run.requests)?;
    gaps(&run.itl)?;
    warmup(run.warmup)?;
    gpu(&run.gpu)
}

fn request(record: &RequestRecord, requests_per_run: u32) -> Checked {
    ensure(record.index < requests_per_run, "index", || {
        format!(
            "is `{}`, but `plan.requests_per_run` is `{requests_per_run}` and the first index is 0",
            record.index
        )
    })?;
    if let Some(scheduled_ns) = record.scheduled_ns {
        not_after(("scheduled_ns", scheduled_ns), ("sent_ns", record.sent_ns))?;
    }
    let mut latest = ("sent_ns", record.sent_ns);
    let tokens = [
        ("first_token_ns", record.first_token_ns),
        ("last_token_ns", record.last_token_ns),
    ];
    for (key, stamp) in tokens {
        ensure(stamp.is_some() || !record.completed(), key, || {
            "is missing from a completed request; give the stamp, or an `outcome`".into()
        })?;
        if let Some(stamp) = stamp {
            not_after(latest, (key, stamp))?;
            latest = (key, stamp);
        }
    }
    ensure(
        record.first_token_ns.is_some() || record.last_token_ns.is_none(),
        "first_token_ns",
        || "is missing, but there is a `last_token_ns`".into(),
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

fn gaps(itl: &GapCounts) -> Checked {
    let mut total: u64 = 0;
    let mut gap_before = None;
    for (at, &(gap_ns, count)) in itl.bins.iter().enumerate() {
        let key = format_args!("itl[{at}]").to_string();
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
    ensure(total <= MAX_EXACT, "itl", || {
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
    ensure(
        (0.0..=100.0).contains(&utilization_mean_pct),
        "gpu.measured.utilization_mean_pct",
        || format!("is `{utilization_mean_pct}`; give percent from 0 to 100"),
    )
}

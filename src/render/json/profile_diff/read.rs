//! From the twin back to a comparison, which may come from anywhere: its sums are held against one another.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    super::profile::{clock, cut},
    CAUSES, CLOCKS, CUTS, FAMILIES, FAMILY, LEVELS, PHASES, SCHEMA, SOURCES,
    twin::{
        AloneTwin, BusyTwin, ChangeTwin, DiffTwin, IdleTwin, PhaseTwin, StructureTwin, TimeRowTwin, TimeTwin,
        ValuesTwin,
    },
    write::counted,
};
use crate::op_table::{
    Family, IdleCause, Inputs, Phase, Source,
    diff::{
        Alone, Busy, Change, Changed, Counted, Diff, Idle, Incomparable, Level, Origin, PhaseDiff, Row, Structure,
        TimeDiff, TimeRow, Told, Values,
    },
};

/// Why a file is no comparison of profiles.
#[derive(Debug, thiserror::Error)]
pub enum ProfileDiffError {
    /// Not JSON at all.
    #[error("the file is not JSON; give what `perfgate profile diff GOOD BAD --format json` writes")]
    NotJson(#[source] serde_json::Error),
    /// JSON of something else.
    #[error(
        "the file is no comparison of profiles: its `schema` is {}, not `{SCHEMA}`; give what \
         `perfgate profile diff GOOD BAD --format json` writes",
        found.as_ref().map_or_else(|| "missing".to_owned(), |found| format!("`{found}`"))
    )]
    Foreign {
        /// The `schema` it has, if it has one.
        found: Option<String>,
    },
    /// Of another version.
    #[error("the comparison is `{found}`; this perfgate reads `{SCHEMA}`; compare the profiles again")]
    OtherVersion {
        /// The `schema` it has.
        found: String,
    },
    /// Missing, unknown or mistyped fields.
    #[error("the comparison is damaged or was edited by hand")]
    Malformed(#[source] serde_json::Error),
    /// Fields that contradict each other.
    #[error("the comparison contradicts itself: {place} {what}; compare the profiles again")]
    Contradiction {
        /// Where.
        place: String,
        /// What does not fit.
        what: String,
    },
}

type Found<T> = Result<T, ProfileDiffError>;

/// The comparison that was written as JSON, or why its sides could not be compared.
///
/// # Errors
/// Text that is no JSON, no comparison, one of another version, or one whose numbers cannot be.
pub fn read_profile_diff(text: &str) -> Found<Result<Diff, Incomparable>> {
    let value: Value = serde_json::from_str(text).map_err(ProfileDiffError::NotJson)?;
    let short = |schema: &str| schema.chars().take(60).collect::<String>();
    match value.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => {}
        Some(other) if other.starts_with(FAMILY) => return Err(ProfileDiffError::OtherVersion { found: short(other) }),
        other => {
            return Err(ProfileDiffError::Foreign {
                found: other.map(short),
            });
        }
    }
    drop(value);
    // Read from the text once more: only so does the error name line and column.
    let twin: DiffTwin = serde_json::from_str(text).map_err(ProfileDiffError::Malformed)?;
    if twin.structure != StructureTwin::Incomparable {
        return diff(twin).map(Ok);
    }
    if twin.incomparable_because.is_empty() || !twin.phases.is_empty() {
        return Err(contradiction(
            "`structure`",
            "is `incomparable`, and no reason is given or there are phases",
        ));
    }
    Ok(Err(Incomparable {
        reasons: twin.incomparable_because,
    }))
}

fn contradiction(place: impl Into<String>, what: impl Into<String>) -> ProfileDiffError {
    ProfileDiffError::Contradiction {
        place: place.into(),
        what: what.into(),
    }
}

/// The one of a few things that has this name.
fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str, place: &str) -> Found<T> {
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        contradiction(
            format!("`{place}`"),
            format!("is `{text}`, which this perfgate does not know"),
        )
    })
}

fn diff(twin: DiffTwin) -> Found<Diff> {
    let counts = [twin.good.len(), twin.bad.len()];
    if counts.contains(&0) || twin.phases.is_empty() {
        return Err(contradiction("it", "has a side without captures, or no phase"));
    }
    let text = |text: Option<String>| text.unwrap_or_default();
    let found = Diff {
        origin: Origin {
            cell: twin.of.cell,
            commits: [twin.of.good_commit, twin.of.bad_commit],
            server: Vec::new(),
        },
        names: [twin.good, twin.bad],
        source: named(&SOURCES, Source::name, &text(twin.source), "source")?,
        clock: named(&CLOCKS, clock, &text(twin.clock), "clock")?,
        cut: named(&CUTS, cut, &text(twin.cut), "cut")?,
        engine: twin.engine,
        level: named(&LEVELS, Level::name, &text(twin.rows_are), "rows_are")?,
        attributed_ratio: twin
            .attributed_ratio
            .map(|ratio| share(ratio, "attributed_ratio"))
            .transpose()?,
        phases: twin
            .phases
            .into_iter()
            .map(|one| phase(one, counts))
            .collect::<Found<_>>()?,
        alone: twin.left_out.into_iter().map(alone).collect::<Found<_>>()?,
        peak_bytes: twin.peak_bytes,
        cautions: twin.cautions,
    };
    let is_same = twin.structure == StructureTwin::Same;
    if is_same != found.is_same_structure() {
        return Err(contradiction("`structure`", "is not what the phases say"));
    }
    Ok(found)
}

fn share(ratio: f64, place: &str) -> Found<f64> {
    if (0.0..=1.0).contains(&ratio) {
        Ok(ratio)
    } else {
        Err(contradiction(format!("`{place}`"), "is no share"))
    }
}

fn phase(twin: PhaseTwin, counts: [usize; 2]) -> Found<PhaseDiff> {
    let name = named(&PHASES, Phase::name, &twin.phase, "phase")?;
    let is_sound = |values: &[f64; 2]| values.iter().all(|value| value.is_finite() && *value >= 0.0);
    if twin.steps.contains(&0) || !is_sound(&twin.passes_a_step) {
        return Err(contradiction(format!("phase `{}`", name.name()), "has no steps"));
    }
    Ok(PhaseDiff {
        phase: name,
        batch: twin.batch,
        steps: twin.steps,
        passes: twin.passes_a_step,
        structure: Structure {
            changes: twin.changes.into_iter().map(change).collect::<Found<_>>()?,
            is_reordered: twin.is_reordered,
            unsteady: twin.unsteady_rows,
        },
        time: twin.time.map(|one| time(one, name, counts)).transpose()?,
        allocated_bytes: twin.allocated_bytes_a_step,
    })
}

fn change(twin: ChangeTwin) -> Found<Change> {
    let inputs = |inputs: super::twin::InputsTwin| Inputs {
        dims: inputs.dims,
        types: inputs.types,
    };
    let changed = match (twin.changed.as_str(), twin.inputs) {
        ("new", None) => Changed::New,
        ("gone", None) => Changed::Gone,
        ("calls", None) => Changed::Calls,
        ("launch_shape", None) => Changed::LaunchShape,
        ("bytes", None) => Changed::Bytes,
        ("inputs", Some(both)) => Changed::Inputs(Box::new(both.map(|one| one.map(inputs)))),
        _ => return Err(contradiction("`changed`", "is not known, or does not fit its `inputs`")),
    };
    let kinds = [Counted::Operator, Counted::Kernel, Counted::Family];
    Ok(Change {
        row: Row {
            region: twin.region,
            name: twin.name,
        },
        counted: named(&kinds, counted, &twin.counted, "counted")?,
        changed,
        is_steady: twin.is_steady,
        calls: twin.calls_a_step,
        moved_bytes: twin.moved_bytes_a_step,
        allocated_bytes: twin.allocated_bytes_a_step,
    })
}

fn time(twin: TimeTwin, phase: Phase, counts: [usize; 2]) -> Found<TimeDiff> {
    let of = |twin: ValuesTwin| values(twin, counts);
    let found = TimeDiff {
        wall: twin.wall_ms.map(of).transpose()?,
        wall_told: told(&twin.wall_told.told, twin.wall_told.interval_ms)?,
        rows: twin
            .rows
            .into_iter()
            .map(|one| row(one, counts))
            .collect::<Found<_>>()?,
        idle: twin
            .idle
            .into_iter()
            .map(|one| idle(one, counts))
            .collect::<Found<_>>()?,
        busy: twin
            .busy
            .into_iter()
            .map(|one| busy(one, counts))
            .collect::<Found<_>>()?,
        overlap: of(twin.overlap_ms)?,
        exposed_copy_ms: twin.exposed_copy_ms,
        exposed_communication_ms: twin.exposed_communication_ms,
        band_ms: twin.band_ms,
    };
    let (mut families, mut causes) = (BTreeSet::new(), BTreeSet::new());
    let is_twice = found.busy.iter().any(|busy| !families.insert(busy.family));
    if is_twice || found.idle.iter().any(|idle| !causes.insert(idle.cause)) {
        let place = format!("phase `{}`", phase.name());
        return Err(contradiction(place, "has a family or a cause of idle time twice"));
    }
    if found.does_close() {
        Ok(found)
    } else {
        let place = format!("phase `{}`", phase.name());
        Err(contradiction(place, "has times that do not add up to its steps"))
    }
}

/// One value for each capture, no less and no more.
fn values(twin: ValuesTwin, counts: [usize; 2]) -> Found<Values> {
    if [twin.good.len(), twin.bad.len()] != counts {
        return Err(contradiction("a time", "has not one value for each capture"));
    }
    Ok(Values {
        good: twin.good,
        bad: twin.bad,
    })
}

fn told(word: &str, interval: Option<(f64, f64)>) -> Found<Told> {
    match (word, interval) {
        ("one_capture", None) => Ok(Told::OneCapture),
        ("nothing", None) => Ok(Told::Nothing),
        ("waiting", None) => Ok(Told::Waiting),
        ("slower", Some((low, high))) if 0.0 < low && low <= high => Ok(Told::Slower(low, high)),
        ("faster", Some((low, high))) if low <= high && high < 0.0 => Ok(Told::Faster(low, high)),
        _ => Err(contradiction(
            "`told`",
            "is not known, or does not fit its `interval_ms`",
        )),
    }
}

fn row(twin: TimeRowTwin, counts: [usize; 2]) -> Found<TimeRow> {
    Ok(TimeRow {
        told: told(&twin.told, twin.interval_ms)?,
        row: Row {
            region: twin.region,
            name: twin.name,
        },
        family: named(&FAMILIES, Family::name, &twin.family, "family")?,
        calls: twin.calls_a_step,
        values: values(twin.ms, counts)?,
        is_changed: twin.is_changed,
    })
}

fn idle(twin: IdleTwin, counts: [usize; 2]) -> Found<Idle> {
    Ok(Idle {
        told: told(&twin.told, twin.interval_ms)?,
        cause: named(&CAUSES, IdleCause::name, &twin.cause, "cause")?,
        gaps: twin.gaps_a_step,
        values: values(twin.ms, counts)?,
    })
}

fn busy(twin: BusyTwin, counts: [usize; 2]) -> Found<Busy> {
    Ok(Busy {
        family: named(&FAMILIES, Family::name, &twin.family, "family")?,
        values: values(twin.ms, counts)?,
    })
}

fn alone(twin: AloneTwin) -> Found<Alone> {
    Ok(Alone {
        phase: named(&PHASES, Phase::name, &twin.phase, "phase")?,
        batch: twin.batch,
        is_bad: named(&["good", "bad"], |side| side, &twin.side, "side")? == "bad",
        steps: twin.steps,
    })
}

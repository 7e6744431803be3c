//! From what every renderer shows to what a template is given.

use super::{
    ArmContext, CellContext, ChangedContext, CheckContext, DifferenceContext, FactContext, FailureContext, Numbers,
    ObligationContext, RowContext, SettledContext, TrustedContext,
};
use crate::{
    render::{
        evidence::{ObligationView, TrustedView},
        facts::FactView,
        figures::{CellTable, Row},
        view::{ArmView, CheckView, DifferenceView, FailureView},
    },
    report::Check,
};

pub(super) fn arm(view: ArmView) -> ArmContext {
    ArmContext {
        name: view.name,
        commit: view.commit,
        short_commit: view.short_commit,
        started: view.started,
        fingerprint: view.fingerprint,
    }
}

pub(super) fn check(check: &Check, view: CheckView) -> CheckContext {
    CheckContext {
        verdict: check.verdict.into(),
        word: view.word,
        mark: view.mark,
        action: check.action.into(),
        requires: check.requires.map(Into::into),
        metric: view.metric,
        key: view.key,
        definition: view.definition,
        cell: view.cell,
        unit: view.unit,
        baseline: view.baseline,
        candidate: view.candidate,
        values: view.values,
        change: view.change,
        interval: view.interval,
        limit: view.limit,
        reason: view.reason,
        runs: view.runs,
        p_real: view.p_real,
        p_beyond: view.p_beyond,
        detectable: view.detectable,
        numbers: numbers(check),
    }
}

fn numbers(check: &Check) -> Numbers {
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    Numbers {
        baseline: finite(check.baseline),
        candidate: finite(check.candidate),
        change: finite(check.change),
        low: finite(check.interval.map(|(low, _)| low)),
        high: finite(check.interval.map(|(_, high)| high)),
    }
}

pub(super) fn cell(table: CellTable) -> CellContext {
    CellContext {
        cell: table.name,
        runs: table.runs,
        rows: table.rows.into_iter().map(row).collect(),
        notes: table.notes,
    }
}

/// The candidate's is the last, and the only one where there is no baseline.
fn row(row: Row) -> RowContext {
    let mut values = row.arms.into_iter().map(|entry| entry.value).rev();
    RowContext {
        metric: row.label,
        key: row.key,
        unit: row.unit,
        candidate: values.next().unwrap_or_default(),
        baseline: values.next(),
        change: row.change,
    }
}

pub(super) fn failure(view: FailureView) -> FailureContext {
    FailureContext {
        arm: view.arm,
        cell: view.cell,
        class: view.class,
        count: view.count,
        message: view.message,
    }
}

pub(super) fn difference(view: DifferenceView) -> DifferenceContext {
    DifferenceContext {
        field: view.field,
        baseline: view.baseline,
        candidate: view.candidate,
        allowed: view.allowed,
    }
}

pub(super) fn fact(view: FactView) -> FactContext {
    FactContext {
        name: view.what,
        values: view.values,
        differs: view.differs,
    }
}

pub(super) fn obligation(view: ObligationView) -> ObligationContext {
    ObligationContext {
        cell: view.cell,
        requires: view.requires,
        text: view.text,
        settled: view.settled.map(|settled| SettledContext {
            who: settled.who,
            place: settled.place,
            text: settled.text,
        }),
    }
}

pub(super) fn trusted(view: TrustedView) -> TrustedContext {
    let changed = view.changed.into_iter().map(|changed| ChangedContext {
        path: changed.path,
        lines: changed.lines,
    });
    TrustedContext {
        commit: view.commit,
        short_commit: view.short_commit,
        config: view.config,
        changed: changed.collect(),
    }
}

//! Between the report and its printed twins, both ways.

use std::collections::BTreeMap;

use super::{
    check,
    judging::{JudgingTwin, OnInconclusiveTwin, StoredTwin},
    past,
    twin::{
        ActionTwin, ArmTwin, CellTwin, DifferenceTwin, EvidenceTwin, FactTwin, FailureTwin, FieldRuleTwin, MetricTwin,
        ObligationTwin, ReportTwin, VerdictTwin,
    },
};
use crate::{
    metric::Metric,
    plan::Slo,
    render::RenderError,
    report::{Arm, CellFigures, Difference, Figure, Judging, Obligation, Report, Stored},
    verdict::{Action, Evidence, FieldRule, OnInconclusive, Policy, Unmet, Verdict},
};

/// Which metrics of a cell are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metrics {
    /// Those that the arm holds.
    Held,
    /// Every metric there is.
    All,
}

pub(super) fn report_twin(report: &Report) -> ReportTwin {
    ReportTwin {
        schema: super::REPORT_SCHEMA.into(),
        verdict: report.verdict.into(),
        exit_code: report.exit_code,
        headline: report.headline.clone(),
        next_steps: report.next_steps.clone(),
        baseline: report.baseline.as_ref().map(|arm| arm_twin(arm, Metrics::Held)),
        candidate: arm_twin(&report.candidate, Metrics::Held),
        checks: report.checks.iter().map(check::twin).collect(),
        differences: report.differences.iter().map(difference_twin).collect(),
        obligations: report.obligations.iter().map(obligation_twin).collect(),
        warnings: report.warnings.clone(),
        method: report.method.clone(),
        story: report.story.clone(),
        judging: Some(JudgingTwin {
            confidence: report.judging.confidence,
            family_error: report.judging.family_error,
            on_inconclusive: report.judging.on_inconclusive.into(),
            unmet: Some(report.judging.unmet.into()),
            allows_work: report.judging.allows_work,
        }),
        stored: StoredTwin {
            folder: report.stored.folder.clone(),
            holds_baseline: report.stored.holds_baseline,
        },
        trusted: report.trusted.as_ref().map(Into::into),
        history: Some(past::twin(&report.past)),
    }
}

pub(super) fn report(twin: ReportTwin) -> Result<Report, RenderError> {
    let verdict: Verdict = twin.verdict.into();
    let is_policy = verdict == Verdict::Inconclusive && twin.exit_code <= 1;
    if verdict.exit_code() != twin.exit_code && !is_policy {
        return Err(contradiction(
            "`exit_code`".into(),
            "another value than its `verdict` has",
        ));
    }
    Ok(Report {
        verdict,
        exit_code: twin.exit_code,
        headline: twin.headline,
        next_steps: twin.next_steps,
        baseline: twin.baseline.map(arm).transpose()?,
        candidate: arm(twin.candidate)?,
        checks: twin.checks.into_iter().map(check::check).collect::<Result<_, _>>()?,
        differences: twin.differences.into_iter().map(difference).collect::<Result<_, _>>()?,
        obligations: twin.obligations.into_iter().map(obligation).collect::<Result<_, _>>()?,
        warnings: twin.warnings,
        method: twin.method,
        story: twin.story,
        judging: judging(twin.judging),
        stored: Stored {
            folder: twin.stored.folder,
            holds_baseline: twin.stored.holds_baseline,
        },
        trusted: twin.trusted.map(Into::into),
        detail: Vec::new(),
        telemetry: Vec::new(),
        past: past::past(twin.history)?,
        profile: None,
    })
}

/// A file without it was judged by the built-in rule.
fn judging(twin: Option<JudgingTwin>) -> Judging {
    twin.map_or_else(
        || Judging::of(&Policy::default()),
        |twin| Judging {
            confidence: twin.confidence,
            family_error: twin.family_error,
            on_inconclusive: twin.on_inconclusive.into(),
            unmet: twin.unmet.map_or_else(Unmet::default, Into::into),
            allows_work: twin.allows_work,
        },
    )
}

pub(super) fn arm_twin(arm: &Arm, metrics: Metrics) -> ArmTwin {
    let facts = arm.facts.iter().map(|(name, value)| FactTwin {
        name: name.clone(),
        value: value.clone(),
    });
    let failures = arm.failures.iter().map(|(cell, class, count, message)| FailureTwin {
        cell: cell.clone(),
        class: class.clone(),
        count: *count,
        message: message.clone(),
    });
    ArmTwin {
        name: arm.name.clone(),
        started_unix_s: arm.started_unix_s,
        commit: arm.commit.clone(),
        fingerprint: arm.fingerprint.clone(),
        slo: (!arm.slo.is_empty()).then(|| arm.slo.into()),
        facts: facts.collect(),
        cells: arm.cells.iter().map(|cell| cell_twin(cell, metrics)).collect(),
        failures: failures.collect(),
    }
}

fn arm(twin: ArmTwin) -> Result<Arm, RenderError> {
    let failures = twin.failures.into_iter();
    Ok(Arm {
        name: twin.name,
        started_unix_s: twin.started_unix_s,
        commit: twin.commit,
        fingerprint: twin.fingerprint,
        pair_id: None,
        slo: twin.slo.map_or_else(Slo::default, Into::into),
        facts: twin.facts.into_iter().map(|fact| (fact.name, fact.value)).collect(),
        cells: twin.cells.into_iter().map(cell).collect::<Result<_, _>>()?,
        failures: failures.map(|f| (f.cell, f.class, f.count, f.message)).collect(),
    })
}

fn cell_twin(cell: &CellFigures, metrics: Metrics) -> CellTwin {
    let told = cell
        .metrics
        .keys()
        .copied()
        .filter(|metric| matches!(metric, Metric::Told(_)));
    let held = Metric::ALL
        .into_iter()
        .chain(told)
        .filter(|metric| metrics == Metrics::All || cell.metrics.contains_key(metric));
    CellTwin {
        cell: cell.name.clone(),
        load: cell.load.clone().into(),
        stage: cell.stage,
        runs: cell.runs,
        metrics: held
            .map(|metric| (metric.key().to_owned(), metric_twin(cell, metric)))
            .collect(),
    }
}

fn metric_twin(cell: &CellFigures, metric: Metric) -> MetricTwin {
    let (median, values, reason) = match cell.metrics.get(&metric) {
        Some(Figure::Measured { median, values }) => (Some(*median), values.clone(), None),
        Some(Figure::NotMeasured(reason)) => (None, vec![None; cell.runs], Some(reason.as_str())),
        None => (
            None,
            vec![None; cell.runs],
            Some("the session does not hold this metric"),
        ),
    };
    MetricTwin {
        unit: metric.unit().into(),
        median,
        values,
        reason: reason.map(str::to_owned),
    }
}

fn cell(twin: CellTwin) -> Result<CellFigures, RenderError> {
    let mut metrics = BTreeMap::new();
    for (key, metric) in twin.metrics {
        let place = || format!("metrics.{key} of cell `{}`", twin.cell);
        if metric.values.len() != twin.runs {
            return Err(RenderError::Contradiction {
                place: place(),
                what: format!("{} values for {} runs", metric.values.len(), twin.runs),
            });
        }
        let figure = match (metric.median, metric.reason) {
            (Some(median), None) => Figure::Measured {
                median,
                values: metric.values,
            },
            (None, Some(reason)) => Figure::NotMeasured(reason),
            (Some(_), Some(_)) => {
                return Err(contradiction(
                    place(),
                    "both a `median` and a `reason` why there is none",
                ));
            }
            (None, None) => {
                return Err(contradiction(
                    place(),
                    "neither a `median` nor a `reason` why there is none",
                ));
            }
        };
        metrics.insert(known_metric(&key, metric.unit)?, figure);
    }
    Ok(CellFigures {
        name: twin.cell,
        load: twin.load.into(),
        stage: twin.stage,
        runs: twin.runs,
        metrics,
    })
}

pub(super) fn contradiction(place: String, what: &str) -> RenderError {
    RenderError::Contradiction {
        place,
        what: what.into(),
    }
}

pub(super) fn known_metric(key: &str, unit: String) -> Result<Metric, RenderError> {
    let metric = metric(key)?;
    if metric.unit() == unit {
        return Ok(metric);
    }
    Err(RenderError::OtherUnit {
        metric: key.into(),
        found: unit,
        expected: metric.unit(),
    })
}

fn metric(key: &str) -> Result<Metric, RenderError> {
    Metric::from_key(key).ok_or_else(|| RenderError::UnknownMetric(key.into()))
}

fn difference_twin(difference: &Difference) -> DifferenceTwin {
    DifferenceTwin {
        field: difference.field.clone(),
        baseline: difference.baseline.clone(),
        candidate: difference.candidate.clone(),
        allowed: difference.is_allowed(),
        rule: Some(difference.rule.into()),
    }
}

fn difference(twin: DifferenceTwin) -> Result<Difference, RenderError> {
    let unstated = if twin.allowed {
        FieldRule::Warn
    } else {
        FieldRule::Refuse
    };
    let found = Difference {
        rule: twin.rule.map_or(unstated, Into::into),
        field: twin.field,
        baseline: twin.baseline,
        candidate: twin.candidate,
    };
    if found.is_allowed() != twin.allowed {
        let place = format!("`differences` of `{}`", found.field);
        return Err(contradiction(place, "another `rule` than its `allowed` says"));
    }
    Ok(found)
}

fn obligation_twin(obligation: &Obligation) -> ObligationTwin {
    ObligationTwin {
        cell: obligation.cell.clone(),
        metric: obligation.metric.key().into(),
        requires: obligation.requires.into(),
        text: obligation.text.clone(),
        settled: obligation.settled.as_ref().map(Into::into),
    }
}

fn obligation(twin: ObligationTwin) -> Result<Obligation, RenderError> {
    let unknown = |profiler| contradiction(format!("profiler `{profiler}`"), "no profiler that is known");
    let settled = twin.settled.map(|given| given.settled().map_err(unknown)).transpose()?;
    Ok(Obligation {
        settled,
        metric: metric(&twin.metric)?,
        cell: twin.cell,
        requires: twin.requires.into(),
        text: twin.text,
    })
}

/// JSON knows no infinity and no NaN; serde would write null, which reads as absent.
pub(super) fn refuse_infinite(report: &Report) -> Result<(), RenderError> {
    for check in &report.checks {
        if check::numbers(check).into_iter().any(|number| !number.is_finite()) {
            return Err(RenderError::NotFinite {
                place: format!("check `{}` of cell `{}`", check.metric, check.cell),
            });
        }
    }
    if let Some(place) = past::not_finite(&report.past) {
        return Err(RenderError::NotFinite { place });
    }
    if let Some(arm) = &report.baseline {
        refuse_infinite_arm(arm, "baseline")?;
    }
    refuse_infinite_arm(&report.candidate, "candidate")
}

pub(super) fn refuse_infinite_arm(arm: &Arm, arm_name: &str) -> Result<(), RenderError> {
    for cell in &arm.cells {
        for (metric, figure) in &cell.metrics {
            let Figure::Measured { median, values } = figure else {
                continue;
            };
            if !values.iter().flatten().chain([median]).all(|value| value.is_finite()) {
                return Err(RenderError::NotFinite {
                    place: format!("`{metric}` of cell `{}`, {arm_name}", cell.name),
                });
            }
        }
    }
    Ok(())
}

/// Two types with the same variants, converted into each other.
macro_rules! twins {
    (enum $ours:ident, $twin:ident: $($variant:ident),+) => {
        impl From<$ours> for $twin {
            fn from(ours: $ours) -> Self {
                match ours { $($ours::$variant => Self::$variant),+ }
            }
        }
        impl From<$twin> for $ours {
            fn from(twin: $twin) -> Self {
                match twin { $($twin::$variant => Self::$variant),+ }
            }
        }
    };
}

twins!(enum Action, ActionTwin: Block, Warn, Report);
twins!(enum Evidence, EvidenceTwin: Explanation, Profile);
twins!(enum Verdict, VerdictTwin:
    Improvement, Pass, Inconclusive, Regression, Incomparable, NoBaseline, Invalid);
twins!(enum OnInconclusive, OnInconclusiveTwin: Warn, Block, Pass);
twins!(enum FieldRule, FieldRuleTwin: Refuse, Warn, Ignore);

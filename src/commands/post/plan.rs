//! Whether what was measured is what the trusted configuration asks for: a lighter load hides a regression.

use crate::{
    compare,
    plan::Plan,
    report::{Difference, Report},
    session::Session,
    verdict::{Policy, Verdict},
};

/// Fields that only the measuring job can know.
const FOUND_BY_MEASURING: [&str; 6] = [
    "plan.model",
    "plan.dataset_sha256",
    "plan.trace_sha256",
    "plan.tokenizer",
    "plan.schedule",
    "plan.blocks",
];

/// The fields in which a session was measured otherwise than the plan says, refused ones only.
pub(super) fn refused(plan: &Plan, session: &Session, policy: &Policy) -> Vec<Difference> {
    let asked = Session {
        plan: plan.clone(),
        ..session.clone()
    };
    let mut differences: Vec<Difference> = compare::differences(&asked, session)
        .into_iter()
        .filter(|(field, _, _)| field.starts_with("plan.") && !FOUND_BY_MEASURING.contains(&field.as_str()))
        .map(|(field, baseline, candidate)| Difference {
            rule: policy.field_rule(&field),
            field,
            baseline,
            candidate,
        })
        .collect();
    if let (Some(asked), Some(found)) = (&plan.target.model, &session.environment.model)
        && asked != found
    {
        differences.push(Difference {
            field: "plan.model".into(),
            baseline: asked.clone(),
            candidate: found.clone(),
            rule: policy.field_rule("plan.model"),
        });
    }
    differences.retain(|difference| !difference.is_allowed());
    differences
}

/// A measurement of something else than was asked for passes nothing; a regression stays one, and what is invalid for its own
/// reason stays invalid.
pub(super) fn hold(report: &mut Report, differences: Vec<Difference>, config: &str) {
    if differences.is_empty() || report.exit_code == Verdict::Regression.exit_code() {
        return;
    }
    if report.verdict == Verdict::Invalid {
        return add(report, differences);
    }
    let fields: Vec<String> = differences
        .iter()
        .map(|difference| {
            let Difference {
                field,
                baseline,
                candidate,
                ..
            } = difference;
            format!("`{field}` is `{candidate}`, not `{baseline}`")
        })
        .collect();
    report.verdict = Verdict::Incomparable;
    report.exit_code = Verdict::Incomparable.exit_code();
    report.headline = format!(
        "incomparable: this is not what `{config}` asks to measure: {}",
        fields.join("; ")
    );
    report.next_steps = vec![
        format!("measure what `{config}` of the base asks for; give both jobs the same flags"),
        format!(
            "or change it there first, in a pull request of its own, or allow the field under `allow` in `{config}`"
        ),
    ];
    add(report, differences);
}

fn add(report: &mut Report, differences: Vec<Difference>) {
    let is_new = |new: &Difference| report.differences.iter().all(|old| old.field != new.field);
    let new: Vec<Difference> = differences.into_iter().filter(is_new).collect();
    report.differences.extend(new);
}

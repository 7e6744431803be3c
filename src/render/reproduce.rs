//! The command that gives the same verdict again.

use std::collections::BTreeSet;

use crate::{
    metric::Metric,
    report::{Check, Judging, Report},
    verdict::{Action, Bound, Evidence, FieldRule, Gate, Limit, OnInconclusive, OnUnmet, Policy},
};

/// The command that judges the same files by the same rules.
pub(super) fn command(report: &Report) -> Option<String> {
    let baseline = report.baseline.as_ref()?;
    let files = format!("{} {}", shell_word(&baseline.name), shell_word(&report.candidate.name));
    let allowed = report
        .differences
        .iter()
        .filter_map(|difference| match difference.rule {
            FieldRule::Refuse => None,
            FieldRule::Warn => Some(format!(" --allow {}", shell_word(&difference.field))),
            FieldRule::Ignore => Some(format!(
                " --field {}",
                shell_word(&format!("{}=ignore", difference.field))
            )),
        });
    let judging = judging(report.judging);
    let flags: String = rules(&report.checks)
        .into_iter()
        .chain(allowed)
        .chain(judging)
        .collect();
    Some(format!("perfgate compare {files}{flags}"))
}

/// A flag for each level that is not the built-in one.
fn judging(judging: Judging) -> Vec<String> {
    let built_in = Judging::of(&Policy::default());
    let how = match judging.on_inconclusive {
        OnInconclusive::Warn => None,
        OnInconclusive::Block => Some(" --on-inconclusive block".to_owned()),
        OnInconclusive::Pass => Some(" --on-inconclusive pass".to_owned()),
    };
    let differs = |own: f64, other: f64| (own - other).abs() > 1e-9;
    let confidence = Some(judging.confidence).filter(|own| differs(*own, built_in.confidence));
    let family_error = Some(judging.family_error).filter(|own| differs(*own, built_in.family_error));
    let flags = [
        confidence.map(|own| format!(" --confidence {own}")),
        family_error.map(|own| format!(" --family-error {own}")),
        how,
        unmet("explanation", judging.unmet.explanation, built_in.unmet.explanation),
        unmet("profile", judging.unmet.profile, built_in.unmet.profile),
    ];
    flags.into_iter().flatten().collect()
}

fn unmet(what: &str, own: OnUnmet, built_in: OnUnmet) -> Option<String> {
    (own != built_in).then(|| format!(" --on-unmet-{what} {}", own.name()))
}

/// A `--gate` for each rule that is not the built-in one.
fn rules(checks: &[Check]) -> BTreeSet<String> {
    let built_in = Policy::default().gates;
    let own = checks.iter().filter(|check| {
        let limit = match check.limit {
            Bound::Relative(change) => Limit::Relative(change.abs()),
            Bound::Absolute(size) => Limit::Absolute(size.abs()),
            Bound::Value(_) => return true,
            Bound::NoMoreFailures => return check.metric == Metric::ErrorRate && check.action != Action::Block,
        };
        let gate = Gate {
            limit,
            action: check.action,
            requires: check.requires,
        };
        built_in.get(&check.metric) != Some(&gate)
    });
    let flags = own.map(flag);
    // A search has no figure but its answer, and nothing else has that: what a report cannot have was not switched off.
    let is_search = checks.iter().all(|check| check.metric.is_capacity());
    let off = built_in
        .keys()
        .filter(|metric| !is_search && !metric.is_capacity())
        .filter(|metric| checks.iter().all(|check| check.metric != **metric));
    flags
        .chain(off.map(|metric| format!(" --gate {}=off", metric.key())))
        .collect()
}

/// The flag that gives one check its rule.
fn flag(check: &Check) -> String {
    let key = check.metric.key();
    let action = match check.action {
        Action::Block => "block",
        Action::Warn => "warn",
        Action::Report => "report",
    };
    let requires = match check.requires {
        Some(Evidence::Explanation) => "explanation",
        Some(Evidence::Profile) => "profile",
        None => "none",
    };
    let limit = match check.limit {
        Bound::Relative(change) => format!("{}%", (change.abs() * 1e8).round() / 1e6),
        Bound::Absolute(size) => format!("{} {}", size.abs(), unit(check.metric)),
        Bound::Value(value) => {
            let value = shell_word(&format!("{key}={value} {}", unit(check.metric)));
            return format!(" --ceiling {value}");
        }
        Bound::NoMoreFailures => return format!(" --gate {key}={action}"),
    };
    format!(" --gate {}", shell_word(&format!("{key}={limit}:{action}:{requires}")))
}

/// The metric's unit as configuration takes it.
fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        "%" => "points",
        "fraction" => "",
        unit => unit,
    }
}

/// The name as one word of a POSIX shell: what a reader copies must not run anything else.
fn shell_word(name: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "._-/@=+:,%".contains(sign);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn a_copied_command_runs_nothing_else() {
        for (name, word) in [
            ("out/session.json", "out/session.json"),
            ("a b", "'a b'"),
            ("x; rm -rf $HOME", "'x; rm -rf $HOME'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(name), word);
        }
    }

    #[test]
    fn rules_that_are_not_built_in_are_part_of_the_command() {
        let rule = |metric, limit, action, requires| Check {
            cell: String::new(),
            metric,
            baseline: None,
            candidate: None,
            change: None,
            interval: None,
            difference: None,
            limit: Bound::of(metric, limit),
            action,
            requires,
            p_real: None,
            p_beyond: None,
            verdict: Verdict::Pass,
            reason: String::new(),
            explanation: None,
            minimum_detectable_change: None,
            repeat_more: None,
            n_baseline: 0,
            n_candidate: 0,
        };
        let built_in = Policy::default().gates.into_iter();
        let mut checks: Vec<Check> = built_in
            .map(|(metric, gate)| rule(metric, gate.limit, gate.action, gate.requires))
            .collect();
        assert!(rules(&checks).is_empty());
        checks.retain(|check| check.metric != Metric::GpuMemoryPeakGb);
        checks.push(rule(
            Metric::Qps,
            Limit::Relative(0.005),
            Action::Warn,
            Some(Evidence::Profile),
        ));
        let flags: Vec<String> = rules(&checks).into_iter().collect();
        assert_eq!(
            flags,
            [" --gate gpu_memory_peak_gb=off", " --gate qps=0.5%:warn:profile"]
        );
    }
}

//! The command that gives the same verdict again.

use std::collections::BTreeSet;

use crate::{
    metric::Metric,
    report::{Check, Difference, Judging, Report},
    verdict::{Action, Bound, Evidence, FieldRule, Gate, Limit, OnInconclusive, OnUnmet, Policy},
};

/// The command that judges the same files by the same rules.
pub(super) fn command(report: &Report) -> String {
    let new = shell_word(&report.candidate.name);
    let old = report.baseline.as_ref().map(|baseline| shell_word(&baseline.name));
    let files = match old {
        Some(old) if report.stored.holds_baseline => format!("{new} --baseline {old}"),
        Some(old) => format!("{old} {new}"),
        None => new,
    };
    // Where nothing is compared, what the candidate itself must keep is all that was asked.
    let is_compared = report.baseline.is_some() && report.differences.iter().all(Difference::is_allowed);
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
    let flags: String = rules(&report.checks, is_compared)
        .into_iter()
        .chain(allowed)
        .chain(judging)
        .chain(store(report))
        .collect();
    format!("perfgate compare {files}{flags}")
}

/// Where the baseline lies, and the noise of earlier pairs; in a pull request at which commit.
fn store(report: &Report) -> Vec<String> {
    let folder = report.stored.folder.as_ref();
    let trusted = report.trusted.as_ref().filter(|_| report.stored.holds_baseline);
    let flags = [
        folder.map(|folder| format!(" --store {}", shell_word(folder))),
        trusted.map(|trusted| format!(" --trusted-ref {}", shell_word(&trusted.commit))),
    ];
    flags.into_iter().flatten().collect()
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
        judging.allows_work.then(|| " --allow work".to_owned()),
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

/// A `--gate` for each rule that is not the built-in one, and for each built-in one that was switched off.
fn rules(checks: &[Check], is_compared: bool) -> BTreeSet<String> {
    let built_in = Policy::default().gates;
    let own = checks.iter().filter(|check| {
        let limit = match check.limit {
            Bound::Relative(change) => Limit::Relative(change.abs()),
            Bound::Absolute(size) => Limit::Absolute(size.abs()),
            Bound::Value(_) => return true,
            Bound::NoMoreFailures if check.metric == Metric::ErrorRate => return check.action != Action::Block,
            Bound::NoMoreFailures => return check.stated.is_some(),
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
    let is_search = !is_compared || checks.iter().all(|check| check.metric.is_capacity());
    let off = built_in
        .keys()
        .filter(|metric| !is_search && !metric.is_capacity())
        .filter(|metric| checks.iter().all(|check| check.metric != **metric));
    let failures = checks.iter().any(|check| check.metric == Metric::ErrorRate);
    let uncounted = (!is_search && !failures).then_some(Metric::ErrorRate);
    flags
        .chain(
            off.copied()
                .chain(uncounted)
                .map(|metric| format!(" --gate {}=off", metric.key())),
        )
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
    let limit = match (check.limit, check.stated) {
        (Bound::Relative(change), _) | (Bound::NoMoreFailures, Some(Limit::Relative(change))) => relative(change),
        (Bound::Absolute(size), _) | (Bound::NoMoreFailures, Some(Limit::Absolute(size))) => {
            absolute(check.metric, size)
        }
        (Bound::Value(value), _) => {
            let value = shell_word(&format!("{key}={value} {}", unit(check.metric)));
            return format!(" --ceiling {value}");
        }
        (Bound::NoMoreFailures, None) => return format!(" --gate {key}={action}"),
    };
    format!(" --gate {}", shell_word(&format!("{key}={limit}:{action}:{requires}")))
}

fn relative(change: f64) -> String {
    format!("{}%", (change.abs() * 1e8).round() / 1e6)
}

/// A share without a unit would read as a fraction of the baseline.
fn absolute(metric: Metric, size: f64) -> String {
    if metric.unit() == "fraction" {
        return format!("{} points", (size.abs() * 1e10).round() / 1e8);
    }
    format!("{} {}", size.abs(), unit(metric))
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
pub(super) fn shell_word(name: &str) -> String {
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

    fn rule(metric: Metric, limit: Limit, action: Action, requires: Option<Evidence>) -> Check {
        Check {
            cell: String::new(),
            metric,
            baseline: None,
            candidate: None,
            change: None,
            interval: None,
            difference: None,
            limit: Bound::of(metric, limit),
            stated: None,
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
        }
    }

    #[test]
    fn rules_that_are_not_built_in_are_part_of_the_command() {
        let built_in = Policy::default().gates.into_iter();
        let mut checks: Vec<Check> = built_in
            .map(|(metric, gate)| rule(metric, gate.limit, gate.action, gate.requires))
            .collect();
        checks.push(Check {
            limit: Bound::NoMoreFailures,
            ..rule(Metric::ErrorRate, Limit::Relative(0.05), Action::Block, None)
        });
        assert!(rules(&checks, true).is_empty());
        checks.retain(|check| check.metric != Metric::GpuMemoryPeakGb);
        checks.push(rule(
            Metric::Qps,
            Limit::Relative(0.005),
            Action::Warn,
            Some(Evidence::Profile),
        ));
        let flags: Vec<String> = rules(&checks, true).into_iter().collect();
        assert_eq!(
            flags,
            [" --gate gpu_memory_peak_gb=off", " --gate qps=0.5%:warn:profile"]
        );
    }

    #[test]
    fn a_goodput_whose_requests_are_counted_keeps_its_gate() {
        let counted = |metric, stated, action, requires| Check {
            limit: Bound::NoMoreFailures,
            stated,
            ..rule(metric, Limit::Relative(0.05), action, requires)
        };
        for (check, flag) in [
            (
                counted(Metric::GoodputRps, Some(Limit::Relative(0.03)), Action::Block, None),
                " --gate goodput_rps=3%:block:none",
            ),
            (
                counted(
                    Metric::SloAttainment,
                    Some(Limit::Absolute(0.02)),
                    Action::Warn,
                    Some(Evidence::Explanation),
                ),
                " --gate 'slo_attainment=2 points:warn:explanation'",
            ),
            (
                rule(Metric::SloAttainment, Limit::Absolute(0.015), Action::Block, None),
                " --gate 'slo_attainment=1.5 points:block:none'",
            ),
        ] {
            assert!(rules(&[check], true).contains(flag), "{flag}");
        }
    }

    #[test]
    fn a_gate_without_a_check_of_failures_had_it_switched_off() {
        let checks = [rule(Metric::Qps, Limit::Relative(0.05), Action::Block, None)];
        assert!(rules(&checks, true).contains(" --gate error_rate=off"));
        assert!(rules(&[], true).is_empty(), "nothing was judged");
        assert!(
            !rules(&checks, false).iter().any(|flag| flag.ends_with("=off")),
            "nothing was compared"
        );
    }
}

//! The command that gives the same verdict again.

use std::collections::BTreeSet;

use crate::{
    report::{Check, Report},
    verdict::{Action, Evidence, Gate, Policy},
};

/// The command that judges the same files by the same rules.
pub(super) fn command(report: &Report) -> Option<String> {
    let baseline = report.baseline.as_ref()?;
    let files = format!("{} {}", shell_word(&baseline.name), shell_word(&report.candidate.name));
    let allowed = report.differences.iter().filter(|difference| difference.allowed);
    let allowed = allowed.map(|difference| format!(" --allow {}", shell_word(&difference.field)));
    let flags: String = rules(&report.checks).into_iter().chain(allowed).collect();
    Some(format!("perfgate compare {files}{flags}"))
}

/// A `--gate` for each rule that is not the built-in one.
fn rules(checks: &[Check]) -> BTreeSet<String> {
    let built_in = Policy::default().gates;
    let own = checks.iter().filter(|check| {
        let gate = Gate {
            threshold: check.threshold.abs(),
            action: check.action,
            requires: check.requires,
        };
        built_in.get(&check.metric) != Some(&gate)
    });
    let flags = own.map(|check| {
        let percent = (check.threshold.abs() * 1e8).round() / 1e6;
        let action = match check.action {
            Action::Block => "block",
            Action::Warn => "warn",
        };
        let requires = match check.requires {
            Some(Evidence::Explanation) => "explanation",
            Some(Evidence::Profile) => "profile",
            None => "none",
        };
        format!(" --gate {}={percent}%:{action}:{requires}", check.metric.key())
    });
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

/// The name as one word of a POSIX shell: what a reader copies must not run anything else.
fn shell_word(name: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "._-/@=+:,".contains(sign);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metric::Metric, verdict::Verdict};

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
        let rule = |metric, threshold, action, requires| Check {
            cell: String::new(),
            metric,
            baseline: None,
            candidate: None,
            change: None,
            interval: None,
            threshold,
            action,
            requires,
            p_real: None,
            p_beyond: None,
            verdict: Verdict::Pass,
            reason: String::new(),
            minimum_detectable_change: None,
            n_baseline: 0,
            n_candidate: 0,
        };
        let built_in = Policy::default().gates.into_iter();
        let mut checks: Vec<Check> = built_in
            .map(|(metric, gate)| rule(metric, gate.threshold, gate.action, gate.requires))
            .collect();
        assert!(rules(&checks).is_empty());
        checks.retain(|check| check.metric != Metric::GpuMemoryPeakGb);
        checks.push(rule(Metric::Qps, -0.005, Action::Warn, Some(Evidence::Profile)));
        let flags: Vec<String> = rules(&checks).into_iter().collect();
        assert_eq!(
            flags,
            [" --gate gpu_memory_peak_gb=off", " --gate qps=0.5%:warn:profile"]
        );
    }
}

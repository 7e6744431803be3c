//! Differences between two fingerprints that a rule lets through, and rules about fields that nobody has.

use crate::{
    compare::{Fingerprint, fingerprint},
    session::Session,
    verdict::{Difference, FieldRule, Policy},
};

/// What nobody refuses may still be the cause: each such difference is told, whichever rule lets it through.
pub(super) fn told(difference: &Difference) -> Option<String> {
    let how = match difference.rule {
        FieldRule::Refuse => return None,
        FieldRule::Warn => "allowed",
        FieldRule::Ignore => "ignored, as `fields` says",
    };
    let Difference {
        field,
        baseline,
        candidate,
        ..
    } = difference;
    let cause = if field == fingerprint::DEFINITIONS {
        "the two sides do not compute their figures alike, and a change may come from that alone"
    } else {
        "the change may come from it"
    };
    Some(format!(
        "`{field}` differs (`{baseline}`, `{candidate}`) and is {how}: {cause}"
    ))
}

/// Rules about fields that their owner names and that neither side states: a name that is spelt otherwise there is not
/// told apart from one that is left out.
pub(super) fn nobody_states(baseline: &Session, candidate: &Session, policy: &Policy) -> Option<String> {
    let prints = [baseline, candidate].map(Fingerprint::of);
    let stated: Vec<&str> = prints.iter().flat_map(Fingerprint::own).collect();
    let ruled = policy.fields.keys().chain(&policy.allow);
    let missing = ruled.filter(|field| {
        let is_seen = fingerprint::SEEN_FIELDS.contains(&field.as_str());
        fingerprint::is_open(field) && !is_seen && !stated.contains(&field.as_str())
    });
    let missing: Vec<String> = missing.map(|field| format!("`{field}`")).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "neither side states {}, for which there is a rule under `fields` or `allow`",
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, session},
        report::{Reference, Report, build},
    };

    fn report(candidate: &Session, rules: &[(&str, FieldRule)]) -> Report {
        let baseline = session(&[1], &[Figures::default(); 3]);
        let rules = rules.iter().map(|(field, rule)| ((*field).to_owned(), *rule));
        let policy = Policy {
            fields: rules.collect(),
            ..Policy::default()
        };
        let reference = Reference::alone("main.json", &baseline);
        build(Some(&reference), ("pr.json", candidate), &policy)
    }

    #[test]
    fn other_definitions_are_never_compared_in_silence() {
        let mut other = session(&[1], &[Figures::default(); 3]);
        other.definitions = "perfgate/0".into();
        for (rule, how) in [
            (FieldRule::Ignore, "ignored, as `fields` says"),
            (FieldRule::Warn, "allowed"),
        ] {
            let found = report(&other, &[("definitions", rule)]);
            let told = format!(
                "`definitions` differs (`perfgate/1`, `perfgate/0`) and is {how}: the two sides do not compute their figures \
                 alike, and a change may come from that alone"
            );
            assert!(found.warnings.contains(&told), "{:?}", found.warnings);
        }
    }

    #[test]
    fn a_difference_that_is_ignored_is_told_and_none_where_there_is_none() {
        let mut other = session(&[1], &[Figures::default(); 3]);
        other.environment.os = Some("linux arm64".into());
        let rules = [
            ("hardware.os", FieldRule::Ignore),
            ("engine.version", FieldRule::Ignore),
        ];
        let found = report(&other, &rules);
        let told = "`hardware.os` differs (`linux x86_64`, `linux arm64`) and is ignored, as `fields` says: the change may come \
                    from it";
        assert!(
            found.warnings.iter().any(|warning| warning == told),
            "{:?}",
            found.warnings
        );
        assert_eq!(
            found
                .warnings
                .iter()
                .filter(|warning| warning.contains("differs"))
                .count(),
            1
        );
    }

    #[test]
    fn a_rule_about_a_field_that_nobody_states_is_told() {
        let same = session(&[1], &[Figures::default(); 3]);
        let rules = [
            ("hardware.rack", FieldRule::Ignore),
            ("hardware.gpu", FieldRule::Ignore),
            ("hardware.gpu_driver", FieldRule::Ignore),
            ("plan.slo", FieldRule::Ignore),
        ];
        let told = "neither side states `hardware.rack`, for which there is a rule under `fields` or `allow`";
        let found = report(&same, &rules);
        assert!(
            found.warnings.iter().any(|warning| warning == told),
            "{:?}",
            found.warnings
        );
        assert!(
            !report(&same, &rules[1..])
                .warnings
                .iter()
                .any(|warning| warning.contains("neither"))
        );
    }
}

//! What reports say, in full, for each kind of verdict.

mod failing;
mod nothing_gated;

use std::collections::BTreeSet;

use super::*;
use crate::{
    measure::synthetic::{Figures, fail, in_pairs, scaled},
    metric::Percentile,
    session::{Ended, Session},
    verdict::Policy,
};

const QUIET: [f64; 5] = [0.998, 1.001, 1.0, 1.002, 0.999];
const NOISY: [f64; 5] = [0.93, 1.04, 1.0, 1.06, 0.97];

fn slower(factors: &[f64], by: f64) -> Session {
    let factors: Vec<f64> = factors.iter().map(|factor| factor * by).collect();
    scaled(&factors, |figures: &mut Figures, factor| figures.tpot_ms *= factor)
}

fn more_memory(by: f64) -> Session {
    scaled(&[by; 5], |figures, factor| figures.memory_gb *= factor)
}

fn report(old: Option<&Session>, new: &Session) -> Report {
    let Some(old) = old else {
        return build(None, ("pr.json", new), &Policy::default());
    };
    let (old, new) = in_pairs(old, new);
    let reference = Reference::alone("main.json", &old);
    build(Some(&reference), ("pr.json", &new), &Policy::default())
}

/// Headline, next steps, warnings and obligations, as a reader meets them.
fn text(report: &Report) -> String {
    let mut lines = vec![format!("{} [exit {}]", report.headline, report.exit_code)];
    lines.extend(report.story.iter().map(|story| format!("story: {story}")));
    lines.extend(report.next_steps.iter().map(|step| format!("next: {step}")));
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(
        report
            .checks
            .iter()
            .map(|check| format!("{}: {}", check.metric, check.reason)),
    );
    lines.push(report.method.clone());
    lines.join("\n")
}

#[test]
fn a_regression_reads_like_this() {
    insta::assert_snapshot!(text(&report(Some(&slower(&QUIET, 1.0)), &slower(&QUIET, 1.12))), @r"
        regression: TPOT P95 +12.0 % (90 % interval +11.7 … +12.3 %) at synthetic-64/16 @ c=16, limit +5.0 % [exit 1]
        story: decode is slower: each token takes longer at synthetic-64/16 @ c=16 (Output throughput 0.0 %, TTFT P95 0.0 %, TPOT P95 +12.0 %)
        next: find the cause and measure again
        next: or, if the change is wanted, accept it: once merged, it is the baseline of the next A/B measurement
        tpot_p95: +12.0 % (90 % interval +11.7 … +12.3 %): real (family-wise p < 0.0001 over 2 blocking checks) and beyond the limit of +5.0 % (more than 99.9 % sure)
        output_tokens_per_s: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of −5.0 % (more than 99.9 % sure)
        ttft_p95: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        gpu_memory_peak_gb: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        error_rate: none of 1000 requests of the baseline failed, and none of 1000 of the candidate
        The two sides were measured in alternation, 5 pairs; each pair gives one log-ratio of each metric, and a paired t test moderated by what is known of the noise tests their mean. The gate looks after 3, 5, 8 and 12 pairs, at levels that keep all looks together at those named here. A check is a regression when the change is real (Holm-corrected over all checks of its kind, level 1 %) and beyond its limit with 90 % confidence; it passes when the change is within the limit with 95 % confidence; else it is inconclusive. TPOT P95 at synthetic-64/16 @ c=16 is +12.0 % (90 % interval +11.7 … +12.3 %, limit +5.0 %) over 5 A/B pairs in alternation. The change is real (family-wise p < 0.0001 over 2 blocking checks, limit 0.0034 at this look) and we are more than 99.9 % sure that it is beyond the limit. Noise of one pair: 0.3 % (from these pairs alone, 4 df). With 5 pairs a change of +5.4 % is found with 80 % probability.
        ");
}

#[test]
fn a_pass_reads_like_this() {
    insta::assert_snapshot!(text(&report(Some(&slower(&QUIET, 1.0)), &slower(&QUIET, 1.003))), @r"
        pass: 3 blocking checks within their limits [exit 0]
        next: no action is needed
        tpot_p95: +0.3 % (90 % interval +0.1 … +0.5 %): within the limit of +5.0 % (more than 99.9 % sure)
        output_tokens_per_s: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of −5.0 % (more than 99.9 % sure)
        ttft_p95: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        gpu_memory_peak_gb: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        error_rate: none of 1000 requests of the baseline failed, and none of 1000 of the candidate
        The two sides were measured in alternation, 5 pairs; each pair gives one log-ratio of each metric, and a paired t test moderated by what is known of the noise tests their mean. The gate looks after 3, 5, 8 and 12 pairs, at levels that keep all looks together at those named here. A check is a regression when the change is real (Holm-corrected over all checks of its kind, level 1 %) and beyond its limit with 90 % confidence; it passes when the change is within the limit with 95 % confidence; else it is inconclusive. TPOT P95 at synthetic-64/16 @ c=16 is +0.3 % (90 % interval +0.1 … +0.5 %, limit +5.0 %) over 5 A/B pairs in alternation. We are more than 99.9 % sure that it is within the limit. Noise of one pair: 0.3 % (from these pairs alone, 4 df). With 5 pairs a change of +5.4 % is found with 80 % probability.
        ");
}

#[test]
fn an_improvement_reads_like_this() {
    insta::assert_snapshot!(report(Some(&slower(&QUIET, 1.0)), &slower(&QUIET, 0.9)).headline, @r"
        improvement: TPOT P95 −10.0 % (90 % interval −10.2 … −9.8 %) at synthetic-64/16 @ c=16, limit +5.0 %; 3 blocking checks within their limits
        ");
}

#[test]
fn an_open_question_reads_like_this() {
    insta::assert_snapshot!(text(&report(Some(&slower(&NOISY, 1.0)), &slower(&NOISY, 1.03))), @r"
        inconclusive: 1 of 3 blocking checks not settled; TPOT P95 at synthetic-64/16 @ c=16: +3.0 % (90 % interval −5.0 … +11.6 %): these pairs cannot tell whether that is beyond the limit of +5.0 %; it cannot be settled within 12 pairs; the smallest change that can is +12.3 % [exit 3]
        next: give each check what its reason names; against noise help an idle machine, more requests a run, or a wider limit
        tpot_p95: +3.0 % (90 % interval −5.0 … +11.6 %): these pairs cannot tell whether that is beyond the limit of +5.0 %; it cannot be settled within 12 pairs; the smallest change that can is +12.3 %
        output_tokens_per_s: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of −5.0 % (more than 99.9 % sure)
        ttft_p95: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        gpu_memory_peak_gb: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        error_rate: none of 1000 requests of the baseline failed, and none of 1000 of the candidate
        The two sides were measured in alternation, 5 pairs; each pair gives one log-ratio of each metric, and a paired t test moderated by what is known of the noise tests their mean. The gate looks after 3, 5, 8 and 12 pairs, at levels that keep all looks together at those named here. A check is a regression when the change is real (Holm-corrected over all checks of its kind, level 1 %) and beyond its limit with 90 % confidence; it passes when the change is within the limit with 95 % confidence; else it is inconclusive. TPOT P95 at synthetic-64/16 @ c=16 is +3.0 % (90 % interval −5.0 … +11.6 %, limit +5.0 %) over 5 A/B pairs in alternation. That is not settled: it is not shown to be a real change (family-wise p 0.478 over 2 blocking checks, limit 0.0034 at this look), and we are 68 % sure that it is within the limit. Noise of one pair: 8.4 % (from these pairs alone, 4 df). With 5 pairs a change of +30.6 % is found with 80 % probability. It cannot be settled within 12 pairs; the smallest change that can is +12.3 %.
        ");
}

#[test]
fn an_owed_profile_reads_like_this() {
    let found = report(Some(&more_memory(1.0)), &more_memory(1.2));
    assert_eq!(found.obligations.len(), 1);
    insta::assert_snapshot!(text(&found), @r"
        inconclusive: attach a profiling report: Peak GPU memory rose by 20.0 % at synthetic-64/16 @ c=16 [exit 3]
        next: attach a profiling report: Peak GPU memory rose by 20.0 % at synthetic-64/16 @ c=16; attach it with `perfgate profile attach FILE`
        warning: Peak GPU memory at synthetic-64/16 @ c=16: +20.0 % (90 % interval +19.9 … +20.1 %), limit +10.0 %
        warning: two runs of the baseline hold the same records at synthetic-64/16 @ c=16: they are not independent
        warning: two runs of the candidate hold the same records at synthetic-64/16 @ c=16: they are not independent
        gpu_memory_peak_gb: +20.0 % (90 % interval +19.9 … +20.1 %): real (family-wise p < 0.0001 over 2 warning checks) and beyond the limit of +10.0 % (more than 99.9 % sure)
        tpot_p95: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +5.0 % (more than 99.9 % sure)
        output_tokens_per_s: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of −5.0 % (more than 99.9 % sure)
        ttft_p95: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        error_rate: none of 1000 requests of the baseline failed, and none of 1000 of the candidate
        The two sides were measured in alternation, 5 pairs; each pair gives one log-ratio of each metric, and a paired t test moderated by what is known of the noise tests their mean. The gate looks after 3, 5, 8 and 12 pairs, at levels that keep all looks together at those named here. A check is a regression when the change is real (Holm-corrected over all checks of its kind, level 1 %) and beyond its limit with 90 % confidence; it passes when the change is within the limit with 95 % confidence; else it is inconclusive. Peak GPU memory at synthetic-64/16 @ c=16 is +20.0 % (90 % interval +19.9 … +20.1 %, limit +10.0 %) over 5 A/B pairs in alternation. The change is real (family-wise p < 0.0001 over 2 warning checks, limit 0.0034 at this look) and we are more than 99.9 % sure that it is beyond the limit. Noise of one pair: 0.1 % (from these pairs alone, 4 df). With 5 pairs a change of +10.2 % is found with 80 % probability.
        ");
}

#[test]
fn too_few_requests_read_like_this() {
    let few = scaled(&QUIET, |figures, _| figures.requests = 40);
    let found = report(Some(&few), &few);
    insta::assert_snapshot!(format!("{}\n{}", found.headline, found.next_steps.join("\n")), @r"
        inconclusive: 1 of 3 blocking checks not settled; TPOT P95 at synthetic-64/16 @ c=16: P95 needs 200 requests a run, these have 40
        measure both sides with more requests a run: `--requests 200`
        ");
}

#[test]
fn refusals_read_like_this() {
    let good = slower(&QUIET, 1.0);
    let mut other = good.clone();
    other.environment.gpus = vec!["NVIDIA H200".into()];
    let mut failing = good.clone();
    failing.cells[0].runs[2].requests.iter_mut().take(9).for_each(fail);
    let all = [
        report(None, &good),
        report(Some(&good), &other),
        report(Some(&good), &failing),
    ];
    let text: Vec<String> = all.iter().map(text).collect();
    insta::assert_snapshot!(text.join("\n\n"), @r"
        no baseline: there is nothing to compare with yet [exit 3]
        next: keep this session as the baseline: `perfgate baseline save pr.json`
        No change was computed: there is nothing to judge.

        incomparable: `hardware.gpus` is `NVIDIA H100 80GB HBM3` in the baseline and `NVIDIA H200` here [exit 3]
        next: measure both sides alike, or override a field that does not matter with `--allow FIELD`
        No change was computed: there is nothing to judge.

        inconclusive: 1 of 3 blocking checks not settled; Error rate at synthetic-64/16 @ c=16: 9 of 1000 requests of the candidate failed, 0 of 1000 of the baseline (Fisher's exact p 0.002; p 0.500 when whole runs are exchanged): they came in too few runs to tell; repeat 3 more pairs [exit 3]
        next: measure again with `perfgate gate --ab`: 3 more pairs would most likely settle it
        warning: candidate: failed requests count as infinitely slow at synthetic-64/16 @ c=16: TPOT P95 10.0 ms, 10.0 ms without them, TTFT P95 50.0 ms, 50.0 ms without them
        error_rate: 9 of 1000 requests of the candidate failed, 0 of 1000 of the baseline (Fisher's exact p 0.002; p 0.500 when whole runs are exchanged): they came in too few runs to tell; repeat 3 more pairs
        output_tokens_per_s: −0.9 % (90 % interval −2.8 … +1.0 %): within the limit of −5.0 % (99.4 % sure)
        tpot_p95: 0.0 % (90 % interval −0.2 … +0.2 %): within the limit of +5.0 % (more than 99.9 % sure)
        ttft_p95: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        gpu_memory_peak_gb: 0.0 % (90 % interval −0.1 … +0.1 %): within the limit of +10.0 % (more than 99.9 % sure)
        The two sides were measured in alternation, 5 pairs; each pair gives one log-ratio of each metric, and a paired t test moderated by what is known of the noise tests their mean. The gate looks after 3, 5, 8 and 12 pairs, at levels that keep all looks together at those named here. A check is a regression when the change is real (Holm-corrected over all checks of its kind, level 1 %) and beyond its limit with 90 % confidence; it passes when the change is within the limit with 95 % confidence; else it is inconclusive. Error rate at synthetic-64/16 @ c=16: 9 of 1000 requests of the candidate failed, 0 of 1000 of the baseline (Fisher's exact p 0.002; p 0.500 when whole runs are exchanged): they came in too few runs to tell; repeat 3 more pairs.
        ");
}

#[test]
fn a_difference_that_is_to_stay_is_accepted_with_a_session_and_never_with_the_arm_of_a_pair() {
    let good = slower(&QUIET, 1.0);
    let mut other = good.clone();
    other.environment.gpus = vec!["NVIDIA H200".into()];
    let accepts = |old: &Session, new: &Session| {
        let built = build(
            Some(&Reference::alone("main.json", old)),
            ("pr.json", new),
            &Policy::default(),
        );
        assert_eq!(built.verdict, Verdict::Incomparable);
        built
            .next_steps
            .iter()
            .any(|step| step.contains("`perfgate baseline save pr.json`"))
    };
    assert!(accepts(&good, &other));
    let (old, new) = in_pairs(&good, &other);
    assert!(!accepts(&old, &new));
}

#[test]
fn what_the_reader_should_know_is_a_warning() {
    let good = slower(&QUIET, 1.0);
    let mut other = good.clone();
    other.environment.engine_version = Some("0.7.0".into());
    other.ended = Ended::Interrupted;
    other.notes = vec!["the client was busy".into()];
    other.cells[0].runs[0].warmup.failed = 2;
    for record in &mut other.cells[0].runs[0].requests {
        record.tokens_from = crate::session::TokensFrom::Chunks;
    }
    let policy = Policy {
        allow: BTreeSet::from(["engine.version".to_owned()]),
        ..Policy::default()
    };
    let (good, other) = in_pairs(&good, &other);
    let found = build(
        Some(&Reference::alone("main.json", &good)),
        ("pr.json", &other),
        &policy,
    );
    assert_eq!((found.exit_code, found.differences.len()), (3, 1));
    assert!(found.differences[0].is_allowed());
    insta::assert_snapshot!(found.warnings.join("\n"), @r"
        the candidate was interrupted: only its finished runs are compared
        candidate: 2 of 50 warm-up requests failed at synthetic-64/16 @ c=16
        candidate: the client was busy
        not all output tokens of the candidate were counted by the server's `usage`, as those of the baseline were: TPOT and output throughput do not compare
        `engine.version` differs (`0.6.4`, `0.7.0`) and is allowed: the change may come from it
        ");
}

#[test]
fn what_both_arms_note_stands_once() {
    let (mut old, mut new) = (slower(&QUIET, 1.0), slower(&QUIET, 1.0));
    old.notes = vec!["cut into blocks".into(), "an old driver".into()];
    new.notes = vec!["cut into blocks".into(), "a new driver".into()];
    let (old, new) = in_pairs(&old, &new);
    let told = |reference: Option<&Reference<'_>>| build(reference, ("pr.json", &new), &Policy::default()).warnings;
    let both = told(Some(&Reference::alone("main.json", &old)));
    assert_eq!(
        both,
        [
            "baseline: an old driver",
            "candidate: a new driver",
            "both arms: cut into blocks"
        ]
    );
    let alone = told(None);
    assert_eq!(alone, ["candidate: cut into blocks", "candidate: a new driver"]);
    assert_eq!(warnings(&old), ["session: cut into blocks", "session: an old driver"]);
}

#[test]
fn an_arm_shows_each_run_and_why_a_figure_is_missing() {
    let mut session = slower(&NOISY, 1.0);
    session.cells[0].runs[0].requests.iter_mut().take(200).for_each(fail);
    let arm = describe("main.json", &session);
    let cell = &arm.cells[0];
    assert_eq!((cell.runs, cell.metrics.len()), (5, crate::metric::Metric::ALL.len()));
    let Figure::Measured { median, values } = &cell.metrics[&Metric::Tpot(Percentile::P50)] else {
        unreachable!("TPOT is measured in four runs")
    };
    assert_eq!((values.len(), values[0]), (5, None));
    assert!((median - 10.2).abs() < 1e-6, "{median}");
    let missing = &cell.metrics[&Metric::E2eFromSchedule(Percentile::P50)];
    assert_eq!(*missing, Figure::NotMeasured("closed loop has no schedule".into()));
    let failure = (
        cell.name.clone(),
        "http_500".to_owned(),
        200,
        "out of memory".to_owned(),
    );
    assert_eq!(arm.failures, [failure]);
    assert!(
        arm.facts
            .contains(&("Server".to_owned(), "http://127.0.0.1:8000/v1".to_owned()))
    );
    assert_eq!(arm.fingerprint.len(), 16);
}

#[test]
fn replaced_connections_are_a_fact_where_there_are_any() {
    let good = slower(&QUIET, 1.0);
    let mut other = good.clone();
    other.cells[0].runs[1].replaced_connections = 2;
    other.cells[0].runs[4].replaced_connections = 1;
    let replaced = |arm: &Arm| {
        let mut facts = arm.facts.iter();
        let found = facts.find(|(what, _)| what == "Dead connections replaced");
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(replaced(&describe("main.json", &good)), None);
    assert_eq!(replaced(&describe("pr.json", &other)), Some("3".to_owned()));
    let both = report(Some(&good), &other);
    assert_eq!(both.baseline.as_ref().and_then(replaced), Some("0".to_owned()));
    assert_eq!(replaced(&both.candidate), Some("3".to_owned()));
    assert_eq!(replaced(&report(Some(&good), &good).candidate), None);
}

#[test]
fn different_work_reads_like_this() {
    let shorter = || {
        scaled(&QUIET, |figures: &mut Figures, factor| {
            figures.output_tokens = 12;
            figures.tpot_ms *= factor;
        })
    };
    let found = report(Some(&slower(&QUIET, 1.0)), &shorter());
    insta::assert_snapshot!(format!("{} [exit {}]\n{}", found.headline, found.exit_code, found.next_steps.join("\n")), @r"
        invalid: different work: the candidate's answers have 12.0 output tokens on average, the baseline's 17.0 at synthetic-64/16 @ c=16 [exit 4]
        ask both sides for the same work: fixed `output_tokens`, and `ignore_eos: true` under `extra_body` where the server has it
        or, if the answers are meant to differ, judge what can be judged with `--allow work`
        ");
    let policy = Policy {
        allow: BTreeSet::from(["work".to_owned()]),
        ..Policy::default()
    };
    let (old, new) = in_pairs(&slower(&QUIET, 1.0), &shorter());
    let allowed = build(Some(&Reference::alone("main.json", &old)), ("pr.json", &new), &policy);
    assert!(allowed.warnings[0].starts_with("different work, which is allowed: the candidate's answers have 12.0"));
    let tpot = allowed
        .checks
        .iter()
        .find(|check| check.metric == Metric::Tpot(Percentile::P95));
    assert_eq!(tpot.map(|check| check.verdict), Some(Verdict::Pass));
    let throughput = allowed
        .checks
        .iter()
        .find(|check| check.metric == Metric::OutputTokensPerS);
    assert!(throughput.is_some_and(|check| check.reason.starts_with("different work")));
}

#[test]
fn nobody_is_told_to_save_a_session_that_may_not_become_a_baseline() {
    let of_pull = |session: Session| Session {
        origin: Some(crate::session::Origin {
            event: Some("pull_request".into()),
            ..crate::session::Origin::default()
        }),
        ..session
    };
    let good = slower(&QUIET, 1.0);
    let mut other = good.clone();
    other.environment.gpus = vec!["NVIDIA H200".into()];
    let twice = slower(&QUIET, 3.0);
    for (baseline, candidate, verdict) in [
        (None, good.clone(), Verdict::NoBaseline),
        (Some(&good), other, Verdict::Incomparable),
        (Some(&good), twice, Verdict::Regression),
    ] {
        let reference = baseline.map(|session| Reference::alone("main.json", session));
        let steps = |candidate: &Session| {
            let found = build(reference.as_ref(), ("pr.json", candidate), &Policy::default());
            assert_eq!(found.verdict, verdict, "{}", found.headline);
            found.next_steps.join("\n")
        };
        assert!(steps(&candidate).contains("`perfgate baseline save pr.json"));
        let told = steps(&of_pull(candidate));
        assert!(!told.contains("pr.json") && told.contains("main"), "{told}");
    }
}

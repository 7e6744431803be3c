//! Throughput, TTFT and TPOT read together.

use super::*;

const STEADY: [f64; 5] = [0.9995, 1.0005, 1.0, 1.0004, 0.9996];

/// How many times the baseline's figures the candidate's are.
struct Times {
    throughput: f64,
    ttft: f64,
    tpot: f64,
}

fn session_of(times: &Times) -> Session {
    scaled(&STEADY, |figures, noise| {
        figures.output_tokens_per_s *= times.throughput * noise;
        figures.ttft_ms *= times.ttft * noise;
        figures.tpot_ms *= times.tpot * noise;
    })
}

fn told(throughput: f64, ttft: f64, tpot: f64, policy: &Policy) -> Judgement {
    let same = Times {
        throughput: 1.0,
        ttft: 1.0,
        tpot: 1.0,
    };
    let now = Times { throughput, ttft, tpot };
    judge_sessions(&session_of(&same), &session_of(&now), policy)
}

#[test]
fn three_figures_tell_one_story() {
    for (throughput, ttft, tpot, story) in [
        (0.71, 1.88, 0.95, Some("capacity lost")),
        (0.80, 1.50, 1.0, Some("the first token comes later")),
        (0.90, 1.0, 1.12, Some("decode is slower")),
        (1.0, 1.0, 1.12, Some("decode is slower")),
        (1.0, 1.3, 1.0, Some("prefill is slower")),
        (0.97, 1.3, 1.0, Some("prefill is slower")),
        (0.9, 1.0, 1.0, Some("no clear story")),
        (1.0, 1.0, 1.0, None),
        (1.1, 0.9, 0.9, None),
        (1.005, 1.005, 1.005, None),
    ] {
        let found = told(throughput, ttft, tpot, &Policy::default()).story;
        let begins = found
            .as_deref()
            .map(|told| story.is_some_and(|story| told.starts_with(story)));
        let right = begins.unwrap_or_else(|| story.is_none());
        assert!(right, "{throughput} {ttft} {tpot}: {found:?}, expected {story:?}");
    }
    let found = told(0.71, 1.88, 0.95, &Policy::default()).story.unwrap();
    assert!(
        found.contains("(Output throughput −29.0 %, TTFT P95 +88.0 %, TPOT P95 −5.0 %)"),
        "{found}"
    );
}

#[test]
fn a_noisy_figure_tells_nothing() {
    let noisy = judged(&NOISY, 1.02, tpot, &Policy::default());
    assert_eq!(noisy.story, None);
}

#[test]
fn tpot_never_clears_a_candidate_whose_throughput_fell() {
    let gated = told(0.71, 1.88, 0.90, &Policy::default());
    assert_eq!(gated.verdict, Verdict::Regression);
    let tpot = gated.checks.iter().find(|check| check.metric == TPOT).unwrap();
    assert_eq!(tpot.verdict, Verdict::Improvement);
    assert!(
        tpot.reason
            .contains("it clears nothing by itself: Output throughput is −29.0 %"),
        "{}",
        tpot.reason
    );
    let alone = told(0.71, 1.88, 0.90, &blocking(TPOT));
    assert_eq!(alone.verdict, Verdict::Inconclusive, "no gate looks at throughput");
    assert!(
        alone.checks[0].reason.ends_with(
            "TPOT alone cannot clear it, as Output throughput is −29.0 %: give `output_tokens_per_s` a gate"
        ),
        "{}",
        alone.checks[0].reason
    );
    let mut shown = blocking(TPOT);
    let throughput = Policy::default().gates[&Metric::OutputTokensPerS];
    for action in [Action::Warn, Action::Report] {
        shown
            .gates
            .insert(Metric::OutputTokensPerS, Gate { action, ..throughput });
        let found = told(0.71, 1.88, 0.90, &shown);
        assert_eq!(found.verdict, Verdict::Inconclusive, "no gate on throughput blocks");
    }
    assert_eq!(told(1.0, 1.0, 0.90, &blocking(TPOT)).verdict, Verdict::Improvement);
    assert_eq!(told(0.97, 1.0, 0.90, &blocking(TPOT)).verdict, Verdict::Improvement);
    let wide = |metric, share| {
        let mut policy = blocking(TPOT);
        let limit = Limit::Relative(share);
        policy.gates.entry(metric).or_insert(throughput).limit = limit;
        told(0.71, 1.88, 0.90, &policy)
    };
    assert_eq!(
        wide(TPOT, 0.50).verdict,
        Verdict::Inconclusive,
        "however wide the limit of TPOT"
    );
    let permitted = wide(Metric::OutputTokensPerS, 0.90);
    assert_eq!(permitted.verdict, Verdict::Improvement, "somebody allowed just that");
    let tpot = permitted.checks.iter().find(|check| check.metric == TPOT).unwrap();
    assert!(tpot.reason.contains("it clears nothing by itself"), "{}", tpot.reason);
}

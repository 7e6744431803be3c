//! Reports by hand, one for each answer that the gate knows.

use std::collections::BTreeMap;

use perfgate::{
    history::Accepted,
    metric::{
        Metric,
        Percentile::{P50, P95, P99},
    },
    obligation::{Place, Settled},
    plan::{Arrivals, Load, Slo},
    report::{
        Arm, CellFigures, ChangedFile, Check, Difference, Figure, Judging, Obligation, Past, PastCourse, PastPoint,
        PastSession, PastStep, Report, Stored, Trusted,
    },
    verdict::{Action, Bound, Evidence, FieldRule, Policy, Verdict},
};

pub(super) const CELL: &str = "synthetic-1000±200/128 @ c=16";
pub(super) const OPEN_CELL: &str = "synthetic-1000±200/128 @ 8 req/s";
const NO_GPU: &str = "NVML did not load: no NVIDIA driver on this machine";

fn measured(values: &[f64]) -> Figure {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Figure::Measured {
        median: sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN),
        values: values.iter().copied().map(Some).collect(),
    }
}

fn figures(factor: f64, load: &Load) -> BTreeMap<Metric, Figure> {
    // The changes that the checks of `regression` report.
    let (ttft, throughput) = (1.0 + (factor - 1.0) * 1.182, 1.0 - (factor - 1.0) * 0.264);
    let runs = |centre: f64| measured(&[0.992, 1.006, 1.0, 0.997, 1.009].map(|spread| spread * centre));
    let mut metrics = BTreeMap::from([
        (Metric::Qps, runs(12.43 * throughput)),
        (Metric::Ttft(P50), runs(141.3 * ttft)),
        (Metric::Ttft(P95), runs(182.4 * ttft)),
        (Metric::Tpot(P50), runs(10.21 * factor)),
        (Metric::Tpot(P95), runs(11.416 * factor)),
        (Metric::E2e(P95), runs(1_612.0 * factor)),
        (Metric::OutputTokensPerS, runs(12_395.0 * throughput)),
        (Metric::ErrorRate, measured(&[0.0, 0.0, 0.001, 0.0, 0.0])),
        (Metric::Completed, measured(&[1000.0, 1000.0, 999.0, 1000.0, 1000.0])),
        (Metric::Failed, measured(&[0.0, 0.0, 1.0, 0.0, 0.0])),
        (Metric::GpuMemoryPeakGb, Figure::NotMeasured(NO_GPU.into())),
        (Metric::GpuUtilizationPct, Figure::NotMeasured(NO_GPU.into())),
        (
            Metric::Ttft(P99),
            Figure::Measured {
                median: 240.1,
                values: vec![Some(240.1), None, Some(251.7), None, Some(233.0)],
            },
        ),
    ]);
    for metric in Metric::ALL {
        let from_schedule = metric.key().contains("from_schedule");
        let reason = match load {
            Load::Concurrency(_) if from_schedule => "closed loop: nothing was scheduled",
            _ => "not recorded in this fixture",
        };
        metrics
            .entry(metric)
            .or_insert_with(|| Figure::NotMeasured(reason.into()));
    }
    metrics
}

pub(super) fn arm(name: &str, commit: &str, factor: f64) -> Arm {
    let open = Load::Rate {
        rate_rps: 8.0,
        arrivals: Arrivals::Poisson,
    };
    let cell = |name: &str, load| CellFigures {
        name: name.into(),
        runs: 5,
        metrics: figures(factor, &load),
        load,
        stage: None,
    };
    Arm {
        name: name.into(),
        started_unix_s: 1_795_308_360,
        commit: Some(commit.into()),
        fingerprint: "8f14e45fceea167a".into(),
        pair_id: None,
        slo: Slo::default(),
        facts: vec![
            ("model".into(), "meta-llama/Llama-3-8B".into()),
            ("engine".into(), format!("vllm 0.32.{}", u8::from(factor > 1.0))),
            ("requests per run".into(), "1000 after 100 for warm-up".into()),
            ("seed".into(), "42".into()),
            ("gpu".into(), "H100-80GB SXM ×8".into()),
        ],
        cells: vec![cell(CELL, Load::Concurrency(16)), cell(OPEN_CELL, open)],
        failures: vec![],
    }
}

pub(super) fn check(metric: Metric, verdict: Verdict, change: f64) -> Check {
    let (limit, action, requires, baseline) = match metric {
        Metric::OutputTokensPerS => (-0.05, Action::Block, None, 12_395.0),
        Metric::Ttft(_) => (0.10, Action::Warn, Some(Evidence::Explanation), 182.4),
        Metric::GpuMemoryPeakGb => (0.10, Action::Warn, Some(Evidence::Profile), 61.2),
        _ => (0.05, Action::Block, None, 11.416),
    };
    Check {
        cell: CELL.into(),
        metric,
        baseline: Some(baseline),
        candidate: Some(baseline * (1.0 + change)),
        change: Some(change),
        interval: Some((change - 0.011, change + 0.011)),
        difference: None,
        limit: Bound::Relative(limit),
        stated: None,
        action,
        requires,
        p_real: Some(0.000_02),
        p_beyond: Some(0.0042),
        verdict,
        reason: "real, and within the limit with 90 % confidence".into(),
        explanation: None,
        minimum_detectable_change: Some(0.014),
        repeat_more: None,
        n_baseline: 5,
        n_candidate: 5,
    }
}

pub(super) fn not_measured(metric: Metric, verdict: Verdict) -> Check {
    Check {
        baseline: None,
        candidate: None,
        change: None,
        interval: None,
        p_real: None,
        p_beyond: None,
        minimum_detectable_change: None,
        n_baseline: 0,
        n_candidate: 0,
        reason: format!("not measured on either side: {NO_GPU}"),
        ..check(metric, verdict, 0.0)
    }
}

fn report(verdict: Verdict, exit_code: u8, headline: &str, factor: f64) -> Report {
    Report {
        verdict,
        exit_code,
        headline: headline.into(),
        story: None,
        next_steps: vec!["nothing to do".into()],
        baseline: Some(arm("baselines/llama-8b.json", "9f8e7d6c5b4a39281706", 1.0)),
        candidate: arm("session.json", "a1b2c3d4e5f60718293a", factor),
        checks: vec![],
        differences: vec![],
        obligations: vec![],
        trusted: None,
        stored: Stored::default(),
        warnings: vec![],
        method: "each run gives one value; log-ratio of the runs' means, Welch t; a regression is real (Holm over \
                 2 blocking checks, 1 %) and beyond its limit with 90 % confidence"
            .into(),
        judging: Judging::of(&Policy::default()),
        detail: vec![],
        telemetry: vec![],
        past: Err("the baseline is one session, not a history of stored ones".into()),
        profile: None,
    }
}

pub(super) fn regression() -> Report {
    let reason = "worse by 12.1 %, real and beyond the limit with 90 % confidence";
    Report {
        past: Ok(past()),
        story: Some("decode is slower: each token takes longer at the first cell (TPOT P95 +12.1 %)".into()),
        next_steps: vec![
            "look at what changed between `9f8e7d6c5b` and `a1b2c3d4e5`".into(),
            "if the change is meant, save a new baseline: `perfgate baseline save session.json`".into(),
        ],
        checks: vec![
            Check {
                reason: reason.into(),
                explanation: Some(
                    "TPOT P95 at the first cell is +12.1 % (90 % interval +11.0 … +13.2 %, limit +5.0 %) over 5 A/B pairs in \
                     alternation. The change is real and we are 97 % sure that it is beyond the limit."
                        .into(),
                ),
                ..check(Metric::Tpot(P95), Verdict::Regression, 0.121)
            },
            Check {
                reason: "worse by 14.3 %; explanation asked".into(),
                ..check(Metric::Ttft(P95), Verdict::Regression, 0.143)
            },
            Check {
                cell: OPEN_CELL.into(),
                interval: Some((0.004, 0.083)),
                reason: "the interval spans the limit; repeat 6 more runs on each side".into(),
                p_beyond: Some(0.41),
                ..check(Metric::Tpot(P95), Verdict::Inconclusive, 0.043)
            },
            not_measured(Metric::GpuMemoryPeakGb, Verdict::Inconclusive),
            check(Metric::OutputTokensPerS, Verdict::Pass, -0.032),
            Check {
                reason: "better by 8.0 %".into(),
                cell: OPEN_CELL.into(),
                ..check(Metric::OutputTokensPerS, Verdict::Improvement, 0.08)
            },
        ],
        obligations: vec![Obligation {
            cell: CELL.into(),
            metric: Metric::Ttft(P95),
            requires: Evidence::Explanation,
            text: "explain why TTFT P95 rose by 14.3 %".into(),
            settled: None,
        }],
        differences: vec![Difference {
            field: "engine.version".into(),
            baseline: "0.32.0".into(),
            candidate: "0.32.1".into(),
            rule: FieldRule::Warn,
        }],
        warnings: vec!["`engine.version` differs and was allowed: the change may be the engine's".into()],
        ..report(
            Verdict::Regression,
            1,
            &format!("regression: TPOT P95 +12.1 % at {CELL} (limit +5.0 %)"),
            1.121,
        )
    }
}

/// Twelve stored sessions with a step that somebody answers for; the newest seven are the window of the first check.
pub(super) fn past() -> Past {
    let values = [10.1, 10.2, 10.0, 10.1, 10.2, 11.3, 11.5, 11.4, 11.4, 11.3, 11.5, 11.5];
    let session = |place: usize| PastSession {
        sha256: format!("{place:x}").repeat(64),
        started_unix_s: 1_794_308_360 + 86_400 * place as u64,
        commit: (place != 3).then(|| format!("{place:x}5b8f0d2").repeat(5)),
        is_pinned: place == 1,
        doubts: if place == 2 {
            vec!["it was interrupted".into()]
        } else {
            vec![]
        },
    };
    let course = |metric, by: f64| PastCourse {
        cell: CELL.into(),
        metric,
        points: values
            .iter()
            .enumerate()
            .map(|(session, value)| PastPoint {
                session,
                value: value * by,
                run_sd: (session != 4).then_some(0.011),
                in_window: session >= 5,
            })
            .collect(),
        steps: vec![PastStep {
            session: 5,
            after: 4,
            change: 0.124,
            is_worse: by > 1.0 || metric != Metric::OutputTokensPerS,
            is_found: true,
            is_alert: metric == Metric::Ttft(P95),
            accepted: (metric == Metric::Tpot(P95)).then_some(0),
        }],
    };
    Past {
        sessions: (0..12).map(session).collect(),
        accepted: vec![Accepted {
            after: Some("4".repeat(64)),
            commit: Some("55b8f0d2".repeat(5)),
            metric: Some(Metric::Tpot(P95)),
            cell: None,
            reason: "fp8 gave wrong answers".into(),
            who: "Ada".into(),
            accepted_unix_s: 1_794_908_360,
        }],
        courses: vec![course(Metric::Tpot(P95), 1.0), course(Metric::Ttft(P95), 16.0)],
    }
}

pub(super) fn pass() -> Report {
    Report {
        checks: vec![
            check(Metric::Tpot(P95), Verdict::Pass, 0.004),
            check(Metric::OutputTokensPerS, Verdict::Pass, -0.0002),
        ],
        ..report(Verdict::Pass, 0, "pass: all 2 checks are within their limits", 1.0)
    }
}

pub(super) fn inconclusive() -> Report {
    let mut few = check(Metric::Tpot(P95), Verdict::Inconclusive, 0.03);
    few.interval = None;
    few.p_real = None;
    few.p_beyond = None;
    few.minimum_detectable_change = None;
    few.repeat_more = Some(2);
    few.n_candidate = 1;
    few.reason = "1 run on the candidate side; a verdict needs 3".into();
    Report {
        checks: vec![few],
        next_steps: vec!["repeat 2 more runs of the candidate (`--repeat 3`)".into()],
        ..report(
            Verdict::Inconclusive,
            3,
            "inconclusive: too few runs to judge TPOT P95",
            1.03,
        )
    }
}

pub(super) fn incomparable() -> Report {
    Report {
        differences: vec![Difference {
            field: "hardware.gpu".into(),
            baseline: "H200".into(),
            candidate: "H100-80GB SXM".into(),
            rule: FieldRule::Refuse,
        }],
        next_steps: vec!["measure both sides on the same hardware, or override with `--allow hardware.gpu`".into()],
        ..report(Verdict::Incomparable, 3, "incomparable: `hardware.gpu` differs", 1.0)
    }
}

pub(super) fn no_baseline() -> Report {
    Report {
        baseline: None,
        next_steps: vec!["make this session the baseline: `perfgate baseline save session.json`".into()],
        ..report(
            Verdict::NoBaseline,
            3,
            "no baseline: nothing in `baselines/` fits this plan",
            1.0,
        )
    }
}

pub(super) fn invalid() -> Report {
    let mut report = report(
        Verdict::Invalid,
        4,
        "invalid: 4.2 % of requests failed, more than `max_error_rate` 1.0 %",
        1.0,
    );
    report.candidate.failures = vec![
        (
            CELL.into(),
            "http_503".into(),
            38,
            "{\"error\": \"engine is | overloaded\"}".into(),
        ),
        (
            CELL.into(),
            "stalled".into(),
            4,
            "no bytes for 60 s after token 17".into(),
        ),
    ];
    report.next_steps = vec!["read the server's log for the failed requests".into()];
    report
}

pub(super) const HOSTILE: &str = "x`|<script>alert(1)</script>\"'><img src=x onerror=y>@octocat #12 [a](http://evil.test) www.evil.test\n\n## **b** \u{202e}\u{1b}[31m{{ 7 * 7 }}";

pub(super) fn hostile() -> Report {
    poisoned(HOSTILE)
}

/// A report with this text wherever a name, a message or a sentence may come from outside.
pub(super) fn poisoned(text: &str) -> Report {
    let mut report = regression();
    let arms = report.baseline.iter_mut().chain([&mut report.candidate]);
    for arm in arms {
        arm.name = text.into();
        arm.commit = Some(text.into());
        arm.fingerprint = text.into();
        arm.facts = vec![(text.into(), text.into())];
        arm.failures = vec![(text.into(), text.into(), 1, text.into())];
        for cell in &mut arm.cells {
            cell.name = text.into();
            cell.metrics
                .insert(Metric::GpuMemoryPeakGb, Figure::NotMeasured(text.into()));
        }
    }
    if let Ok(past) = &mut report.past {
        for session in &mut past.sessions {
            session.sha256 = text.into();
            session.commit = Some(text.into());
            session.doubts = vec![text.into()];
        }
        for step in &mut past.accepted {
            step.who = text.into();
            step.reason = text.into();
            step.cell = Some(text.into());
            step.commit = Some(text.into());
        }
        past.courses.iter_mut().for_each(|course| course.cell = text.into());
    }
    for check in &mut report.checks {
        check.cell = text.into();
        check.reason = text.into();
        check.explanation = Some(text.into());
    }
    for difference in &mut report.differences {
        difference.field = text.into();
        difference.baseline = text.into();
        difference.candidate = text.into();
    }
    report.trusted = Some(Trusted {
        commit: text.into(),
        config: Some(text.into()),
        not_applied: vec![ChangedFile {
            path: text.into(),
            diff: format!("@@ -1 +1 @@\n-{text}\n+{text}\n  {text}\n"),
        }],
    });
    for obligation in &mut report.obligations {
        obligation.settled = Some(Settled {
            who: text.into(),
            place: Place::PullRequest,
            text: text.into(),
        });
        obligation.cell = text.into();
        obligation.text = text.into();
    }
    report.story = Some(text.into());
    report.headline = text.into();
    report.next_steps = vec![text.into()];
    report.warnings = vec![text.into()];
    report.method = text.into();
    report
}

/// Four levels of a closed loop on either side; ever less is won by each, and the candidate is slower.
pub(super) fn ladder() -> Report {
    let mut report = regression();
    for (arm, slower) in report
        .baseline
        .iter_mut()
        .chain([&mut report.candidate])
        .zip([1.0, 1.15])
    {
        arm.slo = Slo {
            ttft_ms: Some(400.0),
            ..Slo::default()
        };
        let cell = arm.cells.remove(0);
        let levels = [
            (1, 800.0, 410.0, 1.0),
            (4, 2900.0, 440.0, 1.0),
            (16, 7900.0, 620.0, 1.1 - 0.1 * slower),
            (64, 9100.0, 2100.0, 0.3),
        ];
        let runs = |value: f64| measured(&[0.97, 1.02, 1.0, 0.99, 1.01].map(|spread| spread * value));
        let climb = |(streams, tokens_per_s, e2e_ms, met)| {
            let mut level = cell.clone();
            level.load = Load::Concurrency(streams);
            level.metrics.extend([
                (Metric::OutputTokensPerS, runs(tokens_per_s / slower)),
                (Metric::E2e(P50), runs(e2e_ms * slower)),
                (Metric::Ttft(P99), runs(e2e_ms * slower * 0.6)),
                (Metric::SloAttainment, measured(&[met; 5])),
            ]);
            level
        };
        arm.cells = levels.map(climb).into();
    }
    report
}

/// Every fixture with its name.
pub(super) fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("regression", regression()),
        ("pass", pass()),
        ("inconclusive", inconclusive()),
        ("incomparable", incomparable()),
        ("no_baseline", no_baseline()),
        ("invalid", invalid()),
        ("hostile", hostile()),
    ]
}

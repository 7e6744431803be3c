//! Pages of what nobody measures on purpose: nothing, one request, equal ones, a million, thousands of checks, odd names.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::{collections::BTreeMap, fs, path::Path};

use perfgate::{
    metric::{
        DEFINITIONS_ID, Metric,
        Percentile::{P50, P95, P99},
    },
    plan::{Lengths, Load, Plan, Prompts, Slo, Target, Workload},
    render::{html, whole_html},
    report::{self, CellDetail, Figure, Reference, Report},
    session::{CellRuns, Ended, Environment, GapCounts, Outcome, RequestRecord, Run, Session, TokensFrom},
    verdict::{Policy, Verdict},
};

use super::{fixtures, shape::assert_sound, without_ours};

/// A page that was looked at by the rules of all pages, kept for a browser.
#[track_caller]
fn page_of(name: &str, report: &Report) -> String {
    let page = html(report).unwrap();
    assert_sound(name, &without_ours(&page));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/render");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("odd-{name}.html")), &page).unwrap();
    page
}

fn record(index: u32, ttft_ns: u64) -> RequestRecord {
    let sent_ns = u64::from(index) * 1_000_000;
    let last_ns = sent_ns + ttft_ns + 150_000_000;
    RequestRecord {
        index,
        sent_ns,
        first_token_ns: Some(sent_ns + ttft_ns),
        last_token_ns: Some(last_ns),
        end_ns: last_ns,
        input_tokens: Some(64),
        output_tokens: Some(16),
        chunks: 16,
        tokens_from: TokensFrom::Usage,
        outcome: Outcome::Completed,
        ..RequestRecord::default()
    }
}

/// A session of these levels, each with runs of so many requests whose TTFT is told by run and place.
fn session(levels: &[u32], (runs, requests): (u32, u32), ttft_ns: impl Fn(u32, u32) -> u64) -> Session {
    let loads: Vec<Load> = levels.iter().copied().map(Load::Concurrency).collect();
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(64),
    };
    let plan = Plan {
        repeats: runs,
        requests_per_run: requests,
        ..Plan::new(
            Target::at("http://127.0.0.1:8000"),
            Workload::new(prompts, Lengths::Fixed(16)),
            loads,
        )
    };
    let run = |repeat| Run {
        repeat,
        requests: (0..requests)
            .map(|index| record(index, ttft_ns(repeat, index)))
            .collect(),
        itl: GapCounts {
            bins: vec![(10_000_000, u64::from(requests) * 15)],
        },
        ..Run::default()
    };
    let cells = plan.loads.iter().map(|load| CellRuns {
        name: plan.cell_name(load),
        load: load.clone(),
        schedule_sha256: None,
        runs: (0..runs).map(run).collect(),
        skipped: None,
    });
    Session {
        tool_version: "0.1.0".into(),
        started_unix_s: 1_795_308_360,
        commit: None,
        origin: None,
        definitions: DEFINITIONS_ID.into(),
        environment: Environment::default(),
        cells: cells.collect(),
        plan,
        ended: Ended::Complete,
        notes: Vec::new(),
        selftest: None,
        pairing: None,
    }
}

fn judged(old: Option<&Session>, new: &Session) -> Report {
    let reference = old.map(|old| Reference::alone("old", old));
    let mut report = report::build(reference.as_ref(), ("new", new), &Policy::default());
    report.draw(old, new);
    report
}

#[test]
fn a_session_of_nothing_has_a_page_that_says_so() {
    let nothing = session(&[4], (0, 0), |_, _| 0);
    for (name, old) in [("empty", None), ("empty-both", Some(&nothing))] {
        let page = page_of(name, &judged(old, &nothing));
        assert!(page.contains("Not drawn: no run has a request"), "{name}");
    }
    let full = session(&[4], (3, 40), |repeat, index| {
        40_000_000 + u64::from(repeat + index) * 100_000
    });
    page_of("empty-candidate", &judged(Some(&full), &nothing));
    let page = page_of("empty-baseline", &judged(Some(&nothing), &full));
    assert!(page.contains("class=\"candidate-curve\"") && !page.contains("class=\"baseline-curve\""));
}

#[test]
fn one_request_and_equal_ones_have_their_charts() {
    let one = session(&[4], (1, 1), |_, _| 40_000_000);
    let equal = session(&[1, 2, 4], (5, 60), |_, _| 40_000_000);
    for (name, session) in [("one", &one), ("equal", &equal)] {
        let page = page_of(name, &judged(Some(session), session));
        assert!(page.matches("-curve\"").count() >= 8, "{name}");
    }
    assert_eq!(
        page_of("equal", &judged(None, &equal))
            .matches("class=\"ladder\"")
            .count(),
        3
    );
}

#[test]
fn a_million_requests_are_a_page_as_small_as_a_thousand() {
    let many = session(&[64], (1, 1_000_000), |_, index| {
        30_000_000 + u64::from(index.wrapping_mul(2_654_435_761) >> 12) * 80
    });
    let page = page_of("million", &judged(None, &many));
    assert!(page.len() < 200_000, "{} bytes", page.len());
    assert!(
        page.contains("1000000") || page.contains("1 000 000"),
        "the count is told"
    );
}

#[test]
fn what_is_no_number_is_drawn_nowhere() {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        0.0,
        -1.0,
    ];
    for (place, one) in odd.into_iter().enumerate() {
        let other = odd[(place + 3) % odd.len()];
        let mut report = fixtures::ladder();
        for check in &mut report.checks {
            (check.baseline, check.candidate, check.change) = (Some(one), Some(other), Some(one));
            check.interval = Some((other, one));
            (check.p_real, check.minimum_detectable_change) = (Some(one), Some(other));
        }
        for arm in report.baseline.iter_mut().chain([&mut report.candidate]) {
            arm.slo.ttft_ms = Some(one);
            for figure in arm.cells.iter_mut().flat_map(|cell| cell.metrics.values_mut()) {
                if let Figure::Measured { median, values } = figure {
                    *median = one;
                    values.fill(Some(other));
                }
            }
        }
        let page = page_of(&format!("no-number-{place}"), &report);
        assert!(page.contains("regression"), "{one} {other}");
    }
}

#[test]
fn a_metric_that_one_side_lacks_is_said_to_be_missing() {
    for side in ["baseline", "candidate"] {
        let mut report = fixtures::ladder();
        let arm = if side == "baseline" {
            report.baseline.as_mut().unwrap()
        } else {
            &mut report.candidate
        };
        for cell in &mut arm.cells {
            for metric in [Metric::Ttft(P99), Metric::Tpot(P95), Metric::OutputTokensPerS] {
                cell.metrics
                    .insert(metric, Figure::NotMeasured("the server <b>broke</b> & left".into()));
            }
            cell.metrics.remove(&Metric::E2e(P50));
        }
        let page = page_of(&format!("lacks-{side}"), &report);
        assert!(
            page.contains("the server &lt;b&gt;broke&lt;/b&gt; &amp; left"),
            "{side}"
        );
        assert!(page.contains("not measured"), "{side}");
    }
}

/// Charts' data of a usual cell under other names.
fn details(names: impl Iterator<Item = String>) -> Vec<CellDetail> {
    let scattered = |slower: u64| {
        session(&[4], (3, 300), move |repeat, index| {
            30_000_000 + u64::from((index + repeat * 31).wrapping_mul(2_654_435_761) >> 12) * slower
        })
    };
    let drawn = judged(Some(&scattered(60)), &scattered(80)).detail;
    let under = |name| CellDetail {
        name,
        ..drawn[0].clone()
    };
    names.map(under).collect()
}

/// Cells of all that a plan can hold, seven checks each, those of the last cell the worst.
fn endless(cells: u32, checks: usize) -> Report {
    let mut report = fixtures::regression();
    let template = report.checks.clone();
    let name = |cell: u32| format!("synthetic-1000±200/128 @ c={cell}");
    for arm in report.baseline.iter_mut().chain([&mut report.candidate]) {
        let usual = arm.cells.remove(0);
        arm.cells = (1..=cells)
            .map(|streams| {
                let mut cell = usual.clone();
                cell.load = Load::Concurrency(streams);
                cell.name = name(streams);
                cell
            })
            .collect();
    }
    report.checks = (0..checks)
        .map(|place| {
            let mut check = template[place % template.len()].clone();
            check.cell = name(cells - u32::try_from(place).unwrap() % cells);
            if place >= 7 {
                check.verdict = Verdict::Pass;
            }
            check
        })
        .collect();
    report.detail = details((1..=cells).map(name));
    report
}

#[test]
fn five_thousand_checks_fit_into_five_megabytes_and_the_worst_keep_their_charts() {
    let report = endless(714, 5000);
    let page = page_of("checks-5000", &report);
    assert!((2_500_000..5_000_000).contains(&page.len()), "{} bytes", page.len());
    assert_eq!(page.matches("<tr class=\"check\"").count(), 5000, "each has its row");
    let charts = page.split("How the latencies are spread").nth(1).unwrap();
    for streams in 708..=714 {
        assert!(
            charts.contains(&format!("<h3>synthetic-1000±200/128 @ c={streams}</h3>")),
            "{streams}"
        );
    }
    assert!(!charts.split("Failed requests").next().unwrap().contains("c=1</h3>"));
    for said in [
        "stand without interval chart and reason",
        "those of the worst checks",
        "--format html-whole",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let whole = whole_html(&report).unwrap();
    assert!(whole.len() > page.len() && !whole.contains("those of the worst checks"));
    assert_sound("whole", &without_ours(&whole));
}

#[test]
fn a_usual_page_has_all_of_it_in_half_a_megabyte() {
    let report = endless(4, 28);
    let page = page_of("usual", &report);
    assert!(page.len() < 500_000, "{} bytes", page.len());
    assert!(!page.contains("left-out\">"), "nothing is left out");
    assert_eq!(page, whole_html(&report).unwrap());
}

#[test]
fn names_without_end_fit_too() {
    let mut report = endless(40, 280);
    let endless_name = "<b>&\u{202e}\"'`|🙂".repeat(2_000);
    for check in &mut report.checks {
        check.cell.clone_from(&endless_name);
    }
    for detail in &mut report.detail {
        detail.name.clone_from(&endless_name);
    }
    report.headline.clone_from(&endless_name);
    report.next_steps = vec![endless_name.clone(); 3];
    report.warnings = vec![endless_name.clone(); 20];
    report.method.clone_from(&endless_name);
    let page = page_of("long-names", &report);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("regression") && page.contains("What now"));
}

#[test]
fn names_of_all_kinds_stay_names_in_every_chart() {
    for (place, name) in [
        "</title></svg></table><script>alert(1)</script>",
        "**bold** [a](javascript:x) | `code` @octocat #12",
        "\u{202e}gate passed\u{2066}pa\u{200b}ss\u{ad}ed",
        "👩‍👩‍👧‍👦 🏳️‍🌈 مرحبا 模型 a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\" onmouseover=\"alert(1)\" x='",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let mut report = fixtures::ladder();
        report.detail = details(["a".to_owned(), "b".to_owned()].into_iter());
        let reasons = BTreeMap::from([(Metric::Tpot(P99), Figure::NotMeasured(name.into()))]);
        for arm in report.baseline.iter_mut().chain([&mut report.candidate]) {
            arm.name = name.into();
            arm.slo = Slo {
                ttft_ms: Some(500.0),
                tpot_ms: Some(1.0),
                e2e_ms: Some(1.0),
            };
            for cell in &mut arm.cells {
                cell.name = name.into();
                cell.metrics.extend(reasons.clone());
            }
        }
        for check in &mut report.checks {
            check.cell = name.into();
        }
        for detail in &mut report.detail {
            detail.name = name.into();
        }
        let page = page_of(&format!("name-{place}"), &report);
        assert!(
            !page.contains("<script>alert") && !page.contains("onmouseover=\""),
            "{name}"
        );
    }
}

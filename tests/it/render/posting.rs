//! What a comment holds beside the report, and the comment where there is none.

use std::time::{Duration, Instant};

use perfgate::{
    metric::{Metric, Percentile::P95},
    render::{NoResult, Past, Posting, comment, comment_without_result, markdown, one_line, past_results},
    report::Check,
    verdict::Verdict,
};

use super::fixtures::{self, check, regression};

fn past(sha: &str, word: &str) -> Past {
    Past {
        sha: sha.into(),
        measured_unix_s: Some(1_795_308_360),
        word: word.into(),
    }
}

fn posting() -> Posting {
    Posting {
        notices: vec!["this is about `a1b2c3d4e5`; the pull request is at `0f1e2d3c4b` by now".into()],
        links: vec![(
            "HTML report",
            "https://github.com/o/r/actions/runs/7/artifacts/8".into(),
        )],
        result: Some(past("a1b2c3d4e5f60718293a", "regression")),
        previous: vec![
            past("9988776655443322", "pass"),
            past("1122334455667788", "no baseline"),
        ],
        ..Posting::default()
    }
}

#[test]
fn a_posted_comment_reads_as_committed() {
    insta::assert_snapshot!(
        "comment_posted",
        comment(&regression(), &posting(), usize::MAX).unwrap()
    );
}

#[test]
fn a_comment_without_a_result_reads_as_committed() {
    let nothing = NoResult {
        what: "the server did not answer within 120 s".into(),
        phase: Some("starting the server".into()),
        next_steps: vec!["read the end of its log below".into()],
        log: (1..=30).map(|line| format!("line {line}: loading <weights>")).collect(),
    };
    let text = comment_without_result(&nothing, &posting()).unwrap();
    assert!(
        !text.contains("line 10:") && text.contains("line 11:"),
        "the last 20 lines: {text}"
    );
    insta::assert_snapshot!("comment_without_result", text);
}

#[test]
fn what_a_comment_tells_is_read_from_it_for_the_next() {
    for text in [
        comment(&regression(), &posting(), usize::MAX).unwrap(),
        comment_without_result(&NoResult::default(), &posting()).unwrap(),
    ] {
        let words: Vec<String> = past_results(&text).into_iter().map(|past| past.word).collect();
        assert_eq!(words, ["regression", "pass", "no baseline"]);
    }
}

#[test]
fn every_verdict_begins_with_itself_and_says_what_now() {
    for (name, report) in fixtures::all() {
        let text = markdown(&report).unwrap();
        let title = text.lines().nth(1).unwrap();
        if name != "hostile" {
            assert!(
                title.contains(&format!("perfgate: {}", report.verdict.name())),
                "{title}"
            );
        }
        assert!(text.contains("**What now**"), "{name}");
    }
}

#[test]
fn t22_5000_metrics_with_giant_names_leave_the_verdict_and_ten_rows() {
    let mut report = regression();
    let giant = |number: usize| Check {
        cell: format!("{number} {}", "@<|&".repeat(2_000)),
        reason: "*".repeat(20_000),
        ..check(Metric::Tpot(P95), Verdict::Regression, 0.2)
    };
    report.checks = (0..5_000).map(giant).collect();
    report.warnings = (0..5_000)
        .map(|number| format!("{number} {}", "_".repeat(500)))
        .collect();
    report.next_steps = vec!["|".repeat(50_000); 50];
    let begun = Instant::now();
    let text = comment(&report, &posting(), usize::MAX).unwrap();
    // Without optimisation; measured 50 times less with it.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(text.len() < 60_000, "{} bytes", text.len());
    assert!(
        text.contains("perfgate: regression: TPOT P95 +12.1 %") && text.contains("**What now**"),
        "{text}"
    );
    assert!(text.contains("[HTML report](https://github.com/"), "the footer stays");
    assert_eq!(text.matches("| ❌ |").count(), 10);
}

#[test]
fn a_comment_is_rendered_in_less_than_50_ms() {
    let report = regression();
    let took = (0..5).map(|_| {
        let begun = Instant::now();
        comment(&report, &posting(), usize::MAX).unwrap();
        begun.elapsed()
    });
    // The best of five, as the machine is shared; without optimisation.
    let best = took.min().unwrap();
    assert!(best < Duration::from_millis(50), "{best:?}");
}

#[test]
fn a_smaller_budget_drops_whole_sections() {
    let sizes = [60_000, 6_000, 3_000].map(|budget| {
        let text = comment(&regression(), &posting(), budget).unwrap();
        assert!(text.len() < budget, "{} of {budget}", text.len());
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        text.len()
    });
    assert!(sizes.is_sorted_by(|one, other| one > other), "{sizes:?}");
}

#[test]
fn a_title_is_one_line_in_which_nothing_hides() {
    assert_eq!(one_line(" a\nb\u{202e}c ", 99), "a b\\u{202e}c");
    assert_eq!(one_line("abcdef", 3), "abc…");
}

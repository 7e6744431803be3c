//! Every renderer on every answer that the gate knows.

mod export;
mod fixtures;
mod harmless;
mod json;
mod odd;
mod own;
mod payloads;
mod posting;
mod profile;
mod runner;
mod shape;
mod tables;

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use perfgate::{
    metric::Metric,
    render::{html, markdown, read_report, report_json, terminal_report, terminal_session},
};
use sha2::{Digest, Sha256};

const STYLE: &str = concat!(
    include_str!("../../templates/report.css"),
    include_str!("../../templates/history.css")
);
const SCRIPT: &str = concat!(
    include_str!("../../templates/history.js"),
    include_str!("../../templates/report.js")
);

/// A page without the style and the script that are ours, byte by byte.
fn without_ours(page: &str) -> String {
    let ours = [("style", STYLE), ("script", SCRIPT)].map(|(tag, text)| format!("<{tag}>{text}</{tag}>"));
    ours.iter().fold(page.to_owned(), |page, ours| {
        assert_eq!(page.matches(ours.as_str()).count(), 1);
        page.replace(ours.as_str(), "")
    })
}

#[test]
fn a_report_in_the_terminal_reads_as_committed() {
    for (name, report) in fixtures::all() {
        insta::assert_snapshot!(format!("terminal_{name}"), terminal_report(&report, false, 132));
    }
    let narrow = terminal_report(&fixtures::regression(), false, 80);
    insta::assert_snapshot!("terminal_regression_80_columns", narrow);
}

#[test]
fn a_session_in_the_terminal_reads_as_committed() {
    let arm = fixtures::invalid().candidate;
    insta::assert_snapshot!("terminal_session", terminal_session(&arm, &[], false, 100));
}

#[test]
fn a_comment_reads_as_committed() {
    for (name, report) in fixtures::all() {
        insta::assert_snapshot!(format!("comment_{name}"), markdown(&report).unwrap());
    }
}

#[test]
fn pages_are_written_for_looking_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/render");
    fs::create_dir_all(&folder).unwrap();
    for (name, report) in fixtures::all().into_iter().chain([("ladder", fixtures::ladder())]) {
        fs::write(folder.join(format!("{name}.html")), html(&report).unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.md")), markdown(&report).unwrap()).unwrap();
    }
}

#[test]
fn the_past_of_each_judged_metric_is_drawn_or_its_place_says_why() {
    let page = html(&fixtures::regression()).unwrap().replace('\u{a0}', " ");
    assert_eq!(page.matches("<svg class=\"course\"").count(), 2);
    for told in [
        "regression: 12.80 ms is +12.1 % on 11.42 ms, the level of 7 of 12 stored sessions; limit ≤ +5.0 %; its level changed once",
        "+12.4 % from <code>55b8f0d255b8</code> on, accepted by Ada, 2026-11-17 09:39 UTC: fp8 gave wrong answers",
        "worse: +12.4 % in <code>45b8f0d245b8..55b8f0d255b8</code>, and nobody answers for it",
        "doubt: it was interrupted",
        ">this candidate<",
        ">limit +5.0 %</text>",
    ] {
        assert!(page.contains(told), "{told}");
    }
    // Twelve sessions and the candidate in each chart, and as many rows behind it.
    assert_eq!(page.matches("class=\"at ").count(), 26);
    let mut clean = fixtures::regression();
    let errors = &mut clean.past.as_mut().unwrap().courses[1];
    errors.metric = Metric::ErrorRate;
    errors.points.iter_mut().for_each(|point| point.value = 0.0);
    clean.checks[1].metric = Metric::ErrorRate;
    clean.checks[1].candidate = Some(0.0);
    let page = html(&clean).unwrap();
    assert_eq!(page.matches("<svg class=\"course\"").count(), 1);
    assert!(page.contains("Not drawn: Error rate was 0 in every session and is 0 now."));
    // One failed request is worth a picture.
    clean.checks[1].candidate = Some(0.01);
    assert_eq!(html(&clean).unwrap().matches("<svg class=\"course\"").count(), 2);
    let page = html(&fixtures::pass()).unwrap();
    assert!(page.contains("Not drawn: the baseline is one session, not a history of stored ones."));
    let mut many = fixtures::regression();
    let past = fixtures::past();
    many.checks = (0..60)
        .map(|place| {
            let mut check = many.checks[0].clone();
            check.cell = format!("c={place}");
            check
        })
        .collect();
    many.past = Ok(perfgate::report::Past {
        courses: (0..60)
            .map(|place| {
                let mut course = past.courses[0].clone();
                course.cell = format!("c={place}");
                course
            })
            .collect(),
        ..past
    });
    let page = html(&many).unwrap();
    assert_eq!(page.matches("<svg class=\"course\"").count(), 40);
    assert!(page.contains("20 more are not drawn"));
}

#[test]
fn hostile_names_stay_text_in_every_renderer() {
    let report = fixtures::hostile();
    let (page, comment) = (html(&report).unwrap(), markdown(&report).unwrap());
    for text in [&page, &comment] {
        assert!(!text.contains("<script>alert") && !text.contains("<img"), "{text}");
        assert!(!text.contains('\u{202e}'), "a direction override went through");
    }
    assert!(
        !terminal_report(&report, false, 132).contains('\u{1b}'),
        "an escape sequence went through"
    );
    let tables = comment.lines().filter(|line| line.starts_with("| "));
    for line in tables {
        assert!(!line.contains(" @"), "a mention went through: {line}");
    }
}

#[test]
fn cells_of_other_names_and_the_same_load_stand_side_by_side() {
    let mut report = fixtures::regression();
    for cell in report.baseline.iter_mut().flat_map(|arm| &mut arm.cells) {
        cell.name = cell.name.replace("/128", "/64");
    }
    for text in [
        terminal_report(&report, false, 132),
        html(&report).unwrap(),
        markdown(&report).unwrap(),
    ] {
        assert!(!text.contains("did not measure the cell"), "{text}");
        assert!(!text.contains("/64"), "the candidate's name is the title: {text}");
    }
    let whole = |report| html(report).unwrap().matches("class=\"strip\"").count();
    assert_eq!(whole(&report), whole(&fixtures::regression()));
}

#[test]
fn the_terminal_says_each_thing_once() {
    let mut report = fixtures::regression();
    let open = "Peak GPU memory in 2 cells could not be judged";
    report.warnings = vec![format!("{open}: {}", report.checks[3].reason)];
    report.checks[0].reason =
        "+12.1 % (90 % interval +11.0 … +13.2 %): real (family-wise p < 0.0001 over 2 blocking checks)".into();
    report.checks[0].explanation = None;
    let text = terminal_report(&report, false, 400);
    for once in ["not measured on either side", open, "+11.0 … +13.2 %"] {
        assert_eq!(text.replace('\u{a0}', " ").matches(once).count(), 1, "{once}: {text}");
    }
    assert!(text.contains("c=16: real (family-wise p < 0.0001 over 2"), "{text}");
}

#[test]
fn each_page_tells_what_failed_what_was_measured_how_it_was_decided_and_how_to_do_it_again() {
    for (name, report) in fixtures::all() {
        let page = html(&report).unwrap();
        let parts = [
            "<h2>Failed requests</h2>",
            "<h2>Plan and environment</h2>",
            "<h2>How this was decided</h2>",
            "<h3>Where it comes from</h3>",
            "<h3>Do it again</h3>",
            "<pre><code>perfgate compare ",
        ];
        let places: Vec<usize> = parts
            .iter()
            .map(|part| page.find(part).unwrap_or_else(|| panic!("{name} lacks {part}")))
            .collect();
        assert!(places.is_sorted(), "{name}: {places:?}");
        let (_, origins) = page.split_once("<h3>Where it comes from</h3>").unwrap();
        let arms = report.baseline.iter().chain([&report.candidate]);
        for arm in arms.filter(|_| name != "hostile") {
            let row = |text: &str| origins.contains(&format!("<td>{text}</td>"));
            assert!(row(&arm.fingerprint), "{name}: the fingerprint of {}", arm.name);
            if let Some(commit) = &arm.commit {
                assert!(row(commit), "{name}: the commit of {}", arm.name);
            }
        }
    }
}

#[test]
fn a_page_loads_nothing_and_holds_only_finite_numbers() {
    for (name, report) in fixtures::all() {
        let page = html(&report).unwrap();
        for inline in [STYLE, SCRIPT] {
            let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inline)));
            assert!(page.contains(&hash), "{name}: the policy lets no other run");
            for way_in in ["innerHTML", "eval(", "fetch(", "url(", "@import"] {
                assert!(!inline.contains(way_in), "{way_in}");
            }
        }
        let page = without_ours(&page);
        for foreign in ["src=\"", "href=\"http", "url(", "@import", "<script", "<style"] {
            assert!(!page.contains(foreign), "{name} has {foreign}");
        }
        for broken in ["=\"NaN", "=\"inf", "=\"-inf"] {
            assert!(!page.contains(broken), "{name} has {broken}");
        }
    }
}

#[test]
fn a_comment_of_5000_checks_drops_sections_and_keeps_the_verdict() {
    let mut report = fixtures::regression();
    let check = report.checks.first().cloned().unwrap();
    report.checks = vec![check; 5000];
    let comment = markdown(&report).unwrap();
    assert!(comment.len() < 60_000, "{} bytes", comment.len());
    assert!(comment.contains("regression"));
    assert_eq!(
        comment.matches("<details>").count(),
        comment.matches("</details>").count()
    );
}

#[test]
fn colour_adds_nothing_but_colour() {
    for (name, report) in fixtures::all() {
        let plain = terminal_report(&report, false, 100);
        let coloured = terminal_report(&report, true, 100);
        assert!(coloured.contains("\u{1b}[1;3"), "{name}");
        let codes = ["\u{1b}[1;31m", "\u{1b}[1;32m", "\u{1b}[1;33m", "\u{1b}[1m", "\u{1b}[0m"];
        let stripped = codes.iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(stripped, plain, "{name}");
    }
}

#[test]
fn no_table_is_wider_than_the_terminal() {
    for width in [80, 100, 120, 160] {
        let text = terminal_report(&fixtures::regression(), false, width);
        let widest = text.lines().skip(1).map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width), "{widest} columns in {width}:\n{text}");
    }
}

#[test]
fn every_renderer_shows_all_six_indicators_measured_or_not() {
    let labels = [
        "QPS",
        "TTFT P50",
        "TTFT P95",
        "TPOT P50",
        "TPOT P95",
        "Output throughput",
        "Peak GPU memory",
        "GPU utilisation",
        "not measured",
        "NVML did not load",
    ];
    for (name, report) in fixtures::all().into_iter().filter(|(name, _)| *name != "hostile") {
        let texts = [
            terminal_report(&report, false, 120),
            markdown(&report).unwrap(),
            html(&report).unwrap(),
        ];
        for text in &texts {
            for label in labels {
                assert!(text.contains(label), "{name}: `{label}` is missing in\n{text}");
            }
        }
    }
}

#[test]
fn a_comment_of_endless_sentences_still_fits() {
    let mut report = fixtures::regression();
    let endless = "@|<".repeat(40_000);
    report.headline.clone_from(&endless);
    report.next_steps = vec![endless.clone(); 40];
    report.method.clone_from(&endless);
    report.warnings = vec![endless.clone()];
    for check in &mut report.checks {
        check.cell.clone_from(&endless);
    }
    let text = markdown(&report).unwrap();
    assert!(text.len() < 60_000, "{} bytes", text.len());
    assert!(text.contains("**What now**"));
}

#[test]
fn no_template_turns_escaping_off() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for file in ["comment.md", "footer.md", "no-result.md", "report.html"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        for way in ["| safe", "|safe", "autoescape"] {
            assert!(!text.contains(way), "{file}: `{way}`");
        }
    }
}

#[test]
fn a_ladder_is_drawn_for_both_arms_and_two_levels_are_none() {
    let plain = html(&fixtures::regression()).unwrap();
    assert!(!plain.contains("class=\"ladder\""));
    assert!(plain.contains("Left out: no chart of throughput against latency: it takes 3 load levels of one kind"));
    let climbed = fixtures::ladder();
    let page = html(&climbed).unwrap();
    for arm in ["baseline", "candidate"] {
        assert_eq!(page.matches(&format!("<title>{arm} at c=")).count(), 4 * 3, "{page}");
        assert_eq!(page.matches(&format!("class=\"{arm}-line\"")).count(), 3);
        assert_eq!(page.matches(&format!("class=\"{arm}-edge\"")).count(), 2);
    }
    assert_eq!(
        page.matches("class=\"best\"").count(),
        4,
        "one for each arm and chart of throughput"
    );
    assert!(page.contains(">best: c=16<") && page.contains(">best: c=4<"), "{page}");
    let stored = read_report(&report_json(&climbed).unwrap()).unwrap();
    assert_eq!(html(&stored).unwrap(), page, "what the file holds is drawn from it");
}

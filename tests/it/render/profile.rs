//! What profiles tell, beside a verdict: the comparison's file is read back, joined to a report, and shown on its page.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::{fs, path::Path};

use perfgate::{
    op_table::diff::{Diff, Origin, diff},
    profile,
    render::{
        html, markdown, profile_diff_html, profile_diff_json, profile_diff_schema, profile_incomparable_json,
        profile_schema, read_profile_diff, report_json, whole_html,
    },
    report::Report,
};

use super::{fixtures, shape::assert_sound, without_ours};
use crate::{command::expect, schemas::assert_committed};

fn folder() -> &'static Path {
    Path::new("tests/data/profiles")
}

/// The comparison of captures made by us, whose names are those of the files.
fn both(good: &[&str], bad: &[&str]) -> Diff {
    let read = |names: &[&str]| {
        names
            .iter()
            .map(|name| profile::read(&folder().join(name)).unwrap())
            .collect::<Vec<_>>()
    };
    diff(&read(good), &read(bad)).unwrap()
}

fn copies() -> Diff {
    both(&["good.json.gz"], &["copy.json.gz"])
}

/// What fits the regression of the fixtures.
fn of(report: &Report) -> Origin {
    Origin {
        cell: Some(report.candidate.cells[0].name.clone()),
        commits: [
            report.baseline.as_ref().and_then(|arm| arm.commit.clone()),
            report.candidate.commit.clone(),
        ],
        server: Vec::new(),
    }
}

fn explained(diff: Diff) -> Report {
    let mut report = fixtures::regression();
    let origin = of(&report);
    report.explain_by(Ok(Diff { origin, ..diff })).unwrap();
    report
}

fn keep(name: &str, page: &str) {
    assert_sound(name, &without_ours(page));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/render");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.html")), page).unwrap();
}

#[test]
fn the_comparison_survives_its_file_to_the_last_bit() {
    for (good, bad) in [
        (&["good.json.gz"][..], &["copy.json.gz"][..]),
        (&["gpu_good.json.gz", "gpu_good2.json.gz"], &["gpu_bad.json.gz"]),
        (&["good.json.gz", "goodB.json.gz"], &["copy.json.gz"]),
    ] {
        let mut found = both(good, bad);
        found.origin.cell = Some("c=4".into());
        let times = found.phases.iter().filter_map(|phase| phase.time.as_ref());
        assert!(times.clone().count() > 0 && times.clone().all(perfgate::op_table::diff::TimeDiff::does_close));
        let text = profile_diff_json(&found).unwrap();
        assert_eq!(read_profile_diff(&text).unwrap().unwrap(), found);
    }
    let why = diff(
        &[profile::read(&folder().join("good.json.gz")).unwrap()],
        &[profile::read(&folder().join("good_plain.json.gz")).unwrap()],
    )
    .unwrap_err();
    let text = profile_incomparable_json(&why).unwrap();
    assert_eq!(read_profile_diff(&text).unwrap().unwrap_err(), why);
}

#[test]
fn a_file_that_is_no_comparison_is_refused_with_its_reason() {
    let text = profile_diff_json(&copies()).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    for (text, reason) in [
        (String::new(), "not JSON"),
        (text[..text.len() / 2].to_owned(), "not JSON"),
        (
            "{\"schema\": \"perfgate-llm/report/1\"}".into(),
            "`perfgate-llm/report/1`",
        ),
        ("{}".into(), "its `schema` is missing"),
        (edited("profile-diff/1", "profile-diff/2"), "compare the profiles again"),
        (
            edited("\"structure\": \"changed\"", "\"structure\": \"same\""),
            "`structure` is not what",
        ),
        (
            edited("\"steps\": [\n        3,", "\"steps\": [\n        0,"),
            "no steps",
        ),
        (
            edited("\"clock\": \"host\"", "\"clock\": \"wall\""),
            "`clock` is `wall`",
        ),
        (
            edited(
                "\"exposed_copy_ms\": [\n          0.0,",
                "\"exposed_copy_ms\": [\n          7.0,",
            ),
            "do not add up",
        ),
        (
            edited(
                "\"exposed_copy_ms\": [\n          0.0,",
                "\"exposed_copy_ms\": [\n          null,",
            ),
            "edited by hand",
        ),
        (edited("\"told\": \"one_capture\"", "\"told\": \"slower\""), "`told`"),
        (edited("\"cautions\"", "\"Cautions\""), "edited by hand"),
    ] {
        let error = read_profile_diff(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn the_schemas_are_as_committed() {
    assert_committed("schemas/profile-diff.schema.json", &profile_diff_schema().unwrap());
    assert_committed("schemas/profile.schema.json", &profile_schema().unwrap());
    for (of, schema) in [("profile-diff", profile_diff_schema()), ("profile", profile_schema())] {
        assert_eq!(expect(folder(), 0, &["schema", of]).0, schema.unwrap());
    }
}

#[test]
fn the_page_names_first_what_explains_the_change_and_its_sums_close() {
    let report = explained(copies());
    let page = html(&report).unwrap();
    keep("profile-copy", &page);
    let page = page.replace('\u{a0}', " ");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    let first =
        place("<p class=\"finding\">decode, layer/attn: <code>aten::copy_</code> 32 → 128 calls, +19.50 ms a step");
    assert!(first < place("<dt>Structure</dt><dd>changed in"));
    place("a side has one capture, so not significant");
    place("most of it is copy");
    place("other rows</th>");
    place("= step</th>");
    place("a side has one capture: times are shown");
    assert_eq!(
        page.matches("<svg class=\"stack\"").count(),
        2,
        "prefill and decode; the rest changed by nothing"
    );
    assert!(page.len() < 500_000, "{}", page.len());
    assert!(whole_html(&report).unwrap().len() >= page.len());
    for (name, diff) in [
        (
            "profile-gpu",
            both(&["gpu_good.json.gz", "gpu_good2.json.gz"], &["gpu_bad.json.gz"]),
        ),
        ("profile-same", both(&["good.json.gz"], &["goodB.json.gz"])),
    ] {
        keep(name, &html(&explained(diff)).unwrap());
    }
    keep("profile-alone", &profile_diff_html(&Ok(copies()), false).unwrap());
}

#[test]
fn a_comment_has_the_profile_folded_and_short() {
    let without = markdown(&fixtures::regression()).unwrap();
    let text = markdown(&explained(copies())).unwrap().replace('\u{a0}', " ");
    let section = text
        .split("<details><summary>Profile: ")
        .nth(1)
        .unwrap()
        .split("</details>")
        .next()
        .unwrap();
    insta::assert_snapshot!("comment_profile", section);
    assert!(
        section.len() < 8_000 && !without.contains("Profile: "),
        "{}",
        section.len()
    );
}

#[test]
fn without_a_profile_a_page_says_how_to_make_one_where_somebody_asks_and_nothing_where_nobody_does() {
    let page = html(&fixtures::regression()).unwrap();
    assert!(page.contains("Left out: nobody profiled both arms") && page.contains("--profile-on-regression"));
    for report in [fixtures::pass(), fixtures::inconclusive(), fixtures::no_baseline()] {
        assert!(!html(&report).unwrap().contains("<section class=\"profile\">"));
    }
    let mut report = fixtures::regression();
    let why = perfgate::op_table::diff::Incomparable {
        reasons: vec!["the `<b>` side has none".into()],
    };
    report.explain_by(Err(why)).unwrap();
    assert!(
        html(&report)
            .unwrap()
            .contains("Left out: the <code>&lt;b&gt;</code> side has none.")
    );
    assert!(markdown(&report).unwrap().contains("Profile: not compared"));
}

#[test]
fn profiles_of_another_cell_or_commit_are_refused_and_of_unknown_ones_it_is_said() {
    let mut report = fixtures::regression();
    let right = of(&report);
    let other = Some("0".repeat(40));
    for (origin, reason) in [
        (
            Origin {
                cell: Some("other @ c=1".into()),
                ..right.clone()
            },
            "they are of the cell `other @ c=1`",
        ),
        (
            Origin {
                commits: [other.clone(), None],
                ..right.clone()
            },
            "the baseline's is of commit `0000",
        ),
        (
            Origin {
                commits: [None, other],
                ..right.clone()
            },
            "the candidate's is of commit `0000",
        ),
    ] {
        let error = report
            .explain_by(Ok(Diff { origin, ..copies() }))
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
        assert!(report.profile.is_none());
    }
    report.explain_by(Ok(copies())).unwrap();
    assert!(
        html(&report)
            .unwrap()
            .contains("Note: of which cell and which commits the captures are, they do not say")
    );
    assert!(!html(&explained(copies())).unwrap().contains("they do not say"));
}

#[test]
fn a_stored_verdict_is_shown_with_profiles_and_only_with_its_own() {
    let there = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(there.path().join(name), text).unwrap();
    write("report.json", &report_json(&fixtures::regression()).unwrap());
    write("diff.json", &profile_diff_json(&copies()).unwrap());
    let mut foreign = copies();
    foreign.origin.cell = Some("other".into());
    write("foreign.json", &profile_diff_json(&foreign).unwrap());
    let report = |code: i32, file: &str, format: &str| {
        expect(
            there.path(),
            code,
            &["report", "report.json", "--profile-diff", file, "--format", format],
        )
    };
    for (format, part) in [
        ("html", "<section class=\"profile\">"),
        ("markdown", "<summary>Profile: decode"),
        ("terminal", "Structure: changed (exact)"),
    ] {
        let (text, _) = report(0, "diff.json", format);
        assert!(text.contains(part), "{format}");
    }
    assert!(
        report(2, "diff.json", "json")
            .1
            .contains("`--profile-diff` is shown in")
    );
    assert!(report(2, "foreign.json", "html").1.contains("not of this report"));
    assert!(report(2, "report.json", "html").1.contains("no comparison of profiles"));
    assert!(report(2, "missing.json", "html").1.contains("missing.json"));
    let large = fs::File::create(there.path().join("large.json")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    assert!(report(2, "large.json", "html").1.contains("larger than 64 MiB"));
    let captures = ["good.json.gz", "copy.json.gz"];
    let (page, _) = expect(
        folder(),
        0,
        &[&["profile", "diff"], &captures[..], &["--format", "html"]].concat(),
    );
    assert!(page.starts_with("<!doctype html>") && page.contains("<p class=\"finding\">decode"));
}

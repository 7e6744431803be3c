//! `perfgate site` through the binary, on real stores.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use perfgate::session::Session;

use crate::{
    command::{assert_code, expect, perfgate},
    made,
};

/// Runs 1 % apart.
const RUNS: [f64; 3] = [0.99, 1.0, 1.01];
const WOBBLE: [f64; 6] = [1.0, 1.004, 0.997, 1.002, 0.999, 1.003];

fn at(number: usize, level: f64) -> Session {
    let commit = format!("{number:04}{}", "c".repeat(36));
    made::session(
        &commit,
        1_790_000_000 + 3600 * number as u64,
        &RUNS.map(|run| run * level),
    )
}

fn save(folder: &Path, name: &str, session: &Session) {
    made::save(&folder.join("baselines"), name, session);
}

/// Six sessions at the usual level, six that are 20 % slower.
fn stepped(folder: &Path) {
    for (number, level) in WOBBLE.iter().chain(&WOBBLE.map(|level| level * 1.2)).enumerate() {
        save(folder, "main", &at(number, *level));
    }
}

/// Every file of a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn is_page(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "html")
}

/// The page of the only baseline.
fn page(site: &Path) -> String {
    let name = files(site)
        .into_keys()
        .find(|name| is_page(name) && name != "index.html");
    read(&site.join(name.unwrap()))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap().replace('\u{a0}', " ")
}

/// Where a page leads, outside and inside.
fn links(page: &str) -> BTreeSet<String> {
    let found = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#35;", "#"));
    found.collect()
}

#[test]
fn a_store_becomes_an_index_and_a_page_for_each_plan_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    let mut other = at(0, 1.0);
    other.environment.gpus = vec!["NVIDIA H200".into()];
    save(folder, "h200", &other);
    let args = ["site", "-o", "out", "--repository", "https://github.com/o/r"];
    let (told, trouble) = expect(folder, 0, &args);
    assert_eq!(
        (told.as_str(), trouble.as_str()),
        (
            "wrote `out/index.html`: 2 baselines with 13 sessions\n3 steps for the worse that nobody answers for\n",
            ""
        )
    );
    let (again, _) = expect(folder, 1, &[&args[..], &["--check"]].concat());
    assert_eq!(again, told);

    let site = folder.join("out");
    let index = read(&site.join("index.html"));
    for text in [
        "2 baselines with 13 sessions: 3 steps for the worse that nobody answers for",
        "TPOT P95 at synthetic-64/17 @ c=4 got worse by +20.0 %, and nobody answers for it, in <a \
         href=\"https://github.com/o/r/compare/0005",
        "<code>0005cccccccc..0006cccccccc</code>",
        "NVIDIA H200",
        "worse +20.0 %, unanswered",
        "class=\"spark\"",
        "12.04 ms",
    ] {
        assert!(index.contains(text), "{text}\n{index}");
    }
    // Every link inside leads to a file that is there, and to a place in it.
    let names: BTreeSet<String> = files(&site).into_keys().collect();
    let mut inside = 0;
    for name in names.iter().filter(|name| is_page(name)) {
        for link in links(&read(&site.join(name)))
            .iter()
            .filter(|link| !link.starts_with("https://github.com/o/r/"))
        {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { name } else { file };
            assert!(names.contains(file), "{name} leads to {link}");
            let place = format!("id=\"{anchor}\"");
            assert!(
                anchor.is_empty() || read(&site.join(file)).contains(&place),
                "{name} leads to {link}"
            );
            inside += 1;
        }
    }
    assert!(inside > 8, "{inside} links");
    assert!(names.contains(".nojekyll") && names.contains("perfgate-site.json"));
}

#[test]
fn who_answers_for_a_step_what_is_pinned_and_slow_creep_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    expect(folder, 0, &["baseline", "pin", "--commit", "0001", "--who", "Ada"]);
    expect(folder, 0, &["site", "-o", "out"]);
    let site = folder.join("out");
    let index = read(&site.join("index.html"));
    assert!(
        index.contains("against the pinned reference (0001cccccccc)")
            && index.contains("slow creep, or a step that nobody"),
        "{index}"
    );
    expect(
        folder,
        0,
        &[
            "baseline",
            "accept",
            "--reason",
            "fp8 gave <wrong> answers",
            "--who",
            "Ada",
        ],
    );
    expect(folder, 0, &["site", "-o", "out"]);
    let index = read(&site.join("index.html"));
    assert!(
        index.contains("accepted +20.0 %") && !index.contains("got worse by"),
        "{index}"
    );
    let page = page(&site);
    for text in [
        "accepted by Ada, 20",
        "fp8 gave &lt;wrong&gt; answers",
        "class=\"pin\"",
        "12.04 ms in the newest of 12 sessions, +20.4 % since the first; its level changed once",
        ">accepted +20.0 %</text>",
        "new level +20.0 % (accepted)",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
}

#[test]
fn pages_are_the_same_each_time_and_load_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    expect(folder, 0, &["site", "-o", "one"]);
    expect(folder, 0, &["site", "-o", "two"]);
    expect(folder, 0, &["site", "-o", "two"]);
    let one = files(&folder.join("one"));
    assert!(one == files(&folder.join("two")));
    for (name, bytes) in one.iter().filter(|(name, _)| is_page(name)) {
        let page = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(page.matches("<script>").count(), 1, "{name}");
        assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{name}");
        for way_out in [
            "src=\"",
            "url(",
            "@import",
            "=\"NaN",
            "=\"inf",
            "=\"-inf",
            " style=\"",
            " onclick",
        ] {
            assert!(!page.contains(way_out), "{name}: {way_out}");
        }
    }
}

#[test]
fn pages_of_an_earlier_run_go_and_what_is_not_ours_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = folder.join("out");
    stepped(folder);
    let mut other = at(0, 1.0);
    other.environment.gpus = vec!["NVIDIA H200".into()];
    save(folder, "h200", &other);
    expect(folder, 0, &["site", "-o", "out"]);
    let both: BTreeSet<String> = files(&site).into_keys().collect();
    fs::write(site.join("CNAME"), "perf.example.com\n").unwrap();
    fs::write(site.join("mine.html"), "mine").unwrap();
    expect(folder, 0, &["baseline", "rm", "h200"]);
    expect(folder, 0, &["site", "-o", "out"]);
    let one: BTreeSet<String> = files(&site).into_keys().collect();
    assert!(one.contains("CNAME") && one.contains("mine.html"));
    let gone: Vec<&String> = both.difference(&one).collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    // One that somebody edited since stays, and that is told.
    save(folder, "h200", &other);
    expect(folder, 0, &["site", "-o", "out"]);
    fs::write(site.join(gone[0]), "edited").unwrap();
    expect(folder, 0, &["baseline", "rm", "h200"]);
    let (_, trouble) = expect(folder, 0, &["site", "-o", "out"]);
    assert!(trouble.contains("was changed since perfgate wrote it"), "{trouble}");
    assert_eq!(fs::read_to_string(site.join(gone[0])).unwrap(), "edited");
}

#[test]
fn a_folder_of_somebody_else_is_not_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    fs::create_dir(folder.join("docs")).unwrap();
    fs::write(folder.join("docs/index.html"), "my book").unwrap();
    let (_, trouble) = expect(folder, 2, &["site", "-o", "docs"]);
    assert!(
        trouble.contains("`docs/index.html` is there and was not written by `perfgate site`"),
        "{trouble}"
    );
    assert_eq!(files(&folder.join("docs")).len(), 1, "nothing was written");
    fs::write(
        folder.join("docs/perfgate-site.json"),
        r#"{"schema": "perfgate-llm/site/1", "files": {"../perfgate.yaml": "00"}}"#,
    )
    .unwrap();
    let (_, trouble) = expect(folder, 2, &["site", "-o", "docs"]);
    assert!(trouble.contains("is no list that this perfgate wrote"), "{trouble}");
    let (_, trouble) = expect(folder, 2, &["site", "-o", "docs/index.html"]);
    assert!(trouble.contains("is not a folder"), "{trouble}");
}

#[test]
fn bad_stores_are_told_and_their_good_files_have_pages() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_, trouble) = expect(folder, 2, &["site", "-o", "out"]);
    assert!(
        trouble.contains("there is no folder of baselines `baselines`") && !folder.join("out").exists(),
        "{trouble}"
    );
    fs::create_dir(folder.join("baselines")).unwrap();
    let (told, trouble) = expect(folder, 0, &["site", "-o", "out"]);
    assert!(
        told.contains("0 baselines") && trouble.contains("holds no baseline that can be read"),
        "{told}{trouble}"
    );
    assert!(read(&folder.join("out/index.html")).contains("No baseline yet"));

    save(folder, "main", &at(0, 1.0));
    let good = fs::read_dir(folder.join("baselines"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(&good).unwrap();
    let bad = |name: &str, text: &str| fs::write(folder.join("baselines").join(name), text).unwrap();
    bad("empty.json", "");
    bad("cut.json", &text[..text.len() / 2]);
    bad(
        "newer.json",
        &text.replacen("perfgate-llm/baseline/2", "perfgate-llm/baseline/9", 1),
    );
    bad("<b>foreign.json", "{\"schema\": \"other/1\"}");
    bad(
        "edited.json",
        &text.replacen("\"first_token_ns\":50000000", "\"first_token_ns\":90000000", 1),
    );
    made::write(&folder.join("baselines"), "session.json", &at(1, 1.0));
    let (told, trouble) = expect(folder, 0, &["site", "-o", "out"]);
    assert!(
        told.contains("1 baseline with 1 session") && told.contains("6 files could not be read"),
        "{told}"
    );
    let index = read(&folder.join("out/index.html"));
    for (name, why) in [
        ("empty.json", "is empty"),
        ("cut.json", "ends in the middle"),
        ("newer.json", "written by a newer perfgate"),
        ("&lt;b&gt;foreign.json", "is neither a perfgate session nor a baseline"),
        ("edited.json", "is not the session that was saved"),
        ("session.json", "holds a session, not a baseline"),
    ] {
        assert!(index.contains(name) && index.contains(why), "{name} {why}\n{index}");
        assert!(trouble.contains(why), "{why}\n{trouble}");
    }
    expect(folder, 1, &["site", "-o", "out", "--check"]);
}

#[test]
fn reports_of_gates_are_copied_and_linked_from_their_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    let slower = RUNS.map(|run| run * 1.5);
    made::write(
        folder,
        "pr.json",
        &made::session(&"d".repeat(40), 1_790_100_000, &slower),
    );
    let mut elsewhere = made::session(&"e".repeat(40), 1_790_100_000, &slower);
    elsewhere.environment.gpus = vec!["NVIDIA H200".into()];
    made::write(folder, "other.json", &elsewhere);
    for (candidate, report_dir) in [("pr.json", "reports/7/1"), ("other.json", "reports/8")] {
        let compared = perfgate(folder, &["compare", candidate, "--report-dir", report_dir])
            .output()
            .unwrap();
        assert!(matches!(compared.status.code(), Some(1 | 3)), "{compared:?}");
    }
    fs::create_dir(folder.join("reports/broken")).unwrap();
    fs::write(folder.join("reports/broken/report.json"), "{}").unwrap();
    let args = [
        "site",
        "-o",
        "out",
        "--reports",
        "reports",
        "--repository",
        "https://github.com/o/r",
    ];
    let (_, trouble) = expect(folder, 0, &args);
    assert!(
        trouble.contains("`reports/broken/report.json` is not on the site: the file is not a perfgate report"),
        "{trouble}"
    );
    let site = folder.join("out");
    let copied: Vec<PathBuf> = fs::read_dir(site.join("reports"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(copied.len(), 2);
    let page = page(&site);
    assert!(
        page.contains("regression</a>") && page.contains("TPOT P95 +24."),
        "{page}"
    );
    assert!(page.contains("https://github.com/o/r/commit/dddd"), "{page}");
    let index = read(&site.join("index.html"));
    assert!(
        index.contains("Other reports") && index.contains("incomparable</a>"),
        "{index}"
    );
    let linked = [&page, &index].map(|page| {
        links(page)
            .into_iter()
            .filter(|link| link.starts_with("reports/"))
            .count()
    });
    assert_eq!(linked, [1, 1]);
    // Without the folder they are gone again.
    expect(folder, 0, &["site", "-o", "out"]);
    assert_eq!(fs::read_dir(site.join("reports")).unwrap().count(), 0);
}

#[test]
fn names_from_outside_stay_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let evil = "x\"><script>alert(1)</script><img src=x>{{ 7 * 7 }}\u{202e}";
    let mut session = at(0, 1.0);
    session.commit = Some(evil.into());
    session.environment.model = Some(evil.into());
    session.environment.gpus = vec![evil.into()];
    session.plan.target.model = Some(evil.into());
    save(folder, "main", &session);
    expect(folder, 0, &["baseline", "accept", "--reason", evil, "--who", evil]);
    expect(
        folder,
        0,
        &["site", "-o", "out", "--repository", "https://github.com/o/r"],
    );
    for name in files(&folder.join("out")).into_keys().filter(|name| is_page(name)) {
        let page = read(&folder.join("out").join(name));
        for markup in ["<script>alert", "<img", "\u{202e}", "commit/x"] {
            assert!(!page.contains(markup), "{markup}\n{page}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}

#[test]
fn three_hundred_sessions_are_quick() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for gpu in 0..10 {
        for number in 0..30 {
            let mut session = at(number, WOBBLE[number % 6]);
            session.environment.gpus = vec![format!("GPU {gpu}")];
            session.plan.requests_per_run = 20;
            session.cells[0]
                .runs
                .iter_mut()
                .for_each(|run| run.requests.truncate(20));
            save(folder, &format!("gpu-{gpu}"), &session);
        }
    }
    let started = Instant::now();
    let output = perfgate(folder, &["site", "-o", "out"]).output().unwrap();
    let took = started.elapsed();
    let (told, _) = assert_code(&output, 0, &["site"]);
    assert!(told.contains("10 baselines with 300 sessions"), "{told}");
    // Without optimisation, on a busy machine; a release build takes a hundredth.
    assert!(took < Duration::from_secs(60), "{took:?}");
    let index = fs::metadata(folder.join("out/index.html")).unwrap().len();
    assert!(index < 500_000, "{index} bytes");
}

#[test]
fn a_site_is_written_for_looking_at() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stepped(folder);
    expect(folder, 0, &["baseline", "pin", "--commit", "0001", "--who", "Ada"]);
    let drifting = |number: u8| {
        let mut session = at(usize::from(number), 1.0 + 0.004 * f64::from(number));
        session.environment.gpus = vec!["NVIDIA H200".into(); 2];
        session
    };
    (0..30).for_each(|number| save(folder, "h200", &drifting(number)));
    fs::write(folder.join("baselines/broken.json"), "{").unwrap();
    made::write(
        folder,
        "pr.json",
        &made::session(&"d".repeat(40), 1_790_100_000, &RUNS.map(|run| run * 1.5)),
    );
    let compared = perfgate(folder, &["compare", "pr.json", "--report-dir", "reports/pr"])
        .output()
        .unwrap();
    assert_eq!(compared.status.code(), Some(1));
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/site");
    let site = site.to_str().unwrap();
    let args = [
        "site",
        "-o",
        site,
        "--reports",
        "reports",
        "--repository",
        "https://github.com/OWNER/NAME",
    ];
    expect(folder, 0, &args);
}

//! A bisection as one HTML page: every commit that was measured, its runs, and how likely it is to be the first bad one.

use serde::Serialize;

use super::{
    RenderError,
    chart::{coordinate, share},
    format::Scale,
    shell::{self, Dress},
};
use crate::metric::Metric;

const TEMPLATE: &str = include_str!("../../templates/bisect.html");
const DRESS: Dress = Dress {
    style: include_str!("../../templates/report.css"),
    script: "",
};

/// The picture's measures, in its own units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 20.0;
const TOP: f64 = 16.0;
const RUNS_HEIGHT: f64 = 220.0;
const CHANCES_TOP: f64 = 262.0;
const CHANCES_HEIGHT: f64 = 60.0;
/// More commits have no bar of their own width.
const WIDEST_BAR: f64 = 26.0;

/// What the page tells.
#[derive(Clone, Debug, PartialEq)]
pub struct BisectionPage {
    /// The answer in one sentence.
    pub headline: String,
    /// Whether one commit is found and confirmed.
    pub is_settled: bool,
    /// What else was found, in sentences.
    pub notes: Vec<String>,
    /// The metric that is searched by.
    pub metric: Metric,
    /// In which cell.
    pub cell: String,
    /// The good end, the commits of the range, oldest first, and the bad end as the last of them.
    pub commits: Vec<BisectedCommit>,
    /// `git bisect log`, where there is one.
    pub git_log: Option<String>,
}

/// A commit on the page.
#[derive(Clone, Debug, PartialEq)]
pub struct BisectedCommit {
    /// The first digits of its hash.
    pub commit: String,
    /// First line of its message.
    pub subject: String,
    /// Who wrote it.
    pub author: String,
    /// Its runs, in the metric's unit.
    pub values: Vec<f64>,
    /// The chance that it is the first bad one; `None` for the good end.
    pub chance: Option<f64>,
    /// Why it was left out, if so.
    pub skipped: Option<String>,
}

#[derive(Serialize)]
struct View {
    headline: String,
    class: &'static str,
    notes: Vec<String>,
    metric: String,
    cell: String,
    finding: String,
    columns: Vec<Column>,
    lines: Vec<Line>,
    rows: Vec<Row>,
    baseline_y: String,
    git_log: Option<String>,
}

/// A commit in the picture.
#[derive(Serialize)]
struct Column {
    x: String,
    dots: Vec<String>,
    /// The interval of its mean, where it has two runs or more.
    whisker: Option<(String, String)>,
    bar: Option<Bar>,
    title: String,
    is_skipped: bool,
}

#[derive(Serialize)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
}

/// A line across, with its value.
#[derive(Serialize)]
struct Line {
    y: String,
    label: String,
}

#[derive(Serialize)]
struct Row {
    commit: String,
    subject: String,
    author: String,
    runs: usize,
    values: String,
    chance: String,
    skipped: Option<String>,
}

/// The page of a search.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn bisection_html(page: &BisectionPage) -> Result<String, RenderError> {
    shell::page("bisect.html", TEMPLATE, view(page), DRESS)
}

fn view(page: &BisectionPage) -> View {
    let all = || page.commits.iter().flat_map(|commit| commit.values.iter().copied());
    let scale = Scale::of(page.metric, all());
    let values = all().filter(|value| value.is_finite());
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let height = |value: f64| TOP + RUNS_HEIGHT * (1.0 - share(value - least, most - least, 0.5));
    let lines = if least <= most {
        [most, least]
            .map(|value| Line {
                y: coordinate(height(value)),
                label: scale.with_unit(value),
            })
            .into()
    } else {
        Vec::new()
    };
    View {
        headline: page.headline.clone(),
        class: if page.is_settled { "bad" } else { "open" },
        notes: page.notes.clone(),
        metric: page.metric.label().to_owned(),
        cell: page.cell.clone(),
        finding: finding(page),
        columns: columns(page, scale, height),
        lines,
        rows: page.commits.iter().map(|commit| row(commit, scale)).collect(),
        baseline_y: coordinate(CHANCES_TOP + CHANCES_HEIGHT),
        git_log: page.git_log.clone(),
    }
}

fn finding(page: &BisectionPage) -> String {
    let measured = page.commits.iter().filter(|commit| !commit.values.is_empty()).count();
    let runs: usize = page.commits.iter().map(|commit| commit.values.len()).sum();
    let likely = page.commits.iter().filter_map(|commit| Some((commit.chance?, commit)));
    let likely = likely.max_by(|one, other| one.0.total_cmp(&other.0));
    let best = likely.map_or_else(String::new, |(chance, commit)| {
        format!(
            "; the first bad one is `{}` with {:.0} %",
            commit.commit,
            chance * 100.0
        )
    });
    format!("{runs} runs of {measured} commits{best}.")
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand commits")]
fn columns(page: &BisectionPage, scale: Scale, height: impl Fn(f64) -> f64) -> Vec<Column> {
    let step = (WIDTH - 2.0 * LEFT) / page.commits.len().max(1) as f64;
    let width = (step * 0.7).min(WIDEST_BAR);
    let columns = page.commits.iter().enumerate();
    let columns = columns.map(|(place, commit)| {
        let x = LEFT + step * (place as f64 + 0.5);
        let bar = commit.chance.map(|chance| {
            let tall = CHANCES_HEIGHT * share(chance, 1.0, 0.0);
            Bar {
                x: coordinate(x - width / 2.0),
                y: coordinate(CHANCES_TOP + CHANCES_HEIGHT - tall),
                width: coordinate(width),
                height: coordinate(tall),
            }
        });
        let finite = commit.values.iter().filter(|value| value.is_finite());
        Column {
            x: coordinate(x),
            dots: finite.map(|value| coordinate(height(*value))).collect(),
            whisker: whisker(&commit.values).map(|(low, high)| {
                let inside = |y: f64| coordinate(y.clamp(TOP, TOP + RUNS_HEIGHT));
                (inside(height(low)), inside(height(high)))
            }),
            bar,
            title: format!("{} {}: {}", commit.commit, commit.subject, told(commit, scale)),
            is_skipped: commit.skipped.is_some(),
        }
    });
    columns.collect()
}

/// The 90 % interval of the mean, as for a normal distribution of known spread: to look at, not to decide by.
#[expect(clippy::cast_precision_loss, reason = "a few runs")]
fn whisker(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let half = 1.645 * (square / (count - 1.0) / count).sqrt();
    (values.len() >= 2 && half.is_finite()).then_some((mean - half, mean + half))
}

fn told(commit: &BisectedCommit, scale: Scale) -> String {
    match &commit.skipped {
        Some(why) => format!("left out: {why}"),
        None if commit.values.is_empty() => "not measured".to_owned(),
        None => {
            let values: Vec<String> = commit.values.iter().map(|value| scale.with_unit(*value)).collect();
            values.join(", ")
        }
    }
}

fn row(commit: &BisectedCommit, scale: Scale) -> Row {
    Row {
        commit: commit.commit.clone(),
        subject: commit.subject.clone(),
        author: commit.author.clone(),
        runs: commit.values.len(),
        values: told(commit, scale),
        chance: commit.chance.map_or_else(
            || "the good end".to_owned(),
            |chance| format!("{:.1} %", chance * 100.0),
        ),
        skipped: commit.skipped.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Percentile;

    fn page(commits: Vec<BisectedCommit>) -> BisectionPage {
        BisectionPage {
            headline: "first bad commit: `abc`".into(),
            is_settled: true,
            notes: vec!["it is <b>".into()],
            metric: Metric::Tpot(Percentile::P95),
            cell: "chat".into(),
            commits,
            git_log: None,
        }
    }

    fn commit(name: &str, values: &[f64], chance: Option<f64>) -> BisectedCommit {
        BisectedCommit {
            commit: name.into(),
            subject: "<script>alert(1)</script> \u{202e}".into(),
            author: "Ann".into(),
            values: values.to_vec(),
            chance,
            skipped: None,
        }
    }

    #[test]
    fn a_page_holds_every_commit_and_no_word_of_it_as_markup() {
        let html = bisection_html(&page(vec![
            commit("good", &[10.0, 11.0], None),
            commit("a1", &[10.5], Some(0.04)),
            commit("b2", &[], Some(0.96)),
        ]))
        .unwrap();
        assert!(
            !html.contains("<script>alert") && !html.contains('\u{202e}') && !html.contains("<b>"),
            "{html}"
        );
        assert_eq!(html.matches("<circle").count(), 3);
        assert!(
            html.contains("3 runs of 2 commits; the first bad one is <code>b2</code> with 96 %"),
            "{html}"
        );
    }

    #[test]
    fn equal_values_no_values_and_no_numbers_still_make_a_page() {
        for values in [&[][..], &[5.0], &[5.0, 5.0], &[f64::NAN, 5.0], &[f64::INFINITY]] {
            let html = bisection_html(&page(vec![commit("a", values, Some(f64::NAN))])).unwrap();
            let svg = html.split("<svg").nth(1).unwrap().split("</svg>").next().unwrap();
            assert!(!svg.contains("=\"NaN") && !svg.contains("=\"inf"), "{values:?}: {svg}");
        }
        assert!(bisection_html(&page(Vec::new())).is_ok());
    }
}

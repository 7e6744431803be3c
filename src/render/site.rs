//! A store of baselines as static pages: an index, and one page for each plan and environment. They load nothing, and link to
//! one another by relative addresses.

mod index;
mod page;
mod spark;

use std::sync::LazyLock;

use serde::Serialize;

use super::{
    RenderError,
    format::{self, SPACE},
    html::COURSE,
    shell::{self, Dress},
    words,
};
use crate::{
    metric::Metric,
    report::{Arm, Past, PastSession},
    verdict::Verdict,
};

const INDEX: &str = include_str!("../../templates/site-index.html");
const PAGE: &str = include_str!("../../templates/site-page.html");
const DRESS: Dress = Dress {
    style: concat!(
        include_str!("../../templates/report.css"),
        include_str!("../../templates/history.css"),
        include_str!("../../templates/site.css")
    ),
    script: concat!(
        include_str!("../../templates/history.js"),
        include_str!("../../templates/site.js")
    ),
};

static PAGE_WITH_CHARTS: LazyLock<String> = LazyLock::new(|| PAGE.replacen("{# course #}", COURSE, 1));

/// All that the pages show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Site {
    /// In the order of their pages.
    pub baselines: Vec<SiteBaseline>,
    /// Files that could not be read, each with why.
    pub unreadable: Vec<(String, String)>,
    /// Reports of no baseline that is here.
    pub other_reports: Vec<SiteReport>,
    /// Address of the repository, where commits are looked at.
    pub repository: Option<String>,
}

/// One baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteBaseline {
    /// File name of its page: small letters, digits, `.`, `_` and `-`.
    pub page: String,
    /// What people call it.
    pub name: String,
    /// Its sessions and courses, whatever is worth a chart.
    pub past: Past,
    /// What a policy gates, in the order of reports.
    pub gated: Vec<Metric>,
    /// Slow creep of its newest session, in sentences.
    pub creep: Vec<String>,
    /// Its newest session, for people.
    pub newest: Arm,
    /// Reports of candidates of the same plan and environment.
    pub reports: Vec<SiteReport>,
}

/// A report that lies beside the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteReport {
    /// Relative to the pages: small letters, digits, `/`, `.`, `_` and `-`.
    pub address: String,
    /// The candidate's commit, where it is known.
    pub commit: Option<String>,
    /// When the candidate was measured, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Its answer.
    pub verdict: Verdict,
    /// The answer in a sentence.
    pub headline: String,
}

impl Site {
    /// How many steps for the worse nobody answers for.
    pub fn steps(&self) -> usize {
        let courses = self.baselines.iter().flat_map(|one| &one.past.courses);
        courses
            .flat_map(|course| &course.steps)
            .filter(|step| step.is_alert)
            .count()
    }

    /// How many warnings about pinned sessions there are: slow creep, or why it was not looked for.
    pub fn creeps(&self) -> usize {
        self.baselines.iter().map(|one| one.creep.len()).sum()
    }

    /// The address of a commit, where it is one and the repository is known.
    fn commit_link(&self, commit: &str) -> Option<String> {
        let repository = self.repository.as_ref().filter(|_| is_commit(commit))?;
        Some(format!("{repository}/commit/{commit}"))
    }

    fn range_link(&self, from: &PastSession, to: &PastSession) -> Option<String> {
        let (from, to) = from.commit.as_ref().zip(to.commit.as_ref())?;
        let repository = self.repository.as_ref().filter(|_| is_commit(from) && is_commit(to))?;
        Some(format!("{repository}/compare/{from}...{to}"))
    }
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|sign| sign.is_ascii_hexdigit())
}

/// The index.
///
/// # Errors
/// A broken template, which is a bug in perfgate.
pub fn site_index(site: &Site) -> Result<String, RenderError> {
    whole("site-index.html", INDEX, &index::view(site))
}

/// The page of one baseline.
///
/// # Errors
/// As [`site_index`].
pub fn site_page(site: &Site, baseline: &SiteBaseline) -> Result<String, RenderError> {
    whole("site-page.html", &PAGE_WITH_CHARTS, &page::view(site, baseline))
}

#[derive(Serialize)]
struct Whole<'a, V> {
    view: &'a V,
}

fn whole<V: Serialize>(name: &'static str, template: &'static str, view: &V) -> Result<String, RenderError> {
    shell::page(name, template, Whole { view }, DRESS)
}

/// A commit, or the beginning of a hash, with its address where there is one.
#[derive(Debug, Serialize)]
struct Named {
    label: String,
    link: Option<String>,
}

impl Named {
    fn session(site: &Site, session: &PastSession) -> Self {
        Self {
            label: session.label(),
            link: session.commit.as_deref().and_then(|commit| site.commit_link(commit)),
        }
    }
}

/// What nobody answers for.
#[derive(Debug, Serialize)]
struct Alert {
    /// Of which baseline.
    name: String,
    page: String,
    /// Of its chart; empty where it has none.
    anchor: String,
    text: String,
    /// The commits that it lies between.
    range: Option<Named>,
}

/// The alerts of a baseline: steps, the largest first, then creep.
fn alerts(site: &Site, baseline: &SiteBaseline) -> Vec<Alert> {
    let past = &baseline.past;
    let mut steps: Vec<(f64, Alert)> = Vec::new();
    for course in &past.courses {
        for step in course.steps.iter().filter(|step| step.is_alert) {
            let ends = past.sessions.get(step.after).zip(past.sessions.get(step.session));
            let range = ends.map(|(from, to)| Named {
                label: format!("{}..{}", from.label(), to.label()),
                link: site.range_link(from, to),
            });
            let alert = Alert {
                name: baseline.name.clone(),
                page: baseline.page.clone(),
                anchor: anchor(past, &course.cell, course.metric),
                text: format!(
                    "{} at {} got worse by {}, and nobody answers for it",
                    course.metric.label(),
                    course.cell,
                    format::percent(step.change)
                ),
                range,
            };
            steps.push((step.change.abs(), alert));
        }
    }
    steps.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let creep = baseline.creep.iter().map(|text| Alert {
        name: baseline.name.clone(),
        page: baseline.page.clone(),
        anchor: String::new(),
        text: text.clone(),
        range: None,
    });
    steps.into_iter().map(|(_, alert)| alert).chain(creep).collect()
}

/// Names of cells come from outside: a chart is known by the place of its cell.
fn anchor(past: &Past, cell: &str, metric: Metric) -> String {
    let mut cells: Vec<&str> = Vec::new();
    for course in &past.courses {
        if !cells.contains(&course.cell.as_str()) {
            cells.push(&course.cell);
        }
    }
    let place = cells.iter().position(|known| *known == cell).unwrap_or(0);
    format!("cell-{place}-{}", metric.key())
}

/// A report in a list.
#[derive(Debug, Serialize)]
struct ReportRow {
    address: String,
    when: String,
    commit: Option<Named>,
    word: &'static str,
    glyph: &'static str,
    class: &'static str,
    headline: String,
}

/// Newest first.
fn report_rows(site: &Site, reports: &[SiteReport]) -> Vec<ReportRow> {
    let mut sorted: Vec<&SiteReport> = reports.iter().collect();
    sorted.sort_by(|one, other| (other.started_unix_s, &one.address).cmp(&(one.started_unix_s, &other.address)));
    let row = |report: &SiteReport| {
        let look = words::look(report.verdict);
        ReportRow {
            address: report.address.clone(),
            when: format::utc_time(report.started_unix_s),
            commit: report.commit.as_ref().map(|commit| Named {
                label: commit.chars().take(12).collect(),
                link: site.commit_link(commit),
            }),
            word: look.word,
            glyph: look.glyph,
            class: look.tone.class(),
            headline: report.headline.clone(),
        }
    };
    sorted.into_iter().map(row).collect()
}

/// What was measured where, in one line.
fn what(newest: &Arm) -> String {
    let fact = |name: &str| {
        newest
            .facts
            .iter()
            .find(|(what, _)| what == name)
            .map(|(_, value)| value.as_str())
    };
    let told = ["Model", "Engine", "GPUs", "Prompts"].into_iter().filter_map(fact);
    told.collect::<Vec<_>>().join(" · ")
}

/// `12 sessions, 2026-09-21 to 2026-11-22`.
fn span(past: &Past) -> String {
    let count = format::count(past.sessions.len(), "session");
    let day = |session: &PastSession| format::utc_day(session.started_unix_s);
    match (past.sessions.first().map(day), past.sessions.last().map(day)) {
        (Some(first), Some(last)) if first != last => format!("{count}, {first} to {last}"),
        (_, Some(last)) => format!("{count}, {last}"),
        _ => format!("no{SPACE}session"),
    }
}

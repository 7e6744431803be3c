//! `perfgate site`: the stored baselines as static pages.
//!
//! | file | what lives there |
//! |---|---|
//! | `folder.rs` | the folder: what is ours in it, what is written, what is taken away |
//! | `found.rs` | reports that lie somewhere, and the baselines that they belong to |
//! | `repository.rs` | where commits are looked at |

mod folder;
mod found;
mod repository;

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use self::folder::Folder;
use super::{
    CommandError, Done, place,
    reference::{gated, judged, label},
};
use crate::{
    config::StoreAddress,
    history::{Entry, History, Pin},
    metric::{Metric, Percentile},
    render::{self, Site, SiteBaseline},
    report::{self, Middle, Past},
    session::Session,
    store::{self, Baselines, StoreError, Stored},
    verdict::Policy,
};

/// What is asked of a site.
pub struct Asked<'a> {
    /// Folder to write into.
    pub output: &'a Path,
    /// Where the stored baselines are.
    pub store: &'a StoreAddress,
    /// Folder of reports that are copied and linked.
    pub reports: Option<&'a Path>,
    /// Address of the repository; `None`: the job's, else git's.
    pub repository: Option<&'a str>,
    /// Whether a step that nobody answers for, or an unreadable file, makes the exit code 1.
    pub check: bool,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// The exit code of an alert under `--check`: what blocks a merge.
const ALERT: u8 = 1;

/// What has a chart on a page besides what is gated and the six indicators.
const BESIDE: [Metric; 8] = [
    Metric::E2e(Percentile::P95),
    Metric::GoodputRps,
    Metric::SloAttainment,
    Metric::Ttfa(Percentile::P95),
    Metric::InputsPerS,
    Metric::MaxRateUnderSlo,
    Metric::MaxConcurrencyUnderSlo,
    Metric::ErrorRate,
];

/// Reads the store, writes the pages, and takes away those of an earlier run that are true no more.
///
/// A file that cannot be read is told on the index and to `warn`; the others have their pages.
///
/// # Errors
/// When there is no store, or the folder holds files of others under the names of pages, or cannot be written.
pub fn site(asked: &Asked<'_>, policy: &Policy, warn: &dyn Fn(&str)) -> Result<Done, CommandError> {
    if asked.store.folder().is_some_and(|folder| !folder.is_dir()) {
        return Err(CommandError::Usage(format!(
            "there is no folder of baselines `{}`; make one with `perfgate baseline save SESSION`, or name another with `--store`",
            asked.store
        )));
    }
    let mut folder = Folder::open(asked.output)?;
    let mut site = gather(asked, policy)?;
    let copies = match asked.reports {
        Some(reports) => found::add(&mut site, reports)?,
        None => Vec::new(),
    };
    for (name, why) in &site.unreadable {
        warn(&format!("`{name}` is not on the site: {why}"));
    }
    if site.baselines.is_empty() {
        warn(&format!("`{}` holds no baseline that can be read", asked.store));
    }
    for baseline in &site.baselines {
        folder.put(&baseline.page, render::site_page(&site, baseline)?.into_bytes());
    }
    folder.put("index.html", render::site_index(&site)?.into_bytes());
    for (address, bytes) in copies {
        folder.put(&address, bytes);
    }
    for kept in folder.write()? {
        warn(&format!(
            "`{kept}` was changed since perfgate wrote it, and is left as it is"
        ));
    }
    let alarmed = site.steps() > 0 || !site.unreadable.is_empty();
    Ok(Done {
        text: told(asked, &site),
        exit_code: if asked.check && alarmed { ALERT } else { 0 },
    })
}

fn told(asked: &Asked<'_>, site: &Site) -> String {
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let sessions = site.baselines.iter().map(|one| one.past.sessions.len()).sum();
    let mut text = format!(
        "wrote `{}`: {} with {}\n",
        asked.output.join("index.html").display(),
        count(site.baselines.len(), "baseline"),
        count(sessions, "session")
    );
    match site.steps() {
        0 => {}
        1 => text.push_str("one step for the worse that nobody answers for\n"),
        many => {
            let _ = writeln!(text, "{many} steps for the worse that nobody answers for");
        }
    }
    if site.creeps() > 0 {
        let _ = writeln!(text, "{} about pinned sessions", count(site.creeps(), "warning"));
    }
    if !site.unreadable.is_empty() {
        let _ = writeln!(text, "{} could not be read", count(site.unreadable.len(), "file"));
    }
    text
}

/// One baseline after the other: of each the sessions are measured and let go.
fn gather(asked: &Asked<'_>, policy: &Policy) -> Result<Site, CommandError> {
    let baselines = place::open(asked.store)?;
    let mut site = Site {
        repository: repository::address(asked.repository, asked.variable)?,
        ..Site::default()
    };
    for path in baselines.paths()? {
        match baseline(&baselines, &path, policy) {
            Ok(baseline) => site.baselines.push(baseline),
            Err(error) => site.unreadable.push((name_of(&path), in_full(&error))),
        }
    }
    site.baselines
        .sort_by(|one, other| (&one.name, &one.page).cmp(&(&other.name, &other.page)));
    Ok(site)
}

fn in_full(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn baseline(baselines: &Baselines, path: &Path, policy: &Policy) -> Result<SiteBaseline, StoreError> {
    let mut newest: Option<Session> = None;
    let stored = baselines.read_with(path, |session, link| {
        let entry = Entry::of(&session, &link.sha256, &link.forced);
        store::keep_newer(&mut newest, session);
        entry
    })?;
    let (Stored::Baseline(baseline), Some(newest)) = (stored, newest) else {
        return Err(StoreError::OtherKind {
            path: path.to_owned(),
            found: "a session",
            expected: "a baseline",
        });
    };
    let name = label(&baseline);
    let pinned = baseline.pinned.as_ref().map(|pinned| pinned.sha256.clone());
    let creep = baseline.pinned.map(|pinned| {
        let called = (pinned.sha256.as_str(), pinned.pinned_unix_s);
        let (_, before) = baseline
            .history
            .split_last()
            .unwrap_or_else(|| unreachable!("a baseline holds a session"));
        Pin::new(pinned.session, called, before, &baseline.accepted).creep(&newest, policy)
    });
    let history = History::of(
        (name.clone(), pinned),
        (baseline.history, baseline.accepted),
        (&worth_it(policy), None),
        policy,
    );
    Ok(SiteBaseline {
        page: page_of(path),
        past: Past::of(&history, Middle::Median),
        gated: gated(policy),
        creep: creep.unwrap_or_default(),
        newest: report::describe(&name, &newest),
        reports: Vec::new(),
        name,
    })
}

/// The metrics of a page, in the order of reports.
fn worth_it(policy: &Policy) -> Vec<Metric> {
    let all: BTreeSet<Metric> = judged(policy)
        .into_iter()
        .chain(Metric::INDICATORS)
        .chain(BESIDE)
        // Those that no session has a value of have no chart.
        .chain(Metric::ALL.into_iter().filter(|metric| metric.is_watched()))
        .collect();
    all.into_iter().collect()
}

/// The longest name that a page takes from its file.
const LONGEST: usize = 120;

/// The page of a file, which keeps its address as long as the file keeps its name: plan and environment.
///
/// A file that was renamed by hand may be called anything; its page has a name that any server and file system can hold.
fn page_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_plain = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || b"._-".contains(&sign);
    let begins_well = stem.bytes().next().is_some_and(|sign| sign.is_ascii_alphanumeric());
    if begins_well && stem.len() <= LONGEST && stem.bytes().all(is_plain) && stem != "index" {
        return format!("{stem}.html");
    }
    let hash = store::sha256_of(path.as_os_str().as_encoded_bytes());
    format!("baseline-{}.html", hash.chars().take(16).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sampled_beside_the_requests_has_a_chart_though_nothing_gates_it() {
        let metrics = worth_it(&Policy::default());
        for metric in [Metric::KvCachePeakPct, Metric::EnergyPerOutputTokenJ] {
            assert!(metrics.contains(&metric), "{metric}");
        }
        assert!(!metrics.contains(&Metric::Completed), "not all there is");
    }

    #[test]
    fn a_page_is_called_what_any_server_can_hold() {
        assert_eq!(page_of(Path::new("b/00ff-1a2b.json")), "00ff-1a2b.html");
        for odd in [
            "b/index.json",
            "b/Main.json",
            "b/a b.json",
            "b/ä.json",
            "b/-x.json",
            "b/..json",
            "b/<x>.json",
        ] {
            let page = page_of(Path::new(odd));
            assert!(
                page.starts_with("baseline-") && page.len() == "baseline-.html".len() + 16,
                "{odd}: {page}"
            );
        }
        assert_ne!(page_of(Path::new("b/A.json")), page_of(Path::new("b/a.json")));
    }
}

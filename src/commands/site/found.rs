//! Reports of gates that lie in a folder: each is copied beside the pages, and linked from the baseline of its plan and
//! environment.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    commands::CommandError,
    render::{self, Site, SiteReport},
    report::Report,
    store::sha256_of,
};

/// How deep a folder is looked through.
const DEEPEST: usize = 6;
/// More reports than this are not looked for.
const MOST: usize = 2_000;
/// A report is smaller.
const MAX_BYTES: u64 = 64 << 20;

const JSON: &str = "report.json";
const PAGE: &str = "report.html";

/// Adds the reports of a folder to a site; gives the files to copy, by their address. What cannot be read is told on the site.
///
/// # Errors
/// When the folder itself cannot be read.
pub(super) fn add(site: &mut Site, folder: &Path) -> Result<Vec<(String, Vec<u8>)>, CommandError> {
    let mut copies = Vec::new();
    let (found, is_all) = reports(folder)?;
    if !is_all {
        let why = format!(
            "it holds more than {MOST} reports, or folders in one another more than {DEEPEST} deep; the rest is left out"
        );
        site.unreadable.push((folder.display().to_string(), why));
    }
    for path in found {
        match read(&path) {
            Ok((report, page)) => {
                let address = format!("reports/{}.html", sha256_of(&page).chars().take(16).collect::<String>());
                place(site, &report, &address);
                copies.push((address, page));
            }
            Err(why) => site.unreadable.push((path.display().to_string(), why)),
        }
    }
    Ok(copies)
}

fn place(site: &mut Site, report: &Report, address: &str) {
    let found = SiteReport {
        address: address.to_owned(),
        commit: report.candidate.commit.clone(),
        started_unix_s: report.candidate.started_unix_s,
        verdict: report.verdict,
        headline: report.headline.clone(),
    };
    let own = site
        .baselines
        .iter_mut()
        .find(|one| one.newest.fingerprint == report.candidate.fingerprint);
    let list = own.map_or(&mut site.other_reports, |one| &mut one.reports);
    // The same report in two places is one.
    if !list.contains(&found) {
        list.push(found);
    }
}

/// The `report.json` of a folder and those in it, by path, and whether that is all of them; links are not followed.
fn reports(folder: &Path) -> Result<(Vec<PathBuf>, bool), CommandError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| CommandError::File {
            what: "read",
            path,
            source,
        }
    };
    let (mut found, mut is_all) = (Vec::new(), true);
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let entry = entry.map_err(failed(&folder))?;
            let kind = entry.file_type().map_err(failed(&folder))?;
            if kind.is_dir() && depth < DEEPEST {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_dir() {
                is_all = false;
            } else if kind.is_file() && entry.file_name() == JSON {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    is_all &= found.len() <= MOST;
    found.truncate(MOST);
    Ok((found, is_all))
}

/// A report and its page.
fn read(path: &Path) -> Result<(Report, Vec<u8>), String> {
    let bytes = bytes_of(path)?;
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let report = render::read_report(&text).map_err(|error| error.to_string())?;
    let page = bytes_of(&path.with_file_name(PAGE)).map_err(|why| format!("`{PAGE}` beside it: {why}"))?;
    Ok((report, page))
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let found = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file".into());
    }
    if found.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, more than {MAX_BYTES}", found.len()));
    }
    fs::read(path).map_err(|error| error.to_string())
}

//! The folder of a site. What perfgate wrote there is listed in a file beside it, with the hash of its content: nothing else is
//! ever written over or taken away.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    commands::CommandError,
    store::{self, sha256_of},
};

/// The list of what is ours.
const LIST: &str = "perfgate-site.json";
const SCHEMA: &str = "perfgate-llm/site/1";
/// Tells GitHub Pages that nothing is to be made of the files.
const NO_JEKYLL: &str = ".nojekyll";

/// A folder with what is to stand in it.
pub(super) struct Folder {
    path: PathBuf,
    /// What an earlier run wrote: the hash of its content by its name.
    ours: BTreeMap<String, String>,
    /// What this run writes.
    files: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    /// Looks at a folder, which need not be there yet.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        if path.exists() && !path.is_dir() {
            return Err(CommandError::Usage(format!("`{}` is not a folder", path.display())));
        }
        let list = path.join(LIST);
        let ours = match fs::read_to_string(&list) {
            Ok(text) => listed(&text).ok_or_else(|| {
                let list = list.display();
                CommandError::Usage(format!(
                    "`{list}` is no list that this perfgate wrote; remove the folder, or give another one"
                ))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => {
                return Err(CommandError::File {
                    what: "read",
                    path: list,
                    source,
                });
            }
        };
        Ok(Self {
            path: path.to_owned(),
            ours,
            files: BTreeMap::new(),
        })
    }

    /// Adds a file under a name that [`is_name`] allows.
    pub(super) fn put(&mut self, name: &str, content: Vec<u8>) {
        debug_assert!(is_name(name), "`{name}` is no name of a page");
        self.files.insert(name.to_owned(), content);
    }

    /// Writes all of them, each at once or not at all, and removes what an earlier run wrote and this one does not; gives the
    /// names of those that somebody changed since.
    pub(super) fn write(mut self) -> Result<Vec<String>, CommandError> {
        if self.ours.contains_key(NO_JEKYLL) || !self.path.join(NO_JEKYLL).exists() {
            self.put(NO_JEKYLL, Vec::new());
        }
        self.refuse_others()?;
        let new: BTreeMap<String, String> = self
            .files
            .iter()
            .map(|(name, content)| (name.clone(), sha256_of(content)))
            .collect();
        // First both lists in one: should this run end in the middle, the next one knows what is ours.
        let stale: BTreeMap<String, String> = self
            .ours
            .iter()
            .filter(|(name, _)| !new.contains_key(*name))
            .map(|(name, hash)| (name.clone(), hash.clone()))
            .collect();
        let both = new
            .iter()
            .chain(&stale)
            .map(|(name, hash)| (name.clone(), hash.clone()))
            .collect();
        self.write_list(&both)?;
        for (name, content) in &self.files {
            let path = self.path.join(name);
            if fs::read(&path).ok().as_ref() != Some(content) {
                store::write_bytes(&path, content)?;
            }
        }
        let mut kept = Vec::new();
        for (name, hash) in &stale {
            if !self.remove(name, hash)? {
                kept.push(name.clone());
            }
        }
        self.write_list(&new)?;
        Ok(kept)
    }

    /// Before anything is written: no file of somebody else may stand where a page goes.
    fn refuse_others(&self) -> Result<(), CommandError> {
        for (name, content) in self.files.iter().filter(|(name, _)| !self.ours.contains_key(*name)) {
            let path = self.path.join(name);
            let is_there = fs::symlink_metadata(&path).is_ok();
            if is_there && fs::read(&path).ok().as_ref() != Some(content) {
                return Err(CommandError::Usage(format!(
                    "`{}` is there and was not written by `perfgate site`; remove it, or give another folder",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Whether a file of ours is gone now; one that was changed since stays.
    fn remove(&self, name: &str, hash: &str) -> Result<bool, CommandError> {
        let path = self.path.join(name);
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        match fs::read(&path) {
            Ok(content) if is_file && sha256_of(&content) == *hash => {
                fs::remove_file(&path).map_err(|source| CommandError::File {
                    what: "remove",
                    path,
                    source,
                })?;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) => Ok(error.kind() == std::io::ErrorKind::NotFound),
        }
    }

    fn write_list(&self, files: &BTreeMap<String, String>) -> Result<(), CommandError> {
        let text = format!("{:#}\n", json!({ "schema": SCHEMA, "files": files }));
        Ok(store::write_bytes(&self.path.join(LIST), text.as_bytes())?)
    }
}

/// The files of a list; a name that no page has is nobody's to take away.
fn listed(text: &str) -> Option<BTreeMap<String, String>> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("schema")?.as_str()? != SCHEMA {
        return None;
    }
    let files = value.get("files")?.as_object()?;
    let file = |(name, hash): (&String, &Value)| Some((name.clone(), hash.as_str()?.to_owned()));
    let files: Option<BTreeMap<String, String>> = files.iter().map(file).collect();
    files.filter(|files| files.keys().all(|name| is_name(name)))
}

/// Whether a site has a file of this name: a page, a copied report, or what keeps Jekyll away.
fn is_name(name: &str) -> bool {
    let page = name.strip_prefix("reports/").unwrap_or(name);
    let stem = page.strip_suffix(".html").unwrap_or_default();
    let is_plain = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || b"._-".contains(&sign);
    let begins_well = stem.bytes().next().is_some_and(|sign| sign.is_ascii_alphanumeric());
    name == NO_JEKYLL || (begins_well && stem.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_pages_and_nothing_else() {
        let list = |name: &str| listed(&json!({ "schema": SCHEMA, "files": { name: "00" } }).to_string());
        for good in ["index.html", "00ff-1a2b.html", "reports/0123.html", ".nojekyll"] {
            assert!(list(good).is_some(), "{good}");
        }
        for bad in [
            "../x.html",
            "/etc/x.html",
            "a/b.html",
            "reports/../x.html",
            "x",
            ".x.html",
            "A.html",
            "reports/",
            "perfgate.yaml",
        ] {
            assert!(list(bad).is_none(), "{bad}");
        }
        assert!(listed("{}").is_none() && listed("").is_none());
        assert!(listed(r#"{"schema": "perfgate-llm/site/2", "files": {}}"#).is_none());
    }
}

//! Opens the store of baselines that an address names; a ref of git is a bucket whose commits are swapped.

use std::path::Path;

use super::{CommandError, trust};
use crate::{
    config::{Scheme, StoreAddress},
    git::{GitError, KeptRef, Swap},
    store::{Baselines, Bucket, Cloud, INDEX, KeptNow, Next, StoreError, Swept, Version},
};

/// What stands in the folders of a ref that are ours.
const OURS: [&str; 2] = ["sessions/", "noise/"];

/// The baselines of an address; a ref is one of the repository of the working directory.
///
/// # Errors
/// There can be none there.
pub fn open(address: &StoreAddress) -> Result<Baselines, CommandError> {
    open_from(address, &trust::here()?)
}

/// The same, of a repository that is not the working directory's.
///
/// # Errors
/// As [`open`].
pub fn open_from(address: &StoreAddress, here: &Path) -> Result<Baselines, CommandError> {
    let text = address.to_string();
    Ok(match address {
        StoreAddress::Folder(folder) => Baselines::open(folder)?,
        StoreAddress::Git { name, remote } => {
            let kept = KeptRef::of(here, name, remote.as_deref())?;
            let place = text.clone();
            Baselines::in_bucket(&text, Box::new(AtRef { place, kept }))
        }
        StoreAddress::Objects { scheme, bucket, prefix } => {
            let cloud = match scheme {
                Scheme::File => return Ok(Baselines::in_files(&text, Path::new(prefix))),
                Scheme::S3 => Cloud::S3,
                Scheme::Gs => Cloud::Google,
                Scheme::Az => Cloud::Azure,
            };
            Baselines::in_objects(&text, cloud, bucket, prefix)?
        }
    })
}

/// A bucket at a ref.
#[derive(Debug)]
struct AtRef {
    place: String,
    kept: KeptRef,
}

impl AtRef {
    fn failed(&self, action: &'static str) -> impl Fn(GitError) -> StoreError {
        let place = self.place.clone();
        move |error| StoreError::Elsewhere {
            action,
            place: place.clone(),
            why: without_passwords(&error.to_string()),
        }
    }

    fn swap(&self, was: Option<&Version>, next: Next<'_>, is_alone: bool) -> Result<bool, GitError> {
        let added = next.added.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let files: Vec<(&str, &[u8])> = added.chain([(INDEX, next.index)]).collect();
        let swap = Swap {
            title: if is_alone {
                "baselines, without their past"
            } else {
                "baselines"
            },
            files: &files,
            stays: &|path| next.kept.contains(path) || !OURS.iter().any(|folder| path.starts_with(folder)),
            is_alone,
        };
        self.kept.swap(was.map(|was| was.0.as_str()), swap)
    }
}

impl Bucket for AtRef {
    fn compresses(&self) -> bool {
        true
    }

    fn index(&self) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let Some(tip) = self.kept.tip().map_err(self.failed("read"))? else {
            return Ok(None);
        };
        let mut found = self.kept.read(&tip, &[INDEX]).map_err(self.failed("read"))?;
        match found.pop().flatten() {
            Some(bytes) => Ok(Some((bytes, Version(tip)))),
            // Never a ref that is somebody else's, such as a branch.
            None => Err(StoreError::Elsewhere {
                action: "use",
                place: self.place.clone(),
                why: format!("it holds something else than baselines (no `{INDEX}`); give a ref of their own"),
            }),
        }
    }

    fn objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let Some(tip) = self.kept.tip().map_err(self.failed("read"))? else {
            return Ok(vec![None; names.len()]);
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.kept.read(&tip, &names).map_err(self.failed("read"))
    }

    fn replace(&self, was: Option<&Version>, next: Next<'_>) -> Result<bool, StoreError> {
        self.swap(was, next, false).map_err(self.failed("write"))
    }

    fn sweep(&self, was: &Version, next: Next<'_>, _: KeptNow<'_>, is_dry: bool) -> Result<Option<Swept>, StoreError> {
        let objects = self.kept.past(&was.0).map_err(self.failed("read"))?;
        let swept = Swept { objects, bytes: 0 };
        if is_dry || objects == 0 {
            return Ok(Some(swept));
        }
        let is_swapped = self.swap(Some(was), next, true).map_err(self.failed("write"))?;
        Ok(is_swapped.then_some(swept))
    }
}

/// An address of git may hold a name and a password, and git repeats it.
fn without_passwords(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let host = after.split(['/', '\'', '"', ' ', '`']).next().unwrap_or_default();
        rest = match host.rsplit_once('@') {
            Some((who, _)) => after.get(who.len() + 1..).unwrap_or_default(),
            None => after,
        };
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        for (text, clean) in [
            (
                "fatal: unable to access 'https://x:s3cret@host/a@b.git/': no",
                "fatal: unable to access 'https://host/a@b.git/': no",
            ),
            ("no address at all", "no address at all"),
            ("https://a@b and ssh://c@d:22/e", "https://b and ssh://d:22/e"),
        ] {
            assert_eq!(without_passwords(text), clean);
        }
    }
}

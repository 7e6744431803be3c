//! Profiles as they may be stored: without environment variables, host and user names, and secrets.
//!
//! What is not known to be harmless is left out.

mod export;
mod trace;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{ProfileError, head_of, nsight, text_of, unpack::pack};
use crate::session::ProfileKind;

/// What must not stand in a profile.
pub struct Hide<'a> {
    /// The name of this machine.
    pub host: Option<String>,
    /// Takes secrets out of a text.
    pub secrets: &'a dyn Fn(&str) -> String,
}

/// A profile that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub path: PathBuf,
    /// Whose it is.
    pub kind: ProfileKind,
    /// What was left out of it (`host_name`, `TARGET_INFO_SYSTEM_ENV`).
    pub left_out: Vec<String>,
}

/// Shorter names are words that may mean anything.
const SHORTEST_HOST: usize = 4;

/// Where people have their folders.
const HOMES: [&str; 2] = ["/home/", "/Users/"];

impl Hide<'_> {
    fn text(&self, text: &str) -> String {
        let mut text = without_homes(text);
        if let Some(host) = self.host.as_ref().filter(|host| host.len() >= SHORTEST_HOST) {
            text = without_word(&text, host);
        }
        (self.secrets)(&text)
    }
}

/// Stores a profile in a folder under a name without its ending, harmless parts alone; the file itself stays as it is.
///
/// # Errors
/// It is no profile, cannot be read without its own tool, or nothing can be written there.
pub fn store(path: &Path, folder: &Path, name: &str, hide: &Hide<'_>) -> Result<Stored, ProfileError> {
    let unwritable = |to: &Path| {
        let path = to.to_owned();
        move |source| ProfileError::Unreadable { path, source }
    };
    fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let to = |ending: &str| folder.join(format!("{name}.{ending}"));
    let kind = super::recognise(path)?.kind;
    let head = head_of(path)?;
    let Some(form) = nsight::form(path, &head) else {
        let (text, left_out) = trace::without_names(path, &text_of(path)?, hide)?;
        let path = to("pt.trace.json.gz");
        fs::write(&path, pack(text.as_bytes())).map_err(unwritable(&path))?;
        return Ok(Stored { path, kind, left_out });
    };
    let (path, left_out) = match form {
        nsight::Form::SystemsSqlite => {
            let to = to("sqlite");
            let left_out = export::without_names(path, &to, hide)?;
            (to, left_out)
        }
        nsight::Form::KernelSumsCsv | nsight::Form::ComputeCsv | nsight::Form::KernelSumsJson => {
            let is_json = form == nsight::Form::KernelSumsJson;
            let to = to(if is_json { "json" } else { "csv" });
            let text = String::from_utf8_lossy(&text_of(path)?).into_owned();
            fs::write(&to, hide.text(&text)).map_err(unwritable(&to))?;
            (to, Vec::new())
        }
        nsight::Form::SystemsReport | nsight::Form::ComputeReport => return Err(nsight::not_exported(path, form)),
    };
    Ok(Stored { path, kind, left_out })
}

/// The text with `user` in the place of whose folder it names.
fn without_homes(text: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let found = HOMES
            .into_iter()
            .filter_map(|home| Some((rest.find(home)?, home)))
            .min();
        let Some((at, home)) = found else {
            hidden.push_str(rest);
            return hidden;
        };
        let (before, after) = rest.split_at(at + home.len());
        hidden.push_str(before);
        let is_name = |sign: char| sign.is_alphanumeric() || "._-".contains(sign);
        let end = after.find(|sign| !is_name(sign)).unwrap_or(after.len());
        if end > 0 {
            hidden.push_str("user");
        }
        rest = after.get(end..).unwrap_or_default();
    }
}

/// The text with `host` in the place of a word.
fn without_word(text: &str, word: &str) -> String {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_';
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (
            rest.get(..at).unwrap_or_default(),
            rest.get(at + word.len()..).unwrap_or_default(),
        );
        let is_whole = !before.ends_with(is_part) && !after.starts_with(is_part);
        hidden.push_str(before);
        hidden.push_str(if is_whole { "host" } else { word });
        rest = after;
    }
    hidden.push_str(rest);
    hidden
}

#[cfg(test)]
mod tests;

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
    /// Names of this machine.
    pub hosts: Vec<String>,
    /// Names of the people whose machine it is.
    pub users: Vec<String>,
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

/// A single sign means anything.
const SHORTEST_NAME: usize = 2;

/// Names that many machines and many people have, and that tell of none.
const EVERYBODY: [&str; 6] = ["root", "user", "runner", "ubuntu", "nobody", "localhost"];

/// What names of people stand behind: their folders, and `torch.compile`'s.
const HOMES: [&str; 4] = ["/home/", "/Users/", "/users/", "torchinductor_"];

impl Hide<'_> {
    fn text(&self, text: &str) -> String {
        let mut text = without_homes(text);
        for (names, instead) in [(&self.users, "user"), (&self.hosts, "host")] {
            for name in names.iter().filter(|name| tells(name)) {
                text = without_word(&text, (name, instead));
            }
        }
        (self.secrets)(&text)
    }

    /// The same, and these names that a profile itself states.
    fn and(&self, hosts: impl IntoIterator<Item = String>, users: impl IntoIterator<Item = String>) -> Self {
        let both = |own: &[String], more: &mut dyn Iterator<Item = String>| {
            let mut all: Vec<String> = own.iter().cloned().chain(more).collect();
            // A longer name may hold a shorter one.
            all.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
            all.dedup();
            all
        };
        Self {
            hosts: both(&self.hosts, &mut hosts.into_iter()),
            users: both(&self.users, &mut users.into_iter()),
            secrets: self.secrets,
        }
    }
}

/// Whether a name tells of somebody.
fn tells(name: &str) -> bool {
    let is_number = name.bytes().all(|sign| sign.is_ascii_digit());
    name.len() >= SHORTEST_NAME && !is_number && !EVERYBODY.contains(&name)
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
            let hide = hide.and(nsight::hosts(&text), []);
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

/// The text with another word in the place of one.
fn without_word(text: &str, (word, instead): (&str, &str)) -> String {
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
        hidden.push_str(if is_whole { instead } else { word });
        rest = after;
    }
    hidden.push_str(rest);
    hidden
}

#[cfg(test)]
mod tests;

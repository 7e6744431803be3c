//! Which files there are, and which format each is of, by its content.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    Format, ImportError, Options,
    formats::FORMATS,
    head::{HEAD_BYTES, Head},
    table,
};

/// A result has not so many files.
const MAX_FILES: usize = 20_000;
/// So much is looked at of JSON that its first part did not tell of.
const LONG_HEAD_BYTES: usize = 16 << 20;
/// Nor does it lie so deep.
const MAX_DEPTH: usize = 8;

/// A format, and which part of it a file is.
type Known = (&'static Format, &'static str);

/// Files of one format in one folder: what a format reads at once.
pub(super) struct Folder<'a> {
    pub(super) files: &'a [Part],
    pub(super) options: &'a Options,
}

/// One file of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Which part of the result it is, in the format's own word.
    pub(super) kind: &'static str,
}

/// What was found.
pub(super) struct Found {
    pub(super) groups: Vec<Group>,
    pub(super) told: Vec<String>,
    /// Each file by the one place that it has, with the path that led there.
    places: HashMap<PathBuf, PathBuf>,
}

/// Files of one format in one folder.
pub(super) struct Group {
    pub(super) format: &'static Format,
    folder: PathBuf,
    pub(super) files: Vec<Part>,
}

impl Folder<'_> {
    /// The files of one kind, in order.
    pub(super) fn of(&self, kind: &str) -> Vec<&Part> {
        self.files.iter().filter(|part| part.kind == kind).collect()
    }

    /// All bytes of a file, which is no larger than the options allow.
    pub(super) fn bytes(&self, part: &Part) -> Result<Vec<u8>, ImportError> {
        bytes_of(&part.path, self.options.max_bytes)
    }
}

/// The format that a file is of, if it is known.
pub(super) fn format_of(path: &Path) -> Option<&'static str> {
    let (_, known) = known(path, u64::MAX).ok()?;
    known.map(|(format, _)| format.name)
}

/// The beginning of a file, with what it is; what is JSON and may have a long prompt before the keys that say so is read on.
fn known(path: &Path, max_bytes: u64) -> Result<(Head, Option<Known>), ImportError> {
    let head = head_of(path, HEAD_BYTES, max_bytes)?;
    let known = recognise(&head);
    if known.is_some()
        || !head.is_json()
        || head.is_own()
        || fs::metadata(path).is_ok_and(|of| of.len() <= HEAD_BYTES as u64)
    {
        return Ok((head, known));
    }
    let head = head_of(path, LONG_HEAD_BYTES, max_bytes)?;
    let known = recognise(&head);
    Ok((head, known))
}

fn recognise(head: &Head) -> Option<Known> {
    if head.is_own() {
        return None;
    }
    FORMATS
        .iter()
        .find_map(|format| Some((format, (format.recognise)(head)?)))
}

/// Looks at all files, and at those of all folders, in the order given.
pub(super) fn detect(paths: &[PathBuf], options: &Options) -> Result<Found, ImportError> {
    let asked = options.format.as_deref().map(named).transpose()?;
    let mut found = Found {
        groups: Vec::new(),
        told: Vec::new(),
        places: HashMap::new(),
    };
    for path in paths {
        if path.is_dir() {
            look_into(path, (asked, options), &mut found)?;
            continue;
        }
        let (head, own) = known(path, options.max_bytes)?;
        let (format, kind) = match (own, asked) {
            (Some((format, _)), Some(asked)) if format.name != asked.name => {
                return Err(ImportError::OtherFormat {
                    path: path.clone(),
                    found: format.what,
                    asked: asked.what,
                });
            }
            (Some(own), _) => own,
            (None, None) if !options.columns.is_empty() => (&table::FORMAT, ""),
            // Told what it is, though it does not look like it: its reader finds out.
            (None, Some(asked)) => (asked, ""),
            (None, None) => {
                let begins = head
                    .first_line()
                    .chars()
                    .filter(|sign| !sign.is_control())
                    .take(40)
                    .collect();
                return Err(ImportError::Unknown {
                    path: path.clone(),
                    begins,
                });
            }
        };
        found.add(format, path.clone(), kind)?;
    }
    Ok(found)
}

fn named(name: &str) -> Result<&'static Format, ImportError> {
    let known = FORMATS.iter().find(|format| format.name == name);
    known.ok_or_else(|| ImportError::UnknownFormat {
        name: name.to_owned(),
        known: FORMATS
            .iter()
            .map(|format| format!("`{}`", format.name))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

impl Found {
    /// One file more, which is not there yet by whatever path: a run given twice would be two that agree.
    fn add(&mut self, format: &'static Format, path: PathBuf, kind: &'static str) -> Result<(), ImportError> {
        let place = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if let Some(one) = self.places.insert(place, path.clone()) {
            return Err(ImportError::SameFile { one, other: path });
        }
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let part = Part { path, kind };
        let same = |group: &&mut Group| group.format.name == format.name && group.folder == folder;
        match self.groups.iter_mut().find(same) {
            Some(group) => group.files.push(part),
            None => self.groups.push(Group {
                format,
                folder,
                files: vec![part],
            }),
        }
        Ok(())
    }
}

/// The known results of a folder and those below it; what is not known is passed over.
fn look_into(
    folder: &Path,
    (asked, options): (Option<&'static Format>, &Options),
    found: &mut Found,
) -> Result<(), ImportError> {
    let mut listed = Listed::default();
    list(folder, 0, &mut listed)?;
    let Listed { files, not_entered } = listed;
    let before = found.groups.len();
    let mut passed_over = 0;
    let again = again(&files);
    for path in &files {
        let known = match known(path, options.max_bytes) {
            Ok(_) if is_of_a_phase(path) || again.contains(path) => None,
            Ok((_, known)) => known,
            Err(ImportError::Empty { .. }) => None,
            Err(error) => return Err(error),
        };
        match known.filter(|(format, _)| asked.is_none_or(|asked| asked.name == format.name)) {
            Some((format, kind)) => found.add(format, path.clone(), kind)?,
            None => passed_over += 1,
        }
    }
    if found.groups.len() == before {
        return Err(ImportError::NothingKnown {
            path: folder.to_owned(),
            files: files.len(),
        });
    }
    if passed_over > 0 {
        let files = if passed_over == 1 { "file" } else { "files" };
        found.told.push(format!(
            "{passed_over} other {files} of `{}` passed over",
            folder.display()
        ));
    }
    for folder in not_entered {
        let why = if folder.is_symlink() {
            "is a link to a folder"
        } else {
            "lies too deep"
        };
        found.told.push(format!(
            "`{}` {why} and was not looked into; give it by itself if results are in it",
            folder.display()
        ));
    }
    Ok(())
}

/// The links among files that lead to another of them (`latest.json`).
fn again(files: &[PathBuf]) -> HashSet<&PathBuf> {
    let (links, own): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| path.is_symlink());
    if links.is_empty() {
        return HashSet::new();
    }
    let mut places: HashSet<PathBuf> = own.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let is_again = |path: &&PathBuf| fs::canonicalize(path).is_ok_and(|place| !places.insert(place));
    links.into_iter().filter(is_again).collect()
}

/// Whether it is of one phase of a run: AIPerf writes each (`phases/warmup`) beside the whole, and neither is a run.
fn is_of_a_phase(path: &Path) -> bool {
    let phases = path.parent().and_then(Path::parent);
    phases.is_some_and(|phases| phases.ends_with("phases") && phases.with_file_name("phase_manifest.json").is_file())
}

/// What is in a folder and those below it.
#[derive(Default)]
struct Listed {
    /// Files, and links to files.
    files: Vec<PathBuf>,
    /// Folders that were not looked into.
    not_entered: Vec<PathBuf>,
}

fn list(folder: &Path, depth: usize, listed: &mut Listed) -> Result<(), ImportError> {
    let failed = |source: io::Error| ImportError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|(one, _), (other, _)| in_order(one, other));
    for (path, kind) in entries {
        if kind.is_dir() && depth < MAX_DEPTH {
            list(&path, depth + 1, listed)?;
        } else if path.is_dir() {
            listed.not_entered.push(path);
        } else if path.is_file() {
            listed.files.push(path);
        }
        if listed.files.len() > MAX_FILES {
            return Err(ImportError::TooMany {
                path: folder.to_owned(),
                limit: MAX_FILES,
            });
        }
    }
    Ok(())
}

/// `run=2` before `run=10`.
pub(super) fn in_order(one: &Path, other: &Path) -> std::cmp::Ordering {
    let key = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digits = name.chars().filter(char::is_ascii_digit).count();
        let letters: String = name.chars().filter(|sign| !sign.is_ascii_digit()).collect();
        (letters, digits, name)
    };
    key(one).cmp(&key(other))
}

fn head_of(path: &Path, bytes: usize, max_bytes: u64) -> Result<Head, ImportError> {
    let bytes = beginning(path, bytes as u64, max_bytes)?;
    let head = Head::of(&bytes);
    if head.text().is_empty() {
        return Err(ImportError::Empty { path: path.to_owned() });
    }
    Ok(head)
}

/// All bytes of a file.
pub(super) fn bytes_of(path: &Path, max_bytes: u64) -> Result<Vec<u8>, ImportError> {
    let bytes = beginning(path, max_bytes.saturating_add(1), max_bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(ImportError::TooLarge {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            limit: max_bytes,
        });
    }
    Ok(bytes)
}

fn beginning(path: &Path, bytes: u64, max_bytes: u64) -> Result<Vec<u8>, ImportError> {
    let failed = |source: io::Error| ImportError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > max_bytes {
        return Err(ImportError::TooLarge {
            path: path.to_owned(),
            bytes: size,
            limit: max_bytes,
        });
    }
    let mut found = Vec::with_capacity(usize::try_from(size.min(bytes)).unwrap_or(0));
    let file = File::open(path).map_err(failed)?;
    file.take(bytes).read_to_end(&mut found).map_err(failed)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_the_order_of_their_numbers() {
        let mut names: Vec<PathBuf> = ["run=10.json", "run=2.json", "a", "run=1.json"]
            .map(PathBuf::from)
            .into();
        names.sort_by(|one, other| in_order(one, other));
        assert_eq!(
            names,
            ["a", "run=1.json", "run=2.json", "run=10.json"].map(PathBuf::from)
        );
    }

    #[test]
    fn phases_of_a_run_are_no_runs() {
        let folder = tempfile::tempdir().unwrap();
        let warmup = folder.path().join("phases/warmup/profile_export_aiperf.json");
        assert!(!is_of_a_phase(&warmup), "a folder that is called so");
        fs::write(folder.path().join("phase_manifest.json"), "{}").unwrap();
        assert!(is_of_a_phase(&warmup));
        assert!(!is_of_a_phase(&folder.path().join("profile_export_aiperf.json")));
    }

    #[test]
    fn every_format_has_a_name_of_its_own() {
        for (at, format) in FORMATS.iter().enumerate() {
            let first = FORMATS.iter().position(|other| other.name == format.name);
            assert_eq!(first, Some(at), "{}", format.name);
        }
    }
}

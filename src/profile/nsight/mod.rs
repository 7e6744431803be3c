//! Files of NVIDIA's Nsight Systems and Nsight Compute.
//!
//! | file | what lives there |
//! |---|---|
//! | `csv.rs` | rows of CSV, and numbers as the tools write them |
//! | `ncu.rs` | Nsight Compute: pages `raw` and `details` |
//! | `kernel_sums.rs` | Nsight Systems: `cuda_gpu_kern_sum` as CSV and JSON |
//! | `nsys.rs` | Nsight Systems: its `SQLite` export as an [`OpTable`] |
//! | `export.rs` | the tables of that export |
//! | `database.rs` | how its file is opened |
//! | `ranges.rs` | NVTX ranges: passes of the model, and places inside of them |

mod csv;
mod database;
mod export;
mod kernel_sums;
mod ncu;
mod nsys;
mod ranges;

use std::{fs, path::Path};

pub(super) use self::{database::uri, ncu::hosts};

use super::{ProfileError, contains};
use crate::{op_table::OpTable, session::ProfileKind};

/// More text than this is no export of one kernel or one summary.
const MOST_TEXT_BYTES: u64 = 1 << 30;

/// The forms that the tools write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `.nsys-rep`, binary.
    SystemsReport,
    /// `nsys export --type sqlite`.
    SystemsSqlite,
    /// `nsys stats --report cuda_gpu_kern_sum --format csv`.
    KernelSumsCsv,
    /// The same with `--format json`.
    KernelSumsJson,
    /// `.ncu-rep`, binary.
    ComputeReport,
    /// `ncu --csv`, page `raw` or `details`.
    ComputeCsv,
}

impl Form {
    /// Whose form it is.
    pub(super) const fn kind(self) -> ProfileKind {
        match self {
            Self::SystemsReport | Self::SystemsSqlite | Self::KernelSumsCsv | Self::KernelSumsJson => ProfileKind::Nsys,
            Self::ComputeReport | Self::ComputeCsv => ProfileKind::Ncu,
        }
    }
}

/// The form of a file, told by how it begins; its name counts only for `.nsys-rep`, whose beginning is not documented.
pub(super) fn form(path: &Path, head: &[u8]) -> Option<Form> {
    if head.starts_with(b"NVR\0") {
        return Some(Form::ComputeReport);
    }
    if export::is_export_head(head) {
        return Some(Form::SystemsSqlite);
    }
    if head.contains(&0) {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_named = extension.is_some_and(|extension| matches!(extension, "nsys-rep" | "qdrep"));
        let speaks = ["QuadD", "Nsight", "CUPTI"];
        let speaks = speaks.into_iter().any(|word| contains(head, word));
        return (is_named && speaks).then_some(Form::SystemsReport);
    }
    let head = String::from_utf8_lossy(head);
    if ncu::header(&head).is_some() || ncu::is_silent(&head) {
        return Some(Form::ComputeCsv);
    }
    if kernel_sums::header(&head).is_some() || kernel_sums::is_silent(&head) {
        return Some(Form::KernelSumsCsv);
    }
    kernel_sums::is_json(&head).then_some(Form::KernelSumsJson)
}

/// Reads a file of a form.
///
/// # Errors
/// It cannot be read, is cut off, or tells too little; binary reports say which command exports them.
pub(super) fn read(path: &Path, form: Form) -> Result<OpTable, ProfileError> {
    match form {
        Form::SystemsReport | Form::ComputeReport => Err(not_exported(path, form)),
        Form::SystemsSqlite => nsys::read(path),
        Form::KernelSumsCsv => kernel_sums::read_csv(path, &text(path)?),
        Form::KernelSumsJson => kernel_sums::read_json(path, &text(path)?),
        Form::ComputeCsv => ncu::read(path, &text(path)?),
    }
}

/// A report in a form that only its own tool reads.
pub(super) fn not_exported(path: &Path, form: Form) -> ProfileError {
    let file = path.display();
    let export = match form {
        Form::ComputeReport => format!("ncu --import {file} --page raw --csv > {}", named(path, "csv")),
        _ => format!("nsys export --type sqlite -o {} {file}", named(path, "sqlite")),
    };
    ProfileError::Lacks {
        path: path.to_owned(),
        what: "anything to read in its binary form".to_owned(),
        remedy: format!("export it with `{export}`"),
    }
}

/// The file's name with another ending.
fn named(path: &Path, extension: &str) -> String {
    path.with_extension(extension).display().to_string()
}

fn text(path: &Path) -> Result<String, ProfileError> {
    let unreadable = |source| ProfileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(unreadable)?.len() > MOST_TEXT_BYTES {
        return Err(ProfileError::TooLarge { path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes)
        .trim_start_matches('\u{feff}')
        .to_owned())
}

/// The file's name, as tables carry it.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Lines in which a tool speaks of its own trouble (`==WARNING==`, `==ERROR==`), as sentences.
fn troubles(text: &str) -> Vec<String> {
    const MOST: usize = 5;
    let marks = ["==WARNING==", "==ERROR=="];
    let lines = text.lines().filter_map(|line| {
        let mark = marks.into_iter().find(|mark| line.starts_with(mark))?;
        Some(line.trim_start_matches(mark).trim().to_owned())
    });
    lines.filter(|line| !line.is_empty()).take(MOST).collect()
}

#[cfg(test)]
mod tests;

//! How a file differs, as a unified diff that stays short.

use std::path::Path;

use git2::{DiffLineType, DiffOptions, Patch};

/// Longer diffs are cut after so many lines, and say so.
pub const MAX_DIFF_LINES: usize = 120;

/// Of larger files only their sizes are told.
pub const MAX_DIFF_BYTES: usize = 256 << 10;

/// What a change does to a file, `None` where it is not there; no more than [`MAX_DIFF_LINES`] lines and one that tells
/// how many are left out.
pub fn diff(path: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    let (before, after) = (old.unwrap_or_default(), new.unwrap_or_default());
    let sizes = || {
        let size =
            |bytes: Option<&[u8]>| bytes.map_or("not there".to_owned(), |bytes| format!("{} bytes", bytes.len()));
        format!("{} before, {} now\n", size(old), size(new))
    };
    let is_text = |bytes: &[u8]| str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
    if before.len().max(after.len()) > MAX_DIFF_BYTES || !is_text(before) || !is_text(after) {
        return sizes();
    }
    let mut options = DiffOptions::new();
    options.context_lines(2).force_text(true);
    let name = Path::new(path);
    let lines = Patch::from_buffers(before, Some(name), after, Some(name), Some(&mut options))
        .ok()
        .and_then(|mut patch| lines(&mut patch));
    lines.filter(|lines| !lines.is_empty()).map_or_else(sizes, shown)
}

/// A diff of another's making, no longer than ours.
pub fn cut_diff(diff: &str) -> String {
    shown(diff.lines().map(str::to_owned).collect())
}

fn lines(patch: &mut Patch<'_>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    patch
        .print(&mut |_, _, line| {
            let text = String::from_utf8_lossy(line.content());
            let text = text.trim_end_matches('\n');
            match line.origin_value() {
                DiffLineType::Context | DiffLineType::Addition | DiffLineType::Deletion => {
                    lines.push(format!("{}{text}", line.origin()));
                }
                DiffLineType::HunkHeader => lines.push(text.to_owned()),
                _ => {}
            }
            true
        })
        .ok()?;
    Some(lines)
}

fn shown(lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(MAX_DIFF_LINES);
    let mut text = String::new();
    for line in lines.into_iter().take(MAX_DIFF_LINES) {
        text.push_str(&line);
        text.push('\n');
    }
    if more > 0 {
        text.push_str("… ");
        text.push_str(&more.to_string());
        text.push_str(" more lines\n");
    }
    text
}

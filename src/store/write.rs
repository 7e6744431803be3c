//! Atomic writes: a reader sees the old file or the whole new one, also after a crash or on a full disk.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::StoreError;

/// Down to this depth each value of a session file has its line: `cells[].runs[].requests[]`, one request a line.
pub(super) const SESSION_LINE_DEPTH: usize = 6;

/// The same for a baseline, whose sessions stand three levels deeper.
pub(super) const BASELINE_LINE_DEPTH: usize = SESSION_LINE_DEPTH + 3;

/// Checks that a file can be written, before the measuring starts: a bad path fails in second one, not minute twenty.
///
/// Creates missing parent folders; leaves an existing file as it is and makes no new one.
///
/// # Errors
/// When the path is a directory, or the file system refuses.
pub fn claim_output(path: &Path) -> Result<(), StoreError> {
    let failed = |source| failed(path, source);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(StoreError::Directory { path: path.to_owned() }),
        Ok(_) => drop(OpenOptions::new().append(true).open(path).map_err(failed)?),
        Err(_) => {}
    }
    let Some(place) = place_of(path).map_err(failed)? else {
        return Ok(());
    };
    make_parent(&place).map_err(failed)?;
    drop(Temporary::beside(&place).map_err(failed)?);
    Ok(())
}

/// Writes a value as JSON with one line a value down to `line_depth`.
pub(super) fn json<T: Serialize>(path: &Path, value: &T, line_depth: usize) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    let written = match place_of(path) {
        Ok(Some(place)) => replace(&place, value, line_depth),
        Ok(None) => OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| write_to(file, value, line_depth).map(drop)),
        Err(error) => Err(error),
    };
    written.map_err(|source| failed(path, source))
}

/// The same of a file that is worth nothing after a crash: nothing waits for a disk, and a link in its place is replaced.
pub(super) fn json_unsynced<T: Serialize>(path: &Path, value: &T, line_depth: usize) -> Result<(), StoreError> {
    let replaced = || {
        let mut temporary = Temporary::beside(path)?;
        write_to(&temporary.file, value, line_depth)?;
        fs::rename(&temporary.path, path)?;
        temporary.kept = true;
        Ok(())
    };
    replaced().map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    }
}

/// Writes bytes so that a reader sees either the old file or the whole new one; missing parent folders are created, and a link in
/// its place is replaced, not followed.
///
/// # Errors
/// When the path is a directory, or the file system refuses or is full.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    let written = make_parent(path).and_then(|()| {
        let mut temporary = Temporary::beside(path)?;
        temporary.file.write_all(bytes)?;
        fs::rename(&temporary.path, path)?;
        temporary.kept = true;
        Ok(())
    });
    written.map_err(|source| failed(path, source))
}

/// The same, and it is on the disk when this returns.
pub(super) fn bytes_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = make_parent(path).and_then(|()| {
        let mut temporary = Temporary::beside(path)?;
        temporary.file.write_all(bytes)?;
        temporary.file.sync_all()?;
        fs::rename(&temporary.path, path)?;
        temporary.kept = true;
        if let Ok(folder) = File::open(parent_of(path)) {
            let _ = folder.sync_all();
        }
        Ok(())
    });
    written.map_err(|source| failed(path, source))
}

/// Where the new file takes its place: the path itself, or what a link points at; `None` for a pipe or device, which a
/// rename would destroy.
fn place_of(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::canonicalize(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(path.to_owned())),
        Err(error) => Err(error),
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    fs::create_dir_all(parent_of(path))
}

fn replace<T: Serialize>(path: &Path, value: &T, line_depth: usize) -> io::Result<()> {
    make_parent(path)?;
    let mut temporary = Temporary::beside(path)?;
    write_to(&temporary.file, value, line_depth)?;
    temporary.file.sync_all()?;
    if let Ok(metadata) = fs::metadata(path) {
        temporary.file.set_permissions(metadata.permissions())?;
    }
    fs::rename(&temporary.path, path)?;
    temporary.kept = true;
    // The rename itself survives a crash only once its folder is on disk; some file systems cannot sync a folder.
    if let Ok(folder) = File::open(parent_of(path)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn write_to<W: Write, T: Serialize>(to: W, value: &T, line_depth: usize) -> io::Result<W> {
    let mut buffered = BufWriter::with_capacity(1 << 16, to);
    let lines = Lines {
        line_depth,
        depth: 0,
        has_value: false,
    };
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut buffered, lines))?;
    buffered.write_all(b"\n")?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)
}

/// A file in the making; gone again unless it was kept.
struct Temporary {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Temporary {
    fn beside(path: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = OsString::from(".");
        name.push(path.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{count}.tmp", process::id()));
        let path = parent_of(path).join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self {
            path,
            file,
            kept: false,
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Lines and indents down to a depth, compact below: small files, and differences that a person can read.
struct Lines {
    line_depth: usize,
    depth: usize,
    has_value: bool,
}

impl Lines {
    fn open<W: ?Sized + Write>(&mut self, to: &mut W, sign: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        to.write_all(sign)
    }

    fn close<W: ?Sized + Write>(&mut self, to: &mut W, sign: &[u8]) -> io::Result<()> {
        let has_own_line = self.has_value && self.depth <= self.line_depth;
        self.depth -= 1;
        self.has_value = true;
        if has_own_line {
            self.new_line(to)?;
        }
        to.write_all(sign)
    }

    fn value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if !first {
            to.write_all(b",")?;
        }
        if self.depth <= self.line_depth {
            self.new_line(to)?;
        }
        Ok(())
    }

    fn new_line<W: ?Sized + Write>(&self, to: &mut W) -> io::Result<()> {
        to.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| to.write_all(b" "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.value(to, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.value(to, first)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

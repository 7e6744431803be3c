//! Files of a commit, for those who have no clone: regular ones only, and never a part of a listing.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Client, ForgeError,
    answers::{ContentAnswer, EntryAnswer, read},
    client::What,
    limits,
    wire::{Call, OBJECT, RAW},
};

const READ_FILE: What = What {
    text: "read a file",
    permission: "contents: read",
};
const LIST_FOLDER: What = What {
    text: "list a folder",
    permission: "contents: read",
};

impl Client {
    pub(super) fn read_file(&mut self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, ForgeError> {
        let Some(answer) = self.content(&READ_FILE, path, commit)? else {
            return Ok(None);
        };
        let kind = match answer.kind.as_str() {
            "file" => match (answer.encoding.as_deref(), answer.content) {
                (Some("base64"), Some(text)) => return decoded(&text).map(Some),
                // More than a megabyte.
                (Some("none"), _) => return self.raw(path, commit).map(Some),
                _ => {
                    return Err(ForgeError::Answer {
                        what: READ_FILE.text,
                        message: "a file without its bytes".into(),
                    });
                }
            },
            "dir" => "folder",
            "symlink" => "symlink",
            "submodule" => "submodule",
            _ => "thing of an unknown kind",
        };
        Err(ForgeError::NoFile {
            path: path.into(),
            commit: commit.into(),
            kind,
        })
    }

    pub(super) fn list_folder(&mut self, path: &str, commit: &str) -> Result<Vec<String>, ForgeError> {
        let mut files = Vec::new();
        let mut folders = vec![path.trim_end_matches('/').to_owned()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            seen += 1;
            if seen > limits::MAX_FOLDERS {
                return Err(too_many(path, "folders", limits::MAX_FOLDERS));
            }
            for entry in self.entries(&folder, commit)? {
                match entry.kind.as_str() {
                    "dir" => folders.push(entry.path),
                    "file" if entry.download_url.is_some() => files.push(entry.path),
                    _ => {}
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn entries(&mut self, folder: &str, commit: &str) -> Result<Vec<EntryAnswer>, ForgeError> {
        let Some(answer) = self.content(&LIST_FOLDER, folder, commit)? else {
            return Ok(Vec::new());
        };
        let entries = answer
            .entries
            .filter(|_| answer.kind == "dir")
            .ok_or_else(|| ForgeError::Answer {
                what: LIST_FOLDER.text,
                message: format!("`{folder}` is no folder"),
            })?;
        // GitHub leaves out the rest without a word.
        if entries.len() >= limits::FOLDER_ENTRIES {
            return Err(too_many(folder, "entries", limits::FOLDER_ENTRIES - 1));
        }
        Ok(entries)
    }

    fn content(&mut self, what: &What, path: &str, at: &str) -> Result<Option<ContentAnswer>, ForgeError> {
        let call = Call {
            accept: OBJECT,
            ..Call::get(self.contents_path(path, at)?)
        };
        match self.ask(what, &call) {
            Ok(answer) => read(what.text, &answer).map(Some),
            Err(ForgeError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn raw(&mut self, path: &str, at: &str) -> Result<Vec<u8>, ForgeError> {
        let call = Call {
            accept: RAW,
            ..Call::get(self.contents_path(path, at)?)
        };
        Ok(self.ask(&READ_FILE, &call)?.bytes)
    }

    fn contents_path(&self, path: &str, at: &str) -> Result<String, ForgeError> {
        let at = commit(at)?;
        let is_inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_inside {
            let path = path.escape_debug();
            return Err(ForgeError::Setup(format!(
                "`{path}` is no path inside of the repository"
            )));
        }
        let parts: Vec<String> = path.split('/').map(encoded).collect();
        Ok(self.path(&format!("contents/{}?ref={at}", parts.join("/"))))
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, ForgeError> {
    let plain: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(plain).map_err(|error| ForgeError::Answer {
        what: READ_FILE.text,
        message: error.to_string(),
    })
}

fn too_many(path: &str, what: &str, max: usize) -> ForgeError {
    ForgeError::Answer {
        what: LIST_FOLDER.text,
        message: format!("`{path}` has more than {max} {what}"),
    }
}

/// A commit's full name: a branch may move between two requests.
pub(super) fn commit(text: &str) -> Result<&str, ForgeError> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && matches!(text.len(), 40 | 64) {
        return Ok(text);
    }
    let text = text.escape_debug();
    Err(ForgeError::Setup(format!(
        "`{text}` is no commit; give all of its hex digits"
    )))
}

/// A text as one part of an address (RFC 3986, section 2.3).
pub(super) fn encoded(text: &str) -> String {
    let sign = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_commit_is_one() {
        assert!(commit(&"0a".repeat(20)).is_ok() && commit(&"0a".repeat(32)).is_ok());
        for text in [
            "main",
            "",
            &"0A".repeat(20),
            &"0a".repeat(19),
            &format!("{}?x", "0a".repeat(19)),
        ] {
            assert!(commit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn signs_of_an_address_do_not_leave_their_part() {
        assert_eq!(encoded("a b?c#d/é%"), "a%20b%3Fc%23d%2F%C3%A9%25");
        assert_eq!(encoded("perf-gate_1.~"), "perf-gate_1.~");
    }

    #[test]
    fn a_file_comes_in_lines_of_base64() {
        assert_eq!(decoded("aGVs\nbG8=\n").unwrap(), b"hello");
        assert!(decoded("a?").is_err());
    }
}

//! The beginning of a file, and the keys that stand in it: what a format is recognised by.

use std::collections::BTreeSet;

/// So much of a file is looked at, before it is clear that it is worth reading.
pub(super) const HEAD_BYTES: usize = 256 << 10;
/// Deeper keys say nothing of a format.
const MAX_DEPTH: usize = 6;
/// More keys than this are no header.
const MAX_KEYS: usize = 4096;

/// The beginning of a file.
pub(super) struct Head {
    text: Vec<u8>,
    keys: BTreeSet<String>,
}

impl Head {
    /// Of the first bytes of a file.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        Self {
            text: text.get(..HEAD_BYTES).unwrap_or(text).to_vec(),
            keys: keys_of(text),
        }
    }

    /// Whether the first JSON value has this key: `a.b` below `a`, `a[].b` in the objects of the list `a`, `[].b` in those of a
    /// list that is the whole value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Whether it has all of these.
    pub(super) fn has_all(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.has(key))
    }

    /// Whether one of its keys passes.
    pub(super) fn any_key(&self, passes: impl Fn(&str) -> bool) -> bool {
        self.keys.iter().any(|key| passes(key))
    }

    /// The text itself, without blanks before it.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether a line begins so: what YAML is recognised by.
    pub(super) fn has_line(&self, begins: &str) -> bool {
        let mut lines = self.text.split(|byte| *byte == b'\n');
        lines.any(|line| line.starts_with(begins.as_bytes()))
    }

    /// Whether it is JSON, as far as its first sign tells.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.text.first(), Some(b'{' | b'['))
    }

    /// Its first line, as far as it is text.
    pub(super) fn first_line(&self) -> &str {
        let line = self.text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        str::from_utf8(line).unwrap_or_default().trim_end()
    }

    /// Whether it was written by perfgate itself.
    pub(super) fn is_own(&self) -> bool {
        let start = self.text.get(..200).unwrap_or(&self.text);
        let start = String::from_utf8_lossy(start);
        start.contains("\"schema\"") && start.contains("perfgate-llm/")
    }
}

/// One level of a JSON text on the way through it.
struct Frame {
    path: String,
    is_object: bool,
    key: String,
    expects_key: bool,
}

impl Frame {
    fn child(&self) -> String {
        match (self.is_object, self.path.is_empty()) {
            (false, _) => self.path.clone(),
            (true, true) => self.key.clone(),
            (true, false) => format!("{}.{}", self.path, self.key),
        }
    }
}

/// The keys of the first JSON value of a text that may end anywhere.
fn keys_of(text: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut frames: Vec<Frame> = Vec::new();
    // Levels below the deepest that is looked at.
    let mut deeper = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at).copied() {
        at += 1;
        match byte {
            b'"' => {
                let Some(end) = end_of_string(text, at) else { break };
                if deeper == 0 {
                    note_key(&mut frames, text.get(at..end).unwrap_or_default(), &mut found);
                }
                at = end + 1;
            }
            b'{' | b'[' if deeper > 0 || frames.len() >= MAX_DEPTH => deeper += 1,
            b'{' | b'[' => frames.push(frame(frames.last(), byte == b'{')),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => {
                frames.pop();
            }
            b',' if deeper == 0 => {
                if let Some(frame) = frames.last_mut() {
                    frame.expects_key = frame.is_object;
                }
            }
            // What begins with neither is no JSON of results.
            _ if frames.is_empty() && !byte.is_ascii_whitespace() => break,
            _ => {}
        }
        if frames.is_empty() || found.len() >= MAX_KEYS {
            break;
        }
    }
    found
}

fn frame(outer: Option<&Frame>, is_object: bool) -> Frame {
    let place = outer.map(Frame::child).unwrap_or_default();
    Frame {
        path: if is_object { place } else { format!("{place}[]") },
        is_object,
        key: String::new(),
        expects_key: is_object,
    }
}

fn note_key(frames: &mut [Frame], name: &[u8], found: &mut BTreeSet<String>) {
    let Some(frame) = frames.last_mut().filter(|frame| frame.expects_key) else {
        return;
    };
    frame.key = String::from_utf8_lossy(name.get(..128).unwrap_or(name)).into_owned();
    frame.expects_key = false;
    found.insert(frame.child());
}

/// Where a string ends that begins before `from`.
fn end_of_string(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_place_in_a_text_that_may_end_anywhere() {
        let text = br#"{"a": 1, "b": {"c": [{"d": "x\"y", "e": {"f": 2}}]}, "g": [[1, 2], [3"#;
        let head = Head::of(text);
        for key in ["a", "b", "b.c", "b.c[].d", "b.c[].e.f", "g"] {
            assert!(head.has(key), "{key}");
        }
        assert!(!head.has("x") && !head.has("d"));
        let list = Head::of(b"[{\"ttft_s\": 0.1}, {\"other\": 1}]");
        assert!(list.has("[].ttft_s") && list.has("[].other"));
        let lines = Head::of(b"{\"a\": 1}\n{\"b\": 2}\n");
        assert!(lines.has("a") && !lines.has("b"), "only the first value");
    }

    #[test]
    fn deep_and_broken_texts_end_the_look() {
        let deep = "[".repeat(1_000_000);
        assert!(Head::of(deep.as_bytes()).keys.is_empty());
        let object = format!("{{\"a\": {}1{}, \"z\": 1}}", "[".repeat(5000), "]".repeat(5000));
        assert!(Head::of(object.as_bytes()).has("z"));
        for text in [&b""[..], b"\x00\x01\x02", b"{\"a", b"}}}}", b"{\"a\\"] {
            assert!(Head::of(text).keys.is_empty());
        }
    }
}

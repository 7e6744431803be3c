//! What commits say at their end, and what a text says in such lines.

use super::{GitError, Repository, failed};

/// Commits are looked through back to here.
const MAX_COMMITS: usize = 1000;

/// One line `KEY: VALUE` at the end of a commit's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// Its author's name.
    pub author: String,
    /// What stands behind the key.
    pub value: String,
}

impl Repository {
    /// The trailers of a key in the commits after `base` up to `head`, newest first.
    ///
    /// # Errors
    /// One of the two is not in this clone.
    pub fn trailers(&self, base: &str, head: &str, key: &str) -> Result<Vec<Said>, GitError> {
        let mut walk = self.inner.revwalk().map_err(failed("walk the commits"))?;
        walk.push(self.oid(head)?).map_err(failed("walk the commits"))?;
        walk.hide(self.oid(base)?).map_err(failed("walk the commits"))?;
        let mut said = Vec::new();
        for id in walk.take(MAX_COMMITS) {
            let id = id.map_err(failed("walk the commits"))?;
            let commit = self.inner.find_commit(id).map_err(failed("read a commit"))?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let author = String::from_utf8_lossy(commit.author().name_bytes()).into_owned();
            said.extend(trailers_of(&message, key).into_iter().map(|value| Said {
                commit: id.to_string(),
                author: author.clone(),
                value,
            }));
        }
        Ok(said)
    }
}

/// The trailers of a key at the end of a commit's message.
pub fn trailers_of(message: &str, key: &str) -> Vec<String> {
    let Ok(trailers) = git2::message_trailers_strs(message) else {
        return Vec::new();
    };
    let own = trailers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
    own.map(|(_, value)| value.trim().to_owned()).collect()
}

/// The values of lines `KEY: VALUE` in a text of Markdown, such as a pull request's description: of those that its readers see as
/// text, so of none in an HTML comment or in a block of code.
pub fn explanations_in(text: &str, key: &str) -> Vec<String> {
    let value = |line: &str| {
        let (name, value) = line.trim().split_once(':')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim().to_owned())
    };
    let mut hidden = Hidden::default();
    let shown = text.lines().filter_map(|line| value(&hidden.shown(line)?));
    shown.filter(|value| !value.is_empty()).collect()
}

/// What a reader of Markdown does not see as text, from line to line.
#[derive(Default)]
struct Hidden {
    is_in_comment: bool,
    /// The sign and length of the fence that is open.
    fence: Option<(char, usize)>,
}

impl Hidden {
    /// What is shown of the next line; `None`: it is one of code.
    fn shown(&mut self, line: &str) -> Option<String> {
        if let Some((sign, length)) = self.fence {
            let (run, rest) = run_of(line, sign);
            if run >= length && rest.trim().is_empty() {
                self.fence = None;
            }
            return None;
        }
        let shown = self.without_comments(line);
        let opened = ['`', '~'].into_iter().find_map(|sign| {
            let (run, rest) = run_of(&shown, sign);
            // Backticks behind backticks are code within a line.
            (run >= 3 && (sign == '~' || !rest.contains('`'))).then_some((sign, run))
        });
        self.fence = opened;
        opened.is_none().then_some(shown)
    }

    fn without_comments(&mut self, line: &str) -> String {
        let (mut shown, mut rest) = (String::new(), line);
        loop {
            let mark = if self.is_in_comment { "-->" } else { "<!--" };
            let (before, after) = match rest.split_once(mark) {
                Some((before, after)) => (before, Some(after)),
                None => (rest, None),
            };
            if !self.is_in_comment {
                shown.push_str(before);
            }
            let Some(after) = after else { return shown };
            self.is_in_comment = !self.is_in_comment;
            rest = after;
        }
    }
}

/// How often a sign stands at the beginning of a line, and what follows.
fn run_of(line: &str, sign: char) -> (usize, &str) {
    let line = line.trim_start();
    let rest = line.trim_start_matches(sign);
    (line.chars().count() - rest.chars().count(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        explanations_in(text, "perfgate-explain")
    }

    #[test]
    fn a_line_of_the_description_is_taken_wherever_it_stands() {
        let text = "What it does.\r\n\r\nPerfgate-Explain : ttft_p95: why \r\n- no\n  perfgate-explain: tpot: because\nperfgate-explain:";
        assert_eq!(said(text), ["ttft_p95: why", "tpot: because"]);
    }

    #[test]
    fn what_a_reader_does_not_see_as_text_explains_nothing() {
        const LINE: &str = "perfgate-explain: ttft_p95: why";
        for (text, expected) in [
            ("<!-- LINE -->", 0),
            ("<!--\nLINE\n-->", 0),
            ("<!-- a\nLINE", 0),
            ("<!-- a --> LINE", 1),
            ("<!-- a -->\nLINE", 1),
            ("```\nLINE\n```", 0),
            ("```yaml\nLINE\n```\nLINE", 1),
            ("````\n```\nLINE\n````", 0),
            ("~~~\nLINE\n```\nLINE\n~~~\nLINE", 1),
            ("- item\n  ```\n  LINE\n  ```\n", 0),
            ("```\nLINE", 0),
            ("```a``` is code within the line\nLINE", 1),
            ("<!--\n```\n-->\nLINE", 1),
            ("```\n<!--\n```\nLINE", 1),
            ("``\nLINE\n``", 1),
        ] {
            assert_eq!(said(&text.replace("LINE", LINE)).len(), expected, "{text}");
        }
    }
}

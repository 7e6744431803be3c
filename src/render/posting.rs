//! What a comment holds beside the report: whose it is, where more is to be read, what was found before.

use serde::Serialize;

use super::{escape, format};

/// What begins every comment of ours; the key parts several gates on one pull request.
const MARKER: &str = "<!-- perfgate-llm:v1 key=";
/// What begins the line of a result, for who renders the next comment.
const RESULT: &str = "<!-- perfgate-llm:result ";
const END: &str = " -->";
const NEVER: &str = "-";
/// Older results than these are not read.
const MOST_PAST: usize = 10;

/// What a comment holds beside the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Which of several gates on one pull request: letters, digits, `.`, `_` and `-`.
    pub key: String,
    /// What the reader should know before the rest, in sentences.
    pub notices: Vec<String>,
    /// Labels and addresses of where more is to be read; what is no plain `https` or `http` address is left out.
    pub links: Vec<(&'static str, String)>,
    /// This result, as the next comment will tell it.
    pub result: Option<Past>,
    /// Earlier results, the newest first.
    pub previous: Vec<Past>,
}

impl Default for Posting {
    fn default() -> Self {
        Self {
            key: "default".into(),
            notices: Vec::new(),
            links: Vec::new(),
            result: None,
            previous: Vec::new(),
        }
    }
}

/// One result that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The measured commit, 7 to 40 hex digits.
    pub sha: String,
    /// When it was measured, seconds since 1970 UTC; `None` where nothing was.
    pub measured_unix_s: Option<u64>,
    /// Its verdict in words.
    pub word: String,
}

/// As the template takes it.
#[derive(Debug, Serialize)]
pub(super) struct PostingView {
    notices: Vec<String>,
    links: Vec<LinkView>,
    commit: Option<String>,
    measured: Option<String>,
    previous: Vec<PastView>,
}

#[derive(Debug, Serialize)]
struct LinkView {
    label: &'static str,
    address: String,
}

#[derive(Debug, Serialize)]
struct PastView {
    commit: String,
    measured: String,
    word: String,
}

impl Posting {
    /// The lines that a reader does not see and the next comment reads.
    pub(super) fn head(&self) -> String {
        let result = self.result.iter().map(|past| format!("{}\n", past.line()));
        let own = result.chain(self.past().map(|past| format!("{}\n", past.line())));
        format!("{}\n{}", marker(&self.key), own.collect::<String>())
    }

    fn past(&self) -> impl Iterator<Item = &Past> {
        let own = self.result.as_ref();
        self.previous
            .iter()
            .filter(move |past| Some(*past) != own)
            .take(MOST_PAST)
    }

    pub(super) fn view(&self) -> PostingView {
        let links = self.links.iter().filter_map(|(label, address)| {
            Some(LinkView {
                label,
                address: escape::address(address)?,
            })
        });
        PostingView {
            notices: self.notices.clone(),
            links: links.collect(),
            commit: self.result.as_ref().map(Past::short),
            measured: self.result.as_ref().and_then(Past::measured),
            previous: self.past().map(Past::view).collect(),
        }
    }
}

impl Past {
    fn short(&self) -> String {
        self.sha.chars().take(10).collect()
    }

    fn view(&self) -> PastView {
        PastView {
            commit: self.short(),
            measured: self.measured().unwrap_or_else(|| "–".into()),
            word: self.word.clone(),
        }
    }

    fn measured(&self) -> Option<String> {
        self.measured_unix_s.map(format::utc_time)
    }

    fn line(&self) -> String {
        let measured = self.measured_unix_s.map_or_else(|| NEVER.into(), |at| at.to_string());
        format!("{RESULT}{} {measured} {}{END}", self.sha, self.word)
    }

    /// Only what [`line`](Self::line) can write: whoever may edit a comment may write anything.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix(RESULT)?.strip_suffix(END)?.splitn(3, ' ');
        let past = Self {
            sha: parts.next()?.to_owned(),
            measured_unix_s: match parts.next()? {
                NEVER => None,
                seconds => Some(seconds.parse().ok()?),
            },
            word: parts.next()?.to_owned(),
        };
        let is_sha = (7..=40).contains(&past.sha.len()) && past.sha.chars().all(|sign| sign.is_ascii_hexdigit());
        let is_word = past.word.len() <= 20 && past.word.chars().all(|sign| sign.is_ascii_lowercase() || sign == ' ');
        // Year 9999.
        let is_time = past.measured_unix_s.is_none_or(|at| at < 253_402_300_800);
        (is_sha && is_word && is_time).then_some(past)
    }
}

/// The line that a comment of ours begins with.
#[must_use]
pub fn marker(key: &str) -> String {
    format!("{MARKER}{key}{END}")
}

/// The results that a comment of ours tells of, the newest first.
#[must_use]
pub fn past_results(comment: &str) -> Vec<Past> {
    let read = comment.lines().skip(1).map_while(|line| Past::read(line.trim_end()));
    read.take(MOST_PAST + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(word: &str) -> Past {
        Past {
            sha: "a1b2c3d4e5".into(),
            measured_unix_s: Some(1_795_308_360),
            word: word.into(),
        }
    }

    #[test]
    fn the_next_comment_reads_what_this_one_tells() {
        let never = Past {
            measured_unix_s: None,
            ..past("no verdict")
        };
        let mut posting = Posting {
            result: Some(past("regression")),
            previous: vec![past("regression"), never.clone()],
            ..Posting::default()
        };
        let told = past_results(&posting.head());
        assert_eq!(told, [past("regression"), never], "the same result is told once");
        posting.previous = (0..30)
            .map(|number| Past {
                measured_unix_s: Some(number),
                ..past("pass")
            })
            .collect();
        assert_eq!(past_results(&posting.head()).len(), 11);
    }

    #[test]
    fn nothing_else_is_read_from_a_comment() {
        for line in [
            "<!-- perfgate-llm:result a1b2c3d4e5 5 <b>x</b> -->",
            "<!-- perfgate-llm:result zzzzzzzz 5 pass -->",
            "<!-- perfgate-llm:result a1b2c3d4e5 99999999999999 pass -->",
            "<!-- perfgate-llm:result a1b2c3d4e5 5 -->",
            "<!-- perfgate-llm:result a1b2c3d4e5 5 pass --><img>",
        ] {
            assert_eq!(past_results(&format!("{}\n{line}", marker("default"))), [], "{line}");
        }
    }
}

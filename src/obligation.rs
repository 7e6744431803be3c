//! What a warning still owes: an explanation, a profiling report.

use crate::{
    metric::Metric,
    session::{Profile, ProfileKind},
    verdict::{Check, Evidence, OnUnmet, Unmet, Verdict, wording},
};

/// What a line of explanation begins with, in a pull request's description or at the end of a commit's message.
pub const EXPLAIN_KEY: &str = "perfgate-explain";

/// What a warning owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// Cell name.
    pub cell: String,
    /// The metric that warned.
    pub metric: Metric,
    /// What is asked for.
    pub requires: Evidence,
    /// In words (`explain why TTFT P95 rose by 14 %`).
    pub text: String,
    /// Who gave it; `None`: it is still owed.
    pub settled: Option<Settled>,
}

/// What was given for an obligation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Who gave it: a login, or the author of a commit.
    pub who: String,
    /// Where it stands.
    pub place: Place,
    /// The explanation in its own words, or the profile's file name.
    pub text: String,
}

/// Where an explanation or a profile was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the pull request's description.
    PullRequest,
    /// A trailer of a commit.
    Trailer {
        /// The commit, 40 hex digits.
        commit: String,
    },
    /// An entry of `perfgate-accept.yaml` on the base branch.
    AcceptFile,
    /// A profile of this commit.
    Profile {
        /// Which profiler wrote it.
        kind: ProfileKind,
        /// SHA-256 of the file in hex.
        sha256: String,
        /// Whether the file itself names no commit.
        commit_is_assumed: bool,
    },
}

/// Why a metric got worse, as somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The metric that it is about.
    pub metric: Metric,
    /// Only this cell; `None`: all.
    pub cell: Option<String>,
    /// Who says so.
    pub who: String,
    /// Where.
    pub place: Place,
    /// The reason.
    pub text: String,
}

impl Explanation {
    /// What a line `perfgate-explain: METRIC: REASON` says behind its key.
    ///
    /// # Errors
    /// In words: it names no metric, or no reason.
    pub fn parse(value: &str, who: &str, place: Place) -> Result<Self, String> {
        let shown: String = value.chars().take(80).collect();
        let (key, text) = value
            .split_once(':')
            .ok_or_else(|| format!("`{EXPLAIN_KEY}: {shown}` gives no reason; write `METRIC: REASON`"))?;
        let metric = Metric::from_key(key.trim())
            .ok_or_else(|| format!("`{EXPLAIN_KEY}: {shown}` names no metric; write its key, such as `ttft_p95`"))?;
        if !text.chars().any(char::is_alphanumeric) {
            return Err(format!("`{EXPLAIN_KEY}: {shown}` gives no reason behind the metric"));
        }
        if is_placeholder(text) {
            return Err(format!(
                "`{EXPLAIN_KEY}: {shown}` has a placeholder where the reason belongs, and explains nothing"
            ));
        }
        Ok(Self {
            metric,
            cell: None,
            who: who.to_owned(),
            place,
            text: text.trim().to_owned(),
        })
    }
}

/// A word that stands for a reason until somebody writes one, as templates and our own advice have it.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim().trim_matches(['`', '*', '_', '"', '\'', '.']).trim();
    let is_between = |open: char, close: char| text.starts_with(open) && text.ends_with(close);
    let is_word = |word: &str| text.eq_ignore_ascii_case(word);
    ["reason", "your reason", "the reason", "tbd", "todo", "fixme"]
        .into_iter()
        .any(is_word)
        || [('<', '>'), ('‹', '›')]
            .into_iter()
            .any(|(open, close)| is_between(open, close))
}

/// All that was given for what is owed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// What people said.
    pub explanations: &'a [Explanation],
    /// Profiles that were attached to the measurement.
    pub profiles: &'a [Profile],
    /// The commits that a profile may be of: the one that was measured, and the head of the pull request.
    pub commits: &'a [&'a str],
}

/// One for each regression whose gate asks for something, in the order of the checks.
pub fn obligations(checks: &[Check]) -> Vec<Obligation> {
    checks.iter().filter_map(obligation).collect()
}

/// Marks what was given; the first explanation of a metric counts, and any profile of the commit.
pub fn settle(obligations: &mut [Obligation], given: &Given<'_>) {
    for obligation in obligations {
        obligation.settled = match obligation.requires {
            Evidence::Explanation => explained(obligation, given.explanations),
            Evidence::Profile => profiled(given),
        };
    }
}

fn explained(obligation: &Obligation, explanations: &[Explanation]) -> Option<Settled> {
    let fits = |said: &&Explanation| {
        let cell = said.cell.as_ref().is_none_or(|cell| *cell == obligation.cell);
        said.metric == obligation.metric && cell
    };
    explanations.iter().find(fits).map(|said| Settled {
        who: said.who.clone(),
        place: said.place.clone(),
        text: said.text.clone(),
    })
}

fn profiled(given: &Given<'_>) -> Option<Settled> {
    let own = |profile: &&Profile| given.commits.contains(&profile.commit.as_str());
    given.profiles.iter().find(own).map(|profile| Settled {
        who: "the job that measured".to_owned(),
        place: Place::Profile {
            kind: profile.kind,
            sha256: profile.sha256.clone(),
            commit_is_assumed: profile.commit_is_assumed,
        },
        text: profile.name.clone(),
    })
}

impl Obligation {
    /// What it does while it is still owed; `None` once it is settled.
    pub fn unmet(&self, unmet: Unmet) -> Option<OnUnmet> {
        self.settled.is_none().then(|| unmet.of(self.requires))
    }

    /// How to give what is owed, in a few words.
    pub fn how(&self) -> String {
        match self.requires {
            Evidence::Explanation => format!(
                "add a line `{EXPLAIN_KEY}: {}: REASON` to the pull request's description or to a commit's message",
                self.metric.key()
            ),
            Evidence::Profile => "attach it with `perfgate profile attach FILE`".to_owned(),
        }
    }
}

fn obligation(check: &Check) -> Option<Obligation> {
    let requires = check.requires.filter(|_| check.verdict == Verdict::Regression)?;
    let moved = match check.change {
        Some(change) if change < 0.0 => format!("fell by {}", wording::size(change)),
        Some(change) => format!("rose by {}", wording::size(change)),
        // Of a goodput of zero the requests are counted, which have no ratio.
        None => "got worse".to_owned(),
    };
    let what = format!("{} {moved} at {}", check.metric.label(), check.cell);
    let text = match requires {
        Evidence::Explanation => format!("explain why {what}"),
        Evidence::Profile => format!("attach a profiling report: {what}"),
    };
    Some(Obligation {
        cell: check.cell.clone(),
        metric: check.metric,
        requires,
        text,
        settled: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Percentile;

    const TTFT: Metric = Metric::Ttft(Percentile::P95);

    fn owed(requires: Evidence) -> Obligation {
        Obligation {
            cell: "x @ c=1".into(),
            metric: TTFT,
            requires,
            text: "explain".into(),
            settled: None,
        }
    }

    #[test]
    fn a_line_is_a_metric_and_a_reason() {
        let said = Explanation::parse("ttft_p95: fp8 is off: it was wrong", "alice", Place::PullRequest).unwrap();
        assert_eq!((said.metric, said.text.as_str()), (TTFT, "fp8 is off: it was wrong"));
        for bad in ["", "ttft_p95", "ttft_p95:", "ttft_p95: …", "TTFT: because", ": because"] {
            assert!(Explanation::parse(bad, "alice", Place::PullRequest).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_placeholder_is_no_reason() {
        for text in [
            "REASON",
            "`REASON`",
            "<reason>",
            "<why it is slower>",
            "‹why›",
            "TODO",
            "_reason_.",
        ] {
            let refused = Explanation::parse(&format!("ttft_p95: {text}"), "alice", Place::PullRequest).unwrap_err();
            assert!(refused.contains("placeholder"), "{text}: {refused}");
        }
        for text in ["the reason is fp8", "<T> is boxed now", "see #12"] {
            assert!(
                Explanation::parse(&format!("ttft_p95: {text}"), "alice", Place::PullRequest).is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_explanation_settles_its_metric_and_cell_and_no_profile() {
        let said = |metric, cell: Option<&str>| Explanation {
            metric,
            cell: cell.map(str::to_owned),
            who: "alice".into(),
            place: Place::AcceptFile,
            text: "why".into(),
        };
        for (explanation, requires, expected) in [
            (said(TTFT, None), Evidence::Explanation, true),
            (said(TTFT, Some("x @ c=1")), Evidence::Explanation, true),
            (said(TTFT, Some("x @ c=2")), Evidence::Explanation, false),
            (said(Metric::Ttft(Percentile::P99), None), Evidence::Explanation, false),
            (said(TTFT, None), Evidence::Profile, false),
        ] {
            let mut obligations = [owed(requires)];
            let given = Given {
                explanations: std::slice::from_ref(&explanation),
                ..Given::default()
            };
            settle(&mut obligations, &given);
            assert_eq!(
                obligations[0].settled.is_some(),
                expected,
                "{explanation:?} {requires:?}"
            );
        }
    }

    #[test]
    fn a_profile_of_another_commit_settles_nothing() {
        let profile = Profile {
            kind: ProfileKind::Torch,
            name: "trace.json".into(),
            sha256: "0".repeat(64),
            bytes: 1,
            commit: "a".repeat(40),
            commit_is_assumed: false,
        };
        let (own, other) = ("a".repeat(40), "b".repeat(40));
        for (commit, expected) in [(own.as_str(), true), (other.as_str(), false)] {
            let mut obligations = [owed(Evidence::Profile), owed(Evidence::Explanation)];
            let given = Given {
                profiles: std::slice::from_ref(&profile),
                commits: &[commit],
                ..Given::default()
            };
            settle(&mut obligations, &given);
            assert_eq!(obligations[0].settled.is_some(), expected);
            assert!(obligations[1].settled.is_none(), "a profile explains nothing");
        }
    }
}

//! The words and marks of an answer; a mark or a colour never stands alone.

use crate::{
    report::Check,
    verdict::{Action, Evidence, Verdict},
};

/// A regression that only warns.
const WARNING: &str = "warning";

/// How one answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The answer in words.
    pub(super) word: &'static str,
    /// Emoji for GitHub.
    pub(super) mark: &'static str,
    /// One-column sign for terminal and HTML.
    pub(super) glyph: &'static str,
    /// CSS class, and colour in the terminal.
    pub(super) tone: Tone,
}

/// What a colour may add to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Warn,
    Open,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Open => "open",
        }
    }

    /// Select Graphic Rendition code of a terminal.
    pub(super) const fn sgr(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn | Self::Open => "33",
        }
    }
}

/// The look of an answer for the whole gate.
pub(super) const fn look(verdict: Verdict) -> Look {
    let (mark, glyph, tone) = match verdict {
        Verdict::Improvement => ("🚀", "↑", Tone::Good),
        Verdict::Pass => ("✅", "✓", Tone::Good),
        Verdict::Inconclusive | Verdict::Incomparable | Verdict::NoBaseline => ("❔", "?", Tone::Open),
        Verdict::Regression => ("❌", "✗", Tone::Bad),
        Verdict::Invalid => ("🛑", "✗", Tone::Bad),
    };
    Look {
        word: verdict.name(),
        mark,
        glyph,
        tone,
    }
}

/// The look of one check: a regression that only warns looks like a warning.
pub(super) fn check_look(check: &Check) -> Look {
    match (check.verdict, check.action) {
        (Verdict::Regression, Action::Warn | Action::Report) => Look {
            word: WARNING,
            mark: "⚠️",
            glyph: "!",
            tone: Tone::Warn,
        },
        (verdict, _) => look(verdict),
    }
}

/// What the exit code means to a merge; a gate that is not settled is never said to pass.
pub(super) const fn exit_meaning(verdict: Verdict, exit_code: u8) -> &'static str {
    match (verdict, exit_code) {
        (Verdict::Inconclusive, 0) => "not settled, and let through by `on_inconclusive: pass`",
        (Verdict::Inconclusive, 1) => "not settled, and blocked for that, as the configuration says",
        _ => code_meaning(exit_code),
    }
}

const fn code_meaning(exit_code: u8) -> &'static str {
    match exit_code {
        0 => "the gate passes",
        1 => "merge is blocked",
        2 => "usage or configuration error",
        3 => "not settled",
        4 => "the measurement failed or is invalid",
        5 => "the verdict stands but could not be posted",
        _ => "unknown exit code",
    }
}

/// What a regression does, as a verb.
pub(super) const fn action(action: Action) -> &'static str {
    match action {
        Action::Block => "blocks",
        Action::Warn => "warns",
        Action::Report => "reports",
    }
}

/// What is asked for.
pub(super) const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Explanation => "explanation",
        Evidence::Profile => "profiling report",
    }
}

/// Counts of answers in order of weight (`1 regression · 1 warning · 3 pass`).
pub(super) fn counts(checks: &[Check]) -> String {
    let words: Vec<&str> = checks.iter().map(|check| check_look(check).word).collect();
    counted(&words)
}

/// The same of the words of answers.
pub(super) fn counted(words: &[&str]) -> String {
    const ORDER: [&str; 8] = [
        Verdict::Regression.name(),
        Verdict::Invalid.name(),
        WARNING,
        Verdict::Inconclusive.name(),
        Verdict::Incomparable.name(),
        Verdict::NoBaseline.name(),
        Verdict::Improvement.name(),
        Verdict::Pass.name(),
    ];
    let parts = ORDER.into_iter().filter_map(|word| {
        let number = words.iter().filter(|other| **other == word).count();
        (number > 0).then(|| format!("{number} {}", plural(word, number)))
    });
    parts.collect::<Vec<_>>().join(" · ")
}

fn plural(word: &str, number: usize) -> String {
    let takes_s = [Verdict::Regression.name(), WARNING, Verdict::Improvement.name()].contains(&word);
    if takes_s && number != 1 {
        format!("{word}s")
    } else {
        word.to_owned()
    }
}

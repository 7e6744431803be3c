//! How a verdict is posted, in flags.

use clap::{ArgAction, Args, ValueEnum};

use super::variable;
use crate::{
    commands::{
        CommandError,
        guard::Guard,
        post::{FailOn, When, Wish},
    },
    github::{Key, Mode, TOKEN_VARIABLE},
};

/// How a verdict is posted.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Posting")]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag")]
pub(super) struct PostArgs {
    /// When a pull request gets its comment; one that is there is always brought up to date.
    #[arg(long, value_enum, default_value_t)]
    comment: WhenArg,
    /// What becomes of the comment that is there.
    #[arg(long, value_enum, default_value_t)]
    comment_mode: ModeArg,
    /// Tells apart the comments and checks of several gates on one pull request.
    #[arg(long, value_name = "KEY", default_value = "default")]
    comment_key: String,
    /// The pull request, where the event does not tell it.
    #[arg(long, value_name = "N")]
    pub(super) pr_number: Option<u64>,
    /// Whether a check run is written, or a commit status where the token may not.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    check_run: bool,
    /// Whether the job summary is written, where there is one.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    summary: bool,
    /// What fails the job; *no baseline* passes all but `inconclusive` [default: the exit code is the verdict's]
    #[arg(long, value_enum)]
    fail_on: Option<FailOnArg>,
    /// Address of the full report, for the comment's last line.
    #[arg(long, value_name = "URL")]
    report_url: Option<String>,
    /// Whether a gate that passes fails where its verdict could not be posted, as `post` does.
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub(super) post_required: bool,
    /// Name of the variable that holds the token.
    #[arg(long, value_name = "NAME", default_value = TOKEN_VARIABLE)]
    pub(super) token_env: String,
    /// Send nothing, and show exactly what would be sent.
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum WhenArg {
    /// Whatever was found.
    #[default]
    Always,
    /// When something was found: anything but a plain pass.
    Changes,
    /// When the merge is blocked, or evidence is owed.
    Regression,
    /// Never.
    Off,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ModeArg {
    /// Its text is replaced, and nobody is told again.
    #[default]
    Update,
    /// It is folded away, and a new one is written.
    Recreate,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOnArg {
    /// A regression and trouble: a wrong configuration, a measurement that failed.
    Regression,
    /// Whatever is not settled, too: inconclusive, incomparable, no baseline, evidence that is owed.
    Inconclusive,
    /// Only trouble.
    Never,
}

impl PostArgs {
    pub(super) const fn is_dry(&self) -> bool {
        self.dry_run
    }

    pub(super) fn fail_on(&self) -> Option<FailOn> {
        self.fail_on.map(|arg| match arg {
            FailOnArg::Regression => FailOn::Regression,
            FailOnArg::Inconclusive => FailOn::Inconclusive,
            FailOnArg::Never => FailOn::Never,
        })
    }

    pub(super) fn wish(&self) -> Result<Wish, CommandError> {
        Ok(Wish {
            comment: match self.comment {
                WhenArg::Always => When::Always,
                WhenArg::Changes => When::Changes,
                WhenArg::Regression => When::Regression,
                WhenArg::Off => When::Off,
            },
            mode: match self.comment_mode {
                ModeArg::Update => Mode::Update,
                ModeArg::Recreate => Mode::Recreate,
            },
            key: Key::parse(&self.comment_key).map_err(|error| CommandError::Usage(error.to_string()))?,
            key_text: self.comment_key.clone(),
            check_run: self.check_run,
            summary: self.summary,
            fail_on: self.fail_on().unwrap_or(FailOn::Regression),
            report_url: self.report_url.clone().filter(|url| !url.is_empty()),
            dry_run: self.dry_run,
        })
    }

    /// Keeps the tokens of this job out of what is sent.
    pub(super) fn guard(&self) -> Guard {
        Guard::of_tokens(variable(&self.token_env), &variable)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        super::flags::{Cli, Verb},
        *,
    };

    fn posting(words: &[&str]) -> PostArgs {
        let words = ["perfgate", "post"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().verb {
            Verb::Post { posting, .. } => *posting,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn posting_has_its_defaults_and_takes_what_the_action_gives() {
        let wish = posting(&[]).wish().unwrap();
        assert!(wish.check_run && wish.summary && !wish.dry_run);
        assert_eq!(
            (wish.comment, wish.mode, wish.fail_on),
            (When::Always, Mode::Update, FailOn::Regression)
        );
        let given = [
            "--check-run=false",
            "--summary=false",
            "--dry-run=true",
            "--comment=off",
            "--fail-on=never",
        ];
        let args = posting(&given);
        let wish = args.wish().unwrap();
        assert!(!wish.check_run && !wish.summary && wish.dry_run);
        assert_eq!(
            (wish.comment, wish.fail_on, args.fail_on()),
            (When::Off, FailOn::Never, Some(FailOn::Never))
        );
        assert!(posting(&["--dry-run"]).is_dry() && !posting(&["--dry-run=false"]).is_dry());
        assert!(posting(&["--comment-key=A b"]).wish().is_err());
    }
}

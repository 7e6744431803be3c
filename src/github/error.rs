//! What a forge refuses, and what to do about it.

/// Why something could not be read from or written to the forge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The token is none.
    #[error("GitHub does not accept the token ({message}); it may have expired, or belong to another server")]
    Token {
        /// GitHub's own words.
        message: String,
    },
    /// The token may not do this.
    #[error(
        "GitHub refuses to {what} ({status}: {message}); the job needs `permissions: {permission}`, which a pull request from a \
         fork gets in a `workflow_run` job only"
    )]
    Permission {
        /// What was tried (`write a comment`).
        what: &'static str,
        /// 403 or 404.
        status: u16,
        /// GitHub's own words.
        message: String,
        /// As it stands in a workflow (`pull-requests: write`).
        permission: &'static str,
    },
    /// Nobody may write to the conversation any more.
    #[error("the conversation of the pull request is locked")]
    Locked,
    /// It is not there, or hidden.
    #[error("GitHub knows no {what}, or the token may not see it")]
    Missing {
        /// What was asked for (`pull request 12 in owner/name`).
        what: String,
    },
    /// Too many requests, and the limit lasts longer than the budget of the retries.
    #[error("GitHub's rate limit lasts {wait_s} s more, longer than the {budget_s} s that are left for retries")]
    RateLimited {
        /// Until it ends.
        wait_s: u64,
        /// What was left.
        budget_s: u64,
    },
    /// GitHub was not reached, or failed itself, until the budget of the retries was used up.
    #[error("could not {what} after {tries} tries: {message}")]
    Unreachable {
        /// What was tried.
        what: &'static str,
        /// How often.
        tries: u32,
        /// The last answer.
        message: String,
    },
    /// The request itself is refused.
    #[error("GitHub refuses to {what} ({status}: {message})")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Status code.
        status: u16,
        /// GitHub's own words.
        message: String,
    },
    /// An answer that is none.
    #[error("GitHub's answer to `{what}` cannot be read: {message}")]
    Answer {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// What stands there is no regular file.
    #[error("`{path}` at commit `{commit}` is a {kind}; it must be a regular file")]
    NoFile {
        /// Its path.
        path: String,
        /// The commit.
        commit: String,
        /// What it is (`symlink`).
        kind: &'static str,
    },
    /// Nothing tells which repository, or with which token.
    #[error("{0}")]
    Setup(String),
}

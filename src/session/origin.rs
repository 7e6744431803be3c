//! Where the measured code comes from, as far as CI or git tell.

/// What asked for a session, and the branch that was measured; what is unknown is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What made CI measure, in its own word (`pull_request`, `push`).
    pub event: Option<String>,
    /// The branch that was checked out.
    pub branch: Option<String>,
    /// The branch that others are merged into.
    pub main_branch: Option<String>,
}

impl Origin {
    /// Whether a pull request (at GitLab: a merge request) asked for it.
    pub fn is_of_a_pull_request(&self) -> bool {
        let event = self.event.as_deref().unwrap_or_default();
        event.starts_with("pull_request") || event == "merge_request_event"
    }

    /// Why it is not of the main branch, in words; `None` where it is, or nobody knows.
    pub fn not_of_main(&self) -> Option<String> {
        if self.is_of_a_pull_request() {
            let event = self.event.as_deref().unwrap_or_default();
            let branch = self.branch.as_ref();
            let branch = branch.map_or_else(String::new, |branch| format!(", branch `{branch}`"));
            return Some(format!("on a pull request (`{event}`{branch})"));
        }
        let (branch, main) = self.branch.as_ref().zip(self.main_branch.as_ref())?;
        (branch != main).then(|| format!("on the branch `{branch}`, not on `{main}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_main_branch_says_so_and_what_is_unknown_does_not() {
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        for (event, branch, main, expected) in [
            ("", "", "", None),
            ("push", "main", "main", None),
            ("push", "fix", "", None),
            ("schedule", "", "main", None),
            ("push", "fix", "main", Some("on the branch `fix`, not on `main`")),
            ("", "fix", "trunk", Some("on the branch `fix`, not on `trunk`")),
            (
                "pull_request",
                "fix",
                "main",
                Some("on a pull request (`pull_request`, branch `fix`)"),
            ),
            // A fork may call its branch as it likes.
            (
                "pull_request_target",
                "main",
                "main",
                Some("on a pull request (`pull_request_target`, branch `main`)"),
            ),
            (
                "merge_request_event",
                "",
                "",
                Some("on a pull request (`merge_request_event`)"),
            ),
        ] {
            let origin = Origin {
                event: known(event),
                branch: known(branch),
                main_branch: known(main),
            };
            assert_eq!(origin.not_of_main().as_deref(), expected, "{origin:?}");
        }
    }
}

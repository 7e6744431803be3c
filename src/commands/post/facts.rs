//! What is known for sure about the job that measured: from the event that the runner hands over, never from the result.

use crate::{
    github::{Event, Head, Pull},
    session::Provenance,
};

/// What is known for sure; nothing is outside of GitHub's runners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the result must say of itself.
    pub known: Provenance,
    /// The commit that the verdict is about, and whose it is.
    pub head: Option<Head>,
    /// The pull request, where the event names it.
    pub pull: Option<u64>,
    /// The same in full, where the event holds it.
    pub whole_pull: Option<Pull>,
    /// Commit that the rules come from, where the event tells it.
    pub base_sha: Option<String>,
    /// Whether the commit belongs to a pull request at all.
    pub is_of_a_pull: bool,
    /// Whether another run measured, whose files only claim; the work tree, if there is one, is not the measured one then.
    pub is_of_other_run: bool,
    /// How that run ended, in GitHub's word.
    pub conclusion: Option<String>,
    /// Address of the measuring run.
    pub run_url: Option<String>,
}

impl Facts {
    /// From the event of this job.
    pub fn of(event: Option<&Event>, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        match event {
            None => Self::default(),
            Some(event) if event.run.is_some() => Self::of_other_run(event),
            Some(event) => Self::of_this_run(event, variable),
        }
    }

    fn of_other_run(event: &Event) -> Self {
        let Some(run) = &event.run else { return Self::default() };
        let is_of_a_pull = run.event.starts_with("pull_request");
        let pull = run.pull.as_ref().filter(|_| is_of_a_pull);
        Self {
            known: Provenance {
                repository: event.repository.clone(),
                run_id: Some(run.id),
                run_attempt: Some(run.attempt),
                event: Some(run.event.clone()),
                head_sha: Some(run.head.sha.clone()),
                ..Provenance::default()
            },
            pull: pull.map(|pull| pull.number),
            // Of a push the rules are its own; what a merge queue proposes is not.
            base_sha: match pull {
                Some(pull) => Some(pull.base_sha.clone()),
                None => (!is_of_a_pull && run.event != "merge_group").then(|| run.head.sha.clone()),
            },
            head: Some(run.head.clone()),
            whole_pull: None,
            is_of_a_pull,
            is_of_other_run: true,
            conclusion: run.conclusion.clone(),
            run_url: run.url.clone(),
        }
    }

    /// This run measured, in this job or in one before it.
    fn of_this_run(event: &Event, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| variable(name).filter(|text| !text.is_empty());
        let sha = event.head().map(str::to_owned).or_else(|| given("GITHUB_SHA"));
        let run_id: Option<u64> = given("GITHUB_RUN_ID").and_then(|id| id.parse().ok());
        let server = given("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".into());
        let run_url = event.repository.as_ref().zip(run_id);
        let repository = match &event.pull {
            Some(pull) => pull.head.repository.clone(),
            None => event.repository.clone(),
        };
        Self {
            run_url: run_url.map(|(repository, id)| format!("{server}/{repository}/actions/runs/{id}")),
            known: Provenance {
                repository: event.repository.clone(),
                run_id,
                // An earlier attempt's result is handed on where only the jobs after it run again.
                run_attempt: None,
                event: Some(event.name.clone()),
                head_sha: sha.clone(),
                ..Provenance::default()
            },
            pull: event.pull.as_ref().map(|pull| pull.number),
            base_sha: event.base().map(str::to_owned).or_else(|| sha.clone()),
            head: sha.map(|sha| Head { sha, repository }),
            whole_pull: event.pull.as_deref().cloned(),
            is_of_a_pull: event.pull.is_some(),
            is_of_other_run: false,
            conclusion: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678";
    const BASE: &str = "9f8e7d6c5b4a392817061524334251607f8e9d0c";

    fn variable(name: &str) -> Option<String> {
        (name == "GITHUB_RUN_ID").then(|| "77".into())
    }

    fn facts(name: &str, event: &serde_json::Value) -> Facts {
        let event = Event::parse(event.to_string().as_bytes(), name).unwrap();
        Facts::of(Some(&event), &variable)
    }

    fn other_run(pulls: &serde_json::Value) -> serde_json::Value {
        serde_json::json!({
            "repository": {"full_name": "o/r"},
            "workflow_run": {
                "id": 9, "run_attempt": 2, "event": "pull_request", "conclusion": "success", "head_sha": HEAD,
                "head_repository": {"full_name": "fork/r"}, "pull_requests": pulls, "html_url": "https://github.com/o/r/actions/runs/9"
            }
        })
    }

    #[test]
    fn a_fork_is_known_by_head_and_repository_and_by_no_number() {
        let facts = facts("workflow_run", &other_run(&serde_json::json!([])));
        let head = Head {
            sha: HEAD.into(),
            repository: Some("fork/r".into()),
        };
        assert_eq!(facts.head, Some(head));
        assert_eq!((facts.pull, facts.base_sha, facts.known.run_id), (None, None, Some(9)));
        assert_eq!((facts.known.run_attempt, facts.is_of_a_pull), (Some(2), true));
    }

    #[test]
    fn of_the_repository_itself_the_event_names_the_pull_request() {
        let pull = |head: &str| serde_json::json!([{"number": 12, "head": {"sha": head}, "base": {"sha": BASE}}]);
        let found = facts("workflow_run", &other_run(&pull(HEAD)));
        assert_eq!((found.pull, found.base_sha.as_deref()), (Some(12), Some(BASE)));
        let found = facts("workflow_run", &other_run(&pull(BASE)));
        assert_eq!((found.pull, found.base_sha), (None, None), "its head is another commit");
    }

    #[test]
    fn a_pull_request_event_knows_its_base_and_its_run() {
        let event = serde_json::json!({
            "repository": {"full_name": "o/r"},
            "pull_request": {"number": 12, "head": {"sha": HEAD, "repo": {"full_name": "o/r"}}, "base": {"sha": BASE}}
        });
        let facts = facts("pull_request", &event);
        assert_eq!((facts.pull, facts.base_sha.as_deref()), (Some(12), Some(BASE)));
        assert_eq!(facts.known.run_id, Some(77));
        assert_eq!(facts.run_url.as_deref(), Some("https://github.com/o/r/actions/runs/77"));
    }

    #[test]
    fn a_merge_queue_and_a_push_have_no_pull_request() {
        let event = serde_json::json!({"merge_group": {"head_sha": HEAD, "base_sha": BASE}});
        let queue = facts("merge_group", &event);
        assert_eq!(
            (queue.pull, queue.is_of_a_pull, queue.base_sha.as_deref()),
            (None, false, Some(BASE))
        );
        let push = facts("push", &serde_json::json!({"after": HEAD}));
        assert_eq!(
            (push.base_sha.as_deref(), push.known.head_sha.as_deref()),
            (Some(HEAD), Some(HEAD))
        );
        assert_eq!(Facts::of(None, &variable), Facts::default());
    }
}

//! A git repository in a scratch folder, and the files of a CI job beside it.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use perfgate::{
    commands::{
        CommandError,
        trust::{self, Asked, Rules},
    },
    config::Overrides,
    git::Repository,
};
use tempfile::TempDir;

/// A repository with the branch `main`.
pub(crate) struct Repo {
    folder: TempDir,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("repo")).unwrap();
        let repo = Self { folder };
        repo.git(&["init", "--quiet", "--initial-branch", "main"]);
        repo
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("repo")
    }

    /// A path beside the repository, not in it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(["-c", "user.name=Alice", "-c", "user.email=alice@example.com"])
            .args(["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"])
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits all that stands in the work tree.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The rules of a ref, as a gate reads them that runs in the repository.
    pub(crate) fn rules_at(&self, name: &str) -> Result<Rules, CommandError> {
        self.rules_with(name, &Overrides::new())
    }

    pub(crate) fn rules_with(&self, name: &str, flags: &Overrides) -> Result<Rules, CommandError> {
        let asked = Asked {
            config: None,
            variable: &|_| None,
            flags,
        };
        trust::at_ref(&Repository::open(&self.path()).unwrap(), name, &self.path(), &asked)
    }

    /// The event of a pull request from the commit that is checked out.
    pub(crate) fn pull_event(&self, base: &str, body: &str) -> PathBuf {
        let head = self.git(&["rev-parse", "HEAD"]);
        let event = serde_json::json!({
            "repository": {"full_name": "owner/name", "default_branch": "main"},
            "pull_request": {
                "number": 7, "state": "open", "body": body, "user": {"login": "bob", "type": "User"},
                "base": {"sha": base, "ref": "main"},
                "head": {"sha": head, "ref": "topic", "repo": {"full_name": "fork/name"}},
            },
        });
        self.event(&event)
    }

    /// The event of a push to a branch.
    pub(crate) fn push_event(&self) -> PathBuf {
        let event = serde_json::json!({
            "repository": {"full_name": "owner/name", "default_branch": "main"},
            "after": self.git(&["rev-parse", "HEAD"]),
        });
        self.event(&event)
    }

    fn event(&self, event: &serde_json::Value) -> PathBuf {
        let path = self.beside("event.json");
        fs::write(&path, event.to_string()).unwrap();
        path
    }
}

/// Makes a command one of a CI job.
pub(crate) fn in_job(command: &mut Command, event: &str, git_ref: &str, file: &Path) {
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_EVENT_PATH", file)
        .env("GITHUB_REF", git_ref)
        .env("GITHUB_REPOSITORY", "owner/name")
        .env("GITHUB_RUN_ID", "4711")
        .env("GITHUB_RUN_ATTEMPT", "2")
        .env("GITHUB_ACTOR", "bob");
}

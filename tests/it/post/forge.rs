//! A forge in memory: what was asked of it, and what stands there afterwards.

use std::collections::BTreeMap;

use perfgate::github::{CheckRun, Comment, Compared, FileChange, Forge, ForgeError, Head, Login, Pull, State, Status};

/// The commit that was measured.
pub(crate) const HEAD: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678";
/// The tip of the base branch.
pub(crate) const BASE: &str = "9f8e7d6c5b4a392817061524334251607f8e9d0c";
/// Another commit.
pub(crate) const LATER: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c";

/// A repository with one pull request from a fork.
pub(crate) struct Memory {
    pub(crate) pulls: Vec<Pull>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) checks: Vec<CheckRun>,
    pub(crate) statuses: Vec<Status>,
    /// Files by commit and path.
    pub(crate) files: BTreeMap<(String, String), Vec<u8>>,
    /// One name for each request.
    pub(crate) requests: Vec<&'static str>,
    /// Calls that fail.
    pub(crate) refused: Vec<(&'static str, ForgeError)>,
    /// What the head brings, where the forge can tell.
    pub(crate) compared: Option<Compared>,
    /// What the pull request's head becomes after it was read once.
    pub(crate) moves_to: Option<&'static str>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let pull = Pull {
            number: 12,
            state: State::Open,
            is_locked: false,
            head: Head {
                sha: HEAD.into(),
                repository: Some("fork/r".into()),
            },
            base_sha: BASE.into(),
            base_branch: "main".into(),
            author: person("mallory"),
            body: "no text".into(),
            labels: Vec::new(),
        };
        Self {
            pulls: vec![pull],
            comments: Vec::new(),
            checks: Vec::new(),
            statuses: Vec::new(),
            files: BTreeMap::new(),
            requests: Vec::new(),
            refused: Vec::new(),
            compared: None,
            moves_to: None,
        }
    }

    pub(crate) fn with_file(mut self, commit: &str, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert((commit.into(), path.into()), text.into());
        self
    }

    /// The one comment of ours.
    pub(crate) fn comment(&self) -> &str {
        let own: Vec<&Comment> = self.comments.iter().filter(|comment| comment.author == bot()).collect();
        assert_eq!(own.len(), 1, "{own:?}");
        &own[0].body
    }

    pub(crate) fn say(&mut self, author: &str, body: &str) {
        let id = self.comments.len() as u64 + 1;
        self.comments.push(comment(id, person(author), body));
    }

    fn ask(&mut self, what: &'static str) -> Result<(), ForgeError> {
        self.requests.push(what);
        match self.refused.iter().find(|(name, _)| *name == what) {
            Some((_, error)) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

pub(crate) fn bot() -> Login {
    Login {
        name: "github-actions[bot]".into(),
        is_bot: true,
    }
}

fn person(name: &str) -> Login {
    Login {
        name: name.into(),
        is_bot: false,
    }
}

fn comment(id: u64, author: Login, body: &str) -> Comment {
    Comment {
        id,
        node_id: format!("IC_{id}"),
        author,
        body: body.into(),
        is_minimized: false,
        url: format!("https://github.com/o/r/pull/12#issuecomment-{id}"),
    }
}

impl Forge for Memory {
    fn myself(&mut self) -> Result<Login, ForgeError> {
        Ok(bot())
    }

    fn pull(&mut self, number: u64) -> Result<Pull, ForgeError> {
        self.ask("pull")?;
        let found = self.pulls.iter_mut().find(|pull| pull.number == number);
        let pull = found.ok_or_else(|| ForgeError::Missing {
            what: format!("pull request {number}"),
        })?;
        if let Some(sha) = self.moves_to.take() {
            pull.head.sha = sha.into();
        }
        Ok(pull.clone())
    }

    fn pulls_of(&mut self, head: &Head) -> Result<Vec<Pull>, ForgeError> {
        self.ask("pulls_of")?;
        Ok(self.pulls.iter().filter(|pull| pull.head == *head).cloned().collect())
    }

    fn comments(&mut self, _: u64) -> Result<Vec<Comment>, ForgeError> {
        self.ask("comments")?;
        Ok(self.comments.clone())
    }

    fn create_comment(&mut self, _: u64, body: &str) -> Result<Comment, ForgeError> {
        self.ask("create_comment")?;
        let new = comment(self.comments.len() as u64 + 1, bot(), body);
        self.comments.push(new.clone());
        Ok(new)
    }

    fn update_comment(&mut self, id: u64, body: &str) -> Result<Comment, ForgeError> {
        self.ask("update_comment")?;
        let old = self.comments.iter_mut().find(|comment| comment.id == id).unwrap();
        body.clone_into(&mut old.body);
        Ok(old.clone())
    }

    fn delete_comment(&mut self, id: u64) -> Result<(), ForgeError> {
        self.ask("delete_comment")?;
        self.comments.retain(|comment| comment.id != id);
        Ok(())
    }

    fn minimize_comment(&mut self, comment: &Comment) -> Result<(), ForgeError> {
        self.ask("minimize_comment")?;
        let old = self.comments.iter_mut().find(|old| old.id == comment.id).unwrap();
        old.is_minimized = true;
        Ok(())
    }

    fn create_check(&mut self, check: &CheckRun) -> Result<u64, ForgeError> {
        self.ask("create_check")?;
        self.checks.push(check.clone());
        Ok(self.checks.len() as u64)
    }

    fn set_status(&mut self, status: &Status) -> Result<(), ForgeError> {
        self.ask("set_status")?;
        self.statuses.push(status.clone());
        Ok(())
    }

    fn file(&mut self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, ForgeError> {
        self.ask("file")?;
        Ok(self.files.get(&(commit.to_owned(), path.to_owned())).cloned())
    }

    fn folder(&mut self, path: &str, commit: &str) -> Result<Vec<String>, ForgeError> {
        self.ask("folder")?;
        let inside = |(own, file): &&(String, String)| own == commit && file.starts_with(&format!("{path}/"));
        Ok(self.files.keys().filter(inside).map(|(_, file)| file.clone()).collect())
    }

    /// Files that differ between the two commits; the head forked from the base.
    fn compared(&mut self, base: &str, head: &str) -> Result<Compared, ForgeError> {
        self.ask("compared")?;
        let of = |commit: &str| {
            let own = self.files.iter().filter(move |((at, _), _)| at == commit);
            own.map(|((_, path), bytes)| (path.clone(), bytes.clone()))
                .collect::<BTreeMap<_, _>>()
        };
        let (old, new) = (of(base), of(head));
        let changed = new.iter().filter(|(path, bytes)| old.get(*path) != Some(bytes));
        let files = changed.map(|(path, _)| FileChange {
            path: path.clone(),
            is_removed: false,
            patch: Some("@@ -1 +1 @@\n-old\n+new".into()),
        });
        Ok(self.compared.clone().unwrap_or(Compared {
            fork: base.into(),
            files: files.collect(),
            ..Compared::default()
        }))
    }
}

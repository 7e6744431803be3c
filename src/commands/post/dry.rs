//! Nothing is sent: what would be is told, line by line, and what is there is still read.

use crate::github::{CheckRun, Comment, Compared, Forge, ForgeError, Head, Login, Pull, State, Status};

/// A forge that only listens.
pub(super) struct Dry<'a> {
    inner: Option<&'a mut dyn Forge>,
    /// The pull request of the event, where there is no forge to ask.
    known: Option<Pull>,
    /// What would be sent.
    pub(super) would: Vec<String>,
}

impl<'a> Dry<'a> {
    /// Reads from this one, or knows only the event's pull request.
    pub(super) fn over(inner: Option<&'a mut dyn Forge>, known: Option<Pull>) -> Self {
        Self {
            inner,
            known,
            would: Vec::new(),
        }
    }

    /// Each line of a text behind a bar: none of them is a line of our own.
    fn tell(&mut self, what: String, text: &str) {
        self.would.push(what);
        self.would.extend(text.lines().map(|line| format!("| {line}")));
    }

    fn comment(id: u64, body: &str) -> Comment {
        Comment {
            id,
            node_id: String::new(),
            author: nobody(),
            body: body.to_owned(),
            is_minimized: false,
            url: String::new(),
        }
    }
}

fn nobody() -> Login {
    Login {
        name: "dry-run".into(),
        is_bot: true,
    }
}

impl Forge for Dry<'_> {
    fn myself(&mut self) -> Result<Login, ForgeError> {
        self.inner.as_mut().map_or_else(|| Ok(nobody()), |inner| inner.myself())
    }

    fn is_mine(&mut self, author: &Login) -> Result<bool, ForgeError> {
        self.inner.as_mut().map_or(Ok(true), |inner| inner.is_mine(author))
    }

    fn pull(&mut self, number: u64) -> Result<Pull, ForgeError> {
        if let Some(inner) = &mut self.inner {
            return inner.pull(number);
        }
        let known = self.known.clone().filter(|pull| pull.number == number);
        known.ok_or_else(|| ForgeError::Missing {
            what: format!("pull request {number}, as nobody was asked"),
        })
    }

    fn pulls_of(&mut self, head: &Head) -> Result<Vec<Pull>, ForgeError> {
        if let Some(inner) = &mut self.inner {
            return inner.pulls_of(head);
        }
        let known = self.known.clone().ok_or_else(|| {
            ForgeError::Setup(
                "the event does not tell the pull request, and there is no token to ask the forge with".into(),
            )
        })?;
        let is_open = |pull: &Pull| pull.head == *head && pull.state == State::Open;
        Ok(Some(known).filter(is_open).into_iter().collect())
    }

    fn comments(&mut self, pull: u64) -> Result<Vec<Comment>, ForgeError> {
        self.inner
            .as_mut()
            .map_or_else(|| Ok(Vec::new()), |inner| inner.comments(pull))
    }

    fn create_comment(&mut self, pull: u64, body: &str) -> Result<Comment, ForgeError> {
        self.tell(format!("would write a comment on pull request {pull}:"), body);
        // Above all that are there: none of those is taken for a younger one.
        Ok(Self::comment(u64::MAX, body))
    }

    fn update_comment(&mut self, id: u64, body: &str) -> Result<Comment, ForgeError> {
        self.tell(format!("would replace the text of comment {id}:"), body);
        Ok(Self::comment(id, body))
    }

    fn delete_comment(&mut self, id: u64) -> Result<(), ForgeError> {
        self.would.push(format!("would delete comment {id}"));
        Ok(())
    }

    fn minimize_comment(&mut self, comment: &Comment) -> Result<(), ForgeError> {
        self.would
            .push(format!("would fold comment {} away as outdated", comment.id));
        Ok(())
    }

    fn create_check(&mut self, check: &CheckRun) -> Result<u64, ForgeError> {
        let CheckRun {
            name, head_sha, title, ..
        } = check;
        let what = format!(
            "would write check run `{name}` on `{head_sha}`: {:?}, {title}",
            check.conclusion
        );
        self.tell(what, &check.summary);
        for annotation in &check.annotations {
            self.would.push(format!(
                "would annotate `{}` line {} ({:?}): {}: {}",
                annotation.path, annotation.line, annotation.level, annotation.title, annotation.message
            ));
        }
        Ok(0)
    }

    fn set_status(&mut self, status: &Status) -> Result<(), ForgeError> {
        let Status {
            context,
            sha,
            description,
            ..
        } = status;
        let what = format!(
            "would write status `{context}` on `{sha}`: {:?}, {description}",
            status.conclusion
        );
        self.would.push(what);
        Ok(())
    }

    fn file(&mut self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, ForgeError> {
        match &mut self.inner {
            Some(inner) => inner.file(path, commit),
            None => Err(unasked(path, commit)),
        }
    }

    fn folder(&mut self, path: &str, commit: &str) -> Result<Vec<String>, ForgeError> {
        match &mut self.inner {
            Some(inner) => inner.folder(path, commit),
            None => Err(unasked(path, commit)),
        }
    }

    fn compared(&mut self, base: &str, head: &str) -> Result<Compared, ForgeError> {
        match &mut self.inner {
            Some(inner) => inner.compared(base, head),
            None => Err(unasked("its history", head)),
        }
    }
}

fn unasked(path: &str, commit: &str) -> ForgeError {
    ForgeError::Setup(format!(
        "`{path}` of commit `{commit}` is not in this clone, and there is no token to ask the forge with"
    ))
}

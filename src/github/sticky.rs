//! One comment for each key, written once and kept up to date: found by its first line and its author.

use super::{Comment, Forge, ForgeError, limits};

/// Tells the comments of one repository apart (`default`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

/// What becomes of the comment that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its text is replaced, and nobody is told.
    Update,
    /// It is folded away, and a new one is written.
    Recreate,
}

/// The comment as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The comment.
    pub comment: Comment,
    /// What was done.
    pub how: How,
    /// Comments of ours that should be gone and are not.
    pub left_over: Vec<u64>,
}

/// What was done with the comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Written.
    Created,
    /// Replaced.
    Updated,
    /// It says this already.
    Unchanged,
    /// Left as it was, as the text asked.
    Left,
}

impl Key {
    /// Lower-case letters, digits, `.`, `_` and `-`, at most 64, beginning with a letter or digit.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, ForgeError> {
        let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_sign = |byte: u8| is_first(byte) || matches!(byte, b'.' | b'_' | b'-');
        // Two dashes end the marker, which is an HTML comment.
        let fits = text.bytes().next().is_some_and(is_first) && text.bytes().all(is_sign) && !text.contains("--");
        if fits && text.len() <= 64 {
            return Ok(Self(text.into()));
        }
        let text = text.escape_debug();
        Err(ForgeError::Setup(format!(
            "`{text}` is no key of a comment; give letters a-z, digits, `.`, `_` and `-`"
        )))
    }

    /// The comment's first line.
    pub fn marker(&self) -> String {
        format!("<!-- perfgate-llm:v1 key={} -->", self.0)
    }
}

/// Posts a text as the one comment of its key: nobody else's comment is touched, and there is one afterwards, whoever posts beside.
///
/// `text` is made from the comment that stands there, if there is one; `None` leaves that as it is. An update is two requests
/// where the comments fit on one page.
///
/// # Errors
/// The forge refused, or was not reached; [`ForgeError::Locked`] where nobody may comment.
pub fn upsert(
    forge: &mut dyn Forge,
    pull: u64,
    key: &Key,
    mode: Mode,
    text: impl FnOnce(Option<&str>) -> Option<String>,
) -> Result<Option<Posted>, ForgeError> {
    let ours = ours(forge, pull, key)?;
    let current = match mode {
        Mode::Update => ours.first(),
        Mode::Recreate => ours.last(),
    };
    let Some(text) = text(current.map(|comment| comment.body.as_str())) else {
        return Ok(current.cloned().map(|comment| posted(comment, How::Left)));
    };
    let body = marked(key, &text);
    match (mode, current.cloned()) {
        (Mode::Update, Some(comment)) => update(forge, pull, key, &body, comment, &ours).map(Some),
        (Mode::Update, None) => create_one(forge, pull, key, &body).map(Some),
        (Mode::Recreate, _) => recreate(forge, pull, key, &body, ours).map(Some),
    }
}

fn posted(comment: Comment, how: How) -> Posted {
    Posted {
        comment,
        how,
        left_over: Vec::new(),
    }
}

/// Our visible comments of this key, oldest first.
fn ours(forge: &mut dyn Forge, pull: u64, key: &Key) -> Result<Vec<Comment>, ForgeError> {
    let marker = key.marker();
    let mut ours = Vec::new();
    for comment in forge.comments(pull)? {
        let is_marked = comment
            .body
            .lines()
            .next()
            .is_some_and(|line| line.trim_end() == marker);
        if is_marked && !comment.is_minimized && forge.is_mine(&comment.author)? {
            ours.push(comment);
        }
    }
    ours.sort_by_key(|comment| comment.id);
    Ok(ours)
}

fn marked(key: &Key, text: &str) -> String {
    let marker = key.marker();
    let text = text.trim_end();
    let body = match text.strip_prefix(marker.as_str()) {
        Some(rest) if rest.starts_with(['\n', '\r']) => text.to_owned(),
        _ => format!("{marker}\n{text}"),
    };
    limits::cut(&body, limits::COMMENT_BYTES)
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end().lines().eq(other.trim_end().lines())
}

fn update(
    forge: &mut dyn Forge,
    pull: u64,
    key: &Key,
    body: &str,
    comment: Comment,
    ours: &[Comment],
) -> Result<Posted, ForgeError> {
    let mut posted = if is_same(&comment.body, body) {
        posted(comment, How::Unchanged)
    } else {
        match forge.update_comment(comment.id, body) {
            Ok(comment) => posted(comment, How::Updated),
            // Gone since, or not ours after all.
            Err(ForgeError::Missing { .. } | ForgeError::Permission { .. }) => {
                return create_one(forge, pull, key, body);
            }
            Err(error) => return Err(error),
        }
    };
    posted.left_over = remove(forge, ours, posted.comment.id);
    Ok(posted)
}

/// Writes the first comment; where another job wrote one at the same time, the older one stays.
fn create_one(forge: &mut dyn Forge, pull: u64, key: &Key, body: &str) -> Result<Posted, ForgeError> {
    let created = forge.create_comment(pull, body)?;
    // A list may lag behind what was written.
    let all = joined(ours(forge, pull, key)?, created.clone());
    let oldest = all.first().filter(|comment| comment.id < created.id);
    let updated = oldest.and_then(|oldest| forge.update_comment(oldest.id, body).ok());
    let mut posted = match updated {
        Some(oldest) => posted(oldest, How::Updated),
        None => posted(created, How::Created),
    };
    posted.left_over = remove(forge, &all, posted.comment.id);
    Ok(posted)
}

/// Writes a new comment and folds the old ones away; where another job did so at the same time, the newest stays.
fn recreate(forge: &mut dyn Forge, pull: u64, key: &Key, body: &str, old: Vec<Comment>) -> Result<Posted, ForgeError> {
    if let Some(last) = old.last().filter(|last| is_same(&last.body, body)) {
        return Ok(posted(last.clone(), How::Unchanged));
    }
    let created = forge.create_comment(pull, body)?;
    let all = old.into_iter().chain(ours(forge, pull, key)?).collect();
    let mut all = joined(all, created.clone());
    let newest = all.pop().unwrap_or(created);
    let mut posted = posted(newest, How::Created);
    for comment in all {
        if forge.minimize_comment(&comment).is_err() {
            posted.left_over.push(comment.id);
        }
    }
    Ok(posted)
}

/// Comments with one more, each once, by age.
fn joined(mut all: Vec<Comment>, one: Comment) -> Vec<Comment> {
    all.push(one);
    all.sort_by_key(|comment| comment.id);
    all.dedup_by_key(|comment| comment.id);
    all
}

/// Takes all but one away; gives those that could neither be deleted nor folded.
fn remove(forge: &mut dyn Forge, comments: &[Comment], but: u64) -> Vec<u64> {
    let mut left = Vec::new();
    for comment in comments.iter().filter(|comment| comment.id != but) {
        if forge.delete_comment(comment.id).is_err() && forge.minimize_comment(comment).is_err() {
            left.push(comment.id);
        }
    }
    left
}

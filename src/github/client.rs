//! The forge over HTTP: who asks, what is sent again, and what a refusal means.

use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use super::{
    CheckRun, Comment, Compared, Forge, ForgeError, Head, Login, Pull, Repository, Settings, Status,
    answers::{CommentAnswer, PullAnswer, User, read},
    limits,
    retry::{Patience, Tries, Trouble, one_line, said, trouble},
    wire::{Answer, Call, Wire},
};

/// What is tried, and what a job needs for it.
pub(super) struct What {
    pub(super) text: &'static str,
    pub(super) permission: &'static str,
}

pub(super) const READ_PULL: What = what("read the pull request", "pull-requests: read");
pub(super) const FIND_PULL: What = what("find the pull request of a commit", "pull-requests: read");
const READ_COMMENTS: What = what("read the comments", "pull-requests: read");
const CREATE_COMMENT: What = what("write a comment", "pull-requests: write");
const UPDATE_COMMENT: What = what("update a comment", "pull-requests: write");
const DELETE_COMMENT: What = what("delete a comment", "pull-requests: write");
const MINIMIZE: What = what("fold a comment away", "pull-requests: write");
const MYSELF: What = what("tell whose token this is", "metadata: read");
const MINIMIZE_QUERY: &str = "mutation($id:ID!){minimizeComment(input:{subjectId:$id,classifier:OUTDATED})\
    {minimizedComment{isMinimized}}}";
/// Who writes with the token of a job.
const JOB: &str = "github-actions[bot]";

const fn what(text: &'static str, permission: &'static str) -> What {
    What { text, permission }
}

/// Why there is no answer.
pub(super) enum Lost {
    /// Nothing happened.
    Refused(ForgeError),
    /// Something may have happened.
    Unsure(String),
}

impl From<ForgeError> for Lost {
    fn from(error: ForgeError) -> Self {
        Self::Refused(error)
    }
}

/// One repository on GitHub.
pub struct Client {
    wire: Wire,
    pub(super) repository: Repository,
    patience: Patience,
    me: Option<Login>,
    is_app: bool,
    is_job: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.repository)
    }
}

impl Client {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// There are no root certificates.
    pub fn new(settings: &Settings) -> Result<Self, ForgeError> {
        Ok(Self {
            wire: Wire::new(settings)?,
            repository: settings.repository.clone(),
            patience: Patience::new(settings.pace),
            me: None,
            is_app: settings.token.is_app(),
            is_job: settings.token.is_app() && settings.is_in_actions,
        })
    }

    /// A path of the repository's API.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.repository)
    }

    /// Sends what may be sent again, until it is answered.
    pub(super) fn ask(&mut self, what: &What, call: &Call) -> Result<Answer, ForgeError> {
        let mut tries = self.tries();
        loop {
            match self.attempt(what, call, &mut tries) {
                Ok(answer) => return Ok(answer),
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Unsure(message)) => self.wait(what, &mut tries, message)?,
            }
        }
    }

    pub(super) fn tries(&self) -> Tries {
        self.patience.tries()
    }

    /// Sends once, and again only where a limit kept it from having an effect.
    pub(super) fn attempt(&mut self, what: &What, call: &Call, tries: &mut Tries) -> Result<Answer, Lost> {
        loop {
            let is_write = call.method != "GET";
            if is_write {
                let wait = self.patience.before_write();
                self.wire.pause(wait);
            }
            let started = Instant::now();
            let answer = self.wire.send(call);
            tries.count += 1;
            if is_write {
                self.patience.wrote();
            }
            let answer = answer.map_err(|message| {
                self.patience.lost(started.elapsed());
                Lost::Unsure(one_line(&message))
            })?;
            match trouble(&answer, now_s()) {
                None => return judged(what, call, answer),
                Some(Trouble::Limited(limit)) => {
                    self.patience.lost(started.elapsed());
                    let wait = self.patience.wait_for_limit(tries, limit)?;
                    self.wire.pause(wait);
                }
                Some(Trouble::Failed(message)) => {
                    self.patience.lost(started.elapsed());
                    return Err(Lost::Unsure(format!("{} {message}", answer.status)));
                }
            }
        }
    }

    /// Waits after a failure.
    pub(super) fn wait(&mut self, what: &What, tries: &mut Tries, message: String) -> Result<(), ForgeError> {
        let wait = self.patience.wait_after_failure(tries);
        let wait = wait.ok_or(ForgeError::Unreachable {
            what: what.text,
            tries: tries.count,
            message,
        })?;
        self.wire.pause(wait);
        Ok(())
    }

    /// All entries of a list; pages are counted, never followed by the address that an answer gives.
    pub(super) fn pages<T: serde::de::DeserializeOwned>(
        &mut self,
        what: &'static What,
        path: &str,
        mut enough: impl FnMut(&[T]) -> bool,
    ) -> Result<Vec<T>, ForgeError> {
        let mut all = Vec::new();
        for page in 1..=limits::MAX_PAGES {
            let mark = if path.contains('?') { '&' } else { '?' };
            let call = Call::get(format!("{path}{mark}per_page={}&page={page}", limits::PER_PAGE));
            let answer = self.ask(what, &call)?;
            let entries: Vec<T> = read(what.text, &answer)?;
            let has_next = match &answer.link {
                Some(link) => link.contains("rel=\"next\""),
                None => entries.len() >= limits::PER_PAGE,
            };
            let is_enough = enough(&entries);
            all.extend(entries);
            if !has_next || is_enough {
                return Ok(all);
            }
        }
        Err(ForgeError::Answer {
            what: what.text,
            message: format!("more than {} pages", limits::MAX_PAGES),
        })
    }

    fn graphql(&mut self, what: &What, query: &str, variables: &Value) -> Result<Value, ForgeError> {
        let answer = self.ask(what, &Call::graphql(query, variables))?;
        let mut value: Value = read(what.text, &answer)?;
        let Some(error) = value.get("errors").and_then(|errors| errors.get(0)) else {
            return Ok(value.get_mut("data").map(Value::take).unwrap_or_default());
        };
        let message = one_line(error.get("message").and_then(Value::as_str).unwrap_or_default());
        match error.get("type").and_then(Value::as_str) {
            Some("FORBIDDEN") => Err(permission(what, 403, message)),
            _ => Err(ForgeError::Refused {
                what: what.text,
                status: answer.status,
                message,
            }),
        }
    }

    fn viewer(&mut self) -> Result<Login, ForgeError> {
        let data = self.graphql(&MYSELF, "query{viewer{login}}", &json!({}))?;
        let login = data.pointer("/viewer/login").and_then(Value::as_str);
        let name = login.ok_or_else(|| ForgeError::Answer {
            what: MYSELF.text,
            message: "no login".into(),
        })?;
        Ok(Login {
            name: name.into(),
            is_bot: name.ends_with("[bot]"),
        })
    }

    /// A comment of ours with this text: what a request did whose answer was lost.
    fn written(&mut self, pull: u64, body: &str) -> Result<Option<Comment>, ForgeError> {
        for comment in self.comments(pull)? {
            if comment.body.trim_end() == body.trim_end() && self.is_mine(&comment.author)? {
                return Ok(Some(comment));
            }
        }
        Ok(None)
    }
}

impl Forge for Client {
    fn myself(&mut self) -> Result<Login, ForgeError> {
        if let Some(me) = &self.me {
            return Ok(me.clone());
        }
        let me = if self.is_app {
            self.viewer()?
        } else {
            match self.ask(&MYSELF, &Call::get("/user".into())) {
                Ok(answer) => read::<User>(MYSELF.text, &answer)?.into(),
                // An app's token that does not look like one.
                Err(ForgeError::Permission { .. }) => self.viewer()?,
                Err(error) => return Err(error),
            }
        };
        Ok(self.me.insert(me).clone())
    }

    /// Without a request where the answer is plain: people are no apps, and a job's token writes as `github-actions[bot]`, which
    /// only workflows of this repository can be.
    fn is_mine(&mut self, author: &Login) -> Result<bool, ForgeError> {
        if self.me.is_none() {
            if self.is_app && !author.is_bot {
                return Ok(false);
            }
            if self.is_job && author.is_bot && author.name == JOB {
                return Ok(true);
            }
        }
        let me = self.myself()?;
        Ok(me.is_bot == author.is_bot && me.name.eq_ignore_ascii_case(&author.name))
    }

    fn pull(&mut self, number: u64) -> Result<Pull, ForgeError> {
        let call = Call::get(self.path(&format!("pulls/{number}")));
        let answer = self.ask(&READ_PULL, &call)?;
        Ok(read::<PullAnswer>(READ_PULL.text, &answer)?.into())
    }

    fn pulls_of(&mut self, head: &Head) -> Result<Vec<Pull>, ForgeError> {
        self.open_pulls_of(head)
    }

    fn comments(&mut self, pull: u64) -> Result<Vec<Comment>, ForgeError> {
        let path = self.path(&format!("issues/{pull}/comments"));
        let all: Vec<CommentAnswer> = self.pages(&READ_COMMENTS, &path, |_| false)?;
        Ok(all.into_iter().map(Comment::from).collect())
    }

    /// Where the answer is lost, the comment is looked for before it is written again: two are worse than none.
    fn create_comment(&mut self, pull: u64, body: &str) -> Result<Comment, ForgeError> {
        let path = self.path(&format!("issues/{pull}/comments"));
        let call = Call::with("POST", path, json!({"body": body}));
        let mut tries = self.tries();
        loop {
            match self.attempt(&CREATE_COMMENT, &call, &mut tries) {
                Ok(answer) => {
                    let comment: Comment = read::<CommentAnswer>(CREATE_COMMENT.text, &answer)?.into();
                    self.me = Some(comment.author.clone());
                    return Ok(comment);
                }
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Unsure(message)) => {
                    self.wait(&CREATE_COMMENT, &mut tries, message)?;
                    if let Some(comment) = self.written(pull, body)? {
                        return Ok(comment);
                    }
                }
            }
        }
    }

    fn update_comment(&mut self, id: u64, body: &str) -> Result<Comment, ForgeError> {
        let path = self.path(&format!("issues/comments/{id}"));
        let answer = self.ask(&UPDATE_COMMENT, &Call::with("PATCH", path, json!({"body": body})))?;
        Ok(read::<CommentAnswer>(UPDATE_COMMENT.text, &answer)?.into())
    }

    fn delete_comment(&mut self, id: u64) -> Result<(), ForgeError> {
        let call = Call {
            method: "DELETE",
            ..Call::get(self.path(&format!("issues/comments/{id}")))
        };
        match self.ask(&DELETE_COMMENT, &call) {
            Ok(_) | Err(ForgeError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn minimize_comment(&mut self, comment: &Comment) -> Result<(), ForgeError> {
        let data = self.graphql(&MINIMIZE, MINIMIZE_QUERY, &json!({"id": comment.node_id}))?;
        match data.pointer("/minimizeComment/minimizedComment/isMinimized") {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(ForgeError::Answer {
                what: MINIMIZE.text,
                message: "the comment is not folded".into(),
            }),
        }
    }

    fn create_check(&mut self, check: &CheckRun) -> Result<u64, ForgeError> {
        self.write_check(check)
    }

    fn set_status(&mut self, status: &Status) -> Result<(), ForgeError> {
        self.write_status(status)
    }

    fn file(&mut self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, ForgeError> {
        self.read_file(path, commit)
    }

    fn folder(&mut self, path: &str, commit: &str) -> Result<Vec<String>, ForgeError> {
        self.list_folder(path, commit)
    }

    fn compared(&mut self, base: &str, head: &str) -> Result<Compared, ForgeError> {
        self.compare(base, head)
    }
}

fn permission(what: &What, status: u16, message: String) -> ForgeError {
    ForgeError::Permission {
        what: what.text,
        status,
        message,
        permission: what.permission,
    }
}

/// The answer, or what its refusal means.
fn judged(what: &What, call: &Call, answer: Answer) -> Result<Answer, Lost> {
    let status = answer.status;
    // GitHub hides from a token what it may not write.
    let hides = what.permission.ends_with("write") && !what.permission.starts_with("pull-requests");
    Err(Lost::Refused(match status {
        200..=299 => return Ok(answer),
        401 => ForgeError::Token { message: said(&answer) },
        403 if call.path.contains("/comments") && said(&answer).contains("locked") => ForgeError::Locked,
        403 => permission(what, status, said(&answer)),
        404 if hides => permission(what, status, said(&answer)),
        404 | 410 => ForgeError::Missing {
            what: format!("`{}`", call.path),
        },
        _ => ForgeError::Refused {
            what: what.text,
            status,
            message: said(&answer),
        },
    }))
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

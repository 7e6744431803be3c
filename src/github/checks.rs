//! The check run of a verdict, and the commit status of those who may write no check run.

use serde_json::{Value, json};

use super::{
    Annotation, CheckRun, Client, Conclusion, Forge, ForgeError, Level, Status,
    answers::{CheckAnswer, ChecksAnswer, read},
    client::{Lost, What},
    contents::{commit, encoded},
    limits,
    wire::Call,
};

const WRITE_CHECK: What = What {
    text: "write a check run",
    permission: "checks: write",
};
const WRITE_STATUS: What = What {
    text: "write a commit status",
    permission: "statuses: write",
};

/// How a commit was told its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// By a check run with this id.
    Check(u64),
    /// By a commit status, since this stood in a check run's way.
    Status(ForgeError),
}

/// Writes a check run; where the token may not (only apps may, a job's token among them), the commit status instead.
///
/// # Errors
/// Neither could be written; the error is the check run's.
pub fn tell(forge: &mut dyn Forge, check: &CheckRun, instead: &Status) -> Result<Told, ForgeError> {
    match forge.create_check(check) {
        Ok(id) => Ok(Told::Check(id)),
        Err(refusal @ ForgeError::Permission { .. }) => match forge.set_status(instead) {
            Ok(()) => Ok(Told::Status(refusal)),
            Err(_) => Err(refusal),
        },
        Err(error) => Err(error),
    }
}

impl Client {
    /// The check run with its first annotations, then the rest of them.
    pub(super) fn write_check(&mut self, check: &CheckRun) -> Result<u64, ForgeError> {
        commit(&check.head_sha)?;
        let (first, rest) = check
            .annotations
            .split_at(check.annotations.len().min(limits::ANNOTATIONS_PER_REQUEST));
        let id = self.start_check(check, first)?;
        let mut written = first.len();
        for more in rest.chunks(limits::ANNOTATIONS_PER_REQUEST) {
            written += more.len();
            self.append(id, check, more, written)?;
        }
        Ok(id)
    }

    fn start_check(&mut self, check: &CheckRun, annotations: &[Annotation]) -> Result<u64, ForgeError> {
        let mark = format!("perfgate-{:016x}", super::retry::random());
        let mut body = json!({
            "name": check.name,
            "head_sha": check.head_sha,
            "external_id": mark,
            "status": "completed",
            "conclusion": conclusion(check.conclusion),
            "output": output(check, annotations),
        });
        if let (Some(url), Some(body)) = (&check.details_url, body.as_object_mut()) {
            body.insert("details_url".into(), json!(url));
        }
        let call = Call::with("POST", self.path("check-runs"), body);
        let mut tries = self.tries();
        loop {
            match self.attempt(&WRITE_CHECK, &call, &mut tries) {
                Ok(answer) => return Ok(read::<CheckAnswer>(WRITE_CHECK.text, &answer)?.id),
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Unsure(message)) => {
                    self.wait(&WRITE_CHECK, &mut tries, message)?;
                    if let Some(id) = self.started(check, &mark)? {
                        return Ok(id);
                    }
                }
            }
        }
    }

    /// The check run that a request made whose answer was lost.
    fn started(&mut self, check: &CheckRun, mark: &str) -> Result<Option<u64>, ForgeError> {
        let (sha, name) = (&check.head_sha, encoded(&check.name));
        let path = self.path(&format!(
            "commits/{sha}/check-runs?check_name={name}&per_page={}",
            limits::PER_PAGE
        ));
        let answer = self.ask(&WRITE_CHECK, &Call::get(path))?;
        let all: ChecksAnswer = read(WRITE_CHECK.text, &answer)?;
        let ours = |run: &&CheckAnswer| run.external_id.as_deref() == Some(mark);
        Ok(all.check_runs.iter().find(ours).map(|run| run.id))
    }

    /// Further annotations; each request adds its own, so that one whose answer is lost must not be sent again unseen.
    fn append(&mut self, id: u64, check: &CheckRun, more: &[Annotation], after: usize) -> Result<(), ForgeError> {
        let path = self.path(&format!("check-runs/{id}"));
        let call = Call::with("PATCH", path.clone(), json!({"output": output(check, more)}));
        let mut tries = self.tries();
        loop {
            match self.attempt(&WRITE_CHECK, &call, &mut tries) {
                Ok(_) => return Ok(()),
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Unsure(message)) => {
                    self.wait(&WRITE_CHECK, &mut tries, message)?;
                    let answer = self.ask(&WRITE_CHECK, &Call::get(path.clone()))?;
                    let now: CheckAnswer = read(WRITE_CHECK.text, &answer)?;
                    if now.output.annotations_count >= after {
                        return Ok(());
                    }
                }
            }
        }
    }

    pub(super) fn write_status(&mut self, status: &Status) -> Result<(), ForgeError> {
        let sha = commit(&status.sha)?;
        let mut body = json!({
            "state": state(status.conclusion),
            "context": status.context,
            "description": limits::short(&status.description, limits::STATUS_CHARS),
        });
        if let (Some(url), Some(body)) = (&status.target_url, body.as_object_mut()) {
            body.insert("target_url".into(), json!(url));
        }
        let call = Call::with("POST", self.path(&format!("statuses/{sha}")), body);
        // The last status of a context counts: written twice is written once.
        self.ask(&WRITE_STATUS, &call).map(drop)
    }
}

fn output(check: &CheckRun, annotations: &[Annotation]) -> Value {
    // Counted in bytes, which is never more than GitHub takes in characters.
    json!({
        "title": limits::short(&check.title, limits::TITLE_CHARS),
        "summary": limits::cut(&check.summary, limits::CHECK_SUMMARY_CHARS),
        "annotations": annotations.iter().map(annotation).collect::<Vec<_>>(),
    })
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": match annotation.level {
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Failure => "failure",
        },
        "title": limits::short(&annotation.title, limits::TITLE_CHARS),
        "message": limits::cut(&annotation.message, limits::ANNOTATION_BYTES),
    })
}

fn conclusion(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "success",
        Conclusion::Failure => "failure",
        Conclusion::Neutral => "neutral",
        Conclusion::ActionRequired => "action_required",
    }
}

/// A status knows no neutral end; what blocks nothing is a success.
fn state(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success | Conclusion::Neutral => "success",
        Conclusion::Failure => "failure",
        Conclusion::ActionRequired => "pending",
    }
}

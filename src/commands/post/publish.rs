//! The letter on its way: job summary, comment, check run. What fails is told, and keeps nothing else from being posted.

use std::path::{Path, PathBuf};

use super::{
    letter::Letter,
    wish::{When, Wish},
};
use crate::{
    commands::{CommandError, guard::Guard},
    github::{CheckRun, Forge, ForgeError, How, Posted, Pull, Standing, Status, Step, Told, standing, tell, upsert},
    render::{Past, Posting, past_results},
    report::{Check, Report},
    verdict::{Action, Verdict},
};

/// Name of the check.
const CHECK: &str = "perfgate";

/// Where a letter goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The commit that the verdict is about, 40 hex digits.
    pub sha: Option<String>,
    /// Address of the measuring run.
    pub run_url: Option<String>,
    /// What the reader should know before the rest, in sentences.
    pub notices: Vec<String>,
}

/// A verdict as it was judged here, and the folder of its reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// How many checks block.
    pub regressions: u64,
    /// The folder.
    pub folder: PathBuf,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The verdict; `None`: there is none.
    pub outcome: Option<Outcome>,
    /// Number and address of the comment.
    pub comment: Option<(u64, String)>,
    /// What was done, in sentences.
    pub done: Vec<String>,
    /// What could not be posted, and why.
    pub trouble: Vec<String>,
}

/// All that sending takes.
pub(super) struct Office<'a> {
    /// The forge; `None` where nothing can be posted.
    pub forge: Option<&'a mut dyn Forge>,
    /// The runner's files.
    pub step: &'a Step,
    /// What must not be sent.
    pub guard: &'a Guard,
}

/// Sends a letter everywhere it is wished.
pub(super) fn publish(
    letter: Letter<'_>,
    (place, pull): (&Place, Option<&Pull>),
    wish: &Wish,
    office: &mut Office<'_>,
    sent: &mut Sent,
) {
    if wish.summary {
        let told = summarize(letter, place, wish, office);
        sent.note("write the job summary", told);
    }
    if wish.dry_run && pull.is_none() && wish.comment != When::Off {
        let told = letter.markdown(&posting(letter, place, wish, Vec::new()), usize::MAX);
        let told = told.and_then(|body| office.guard.pass("the comment", &body).map(behind_bars));
        sent.note("show the comment", told);
    }
    let Some(forge) = office.forge.as_deref_mut() else {
        return;
    };
    if let Some(pull) = pull.filter(|_| wish.comment != When::Off) {
        match comment(letter, place, wish, (&mut *forge, pull), office.guard) {
            Err(CommandError::Forge(ForgeError::Locked)) => {
                sent.done.push("the conversation is locked: no comment".into());
            }
            Err(error) => sent.note("write the comment", Err(error)),
            // What would be done is told where it is not.
            Ok(_) if wish.dry_run => {}
            Ok(posted) => sent.commented(posted),
        }
    }
    if let Some(sha) = place.sha.as_ref().filter(|_| wish.check_run) {
        let told = check(letter, (place, sha), wish, forge, office.guard);
        let told = if wish.dry_run {
            told.map(|_| String::new())
        } else {
            told
        };
        sent.note("write the check run", told);
    }
}

impl Outcome {
    /// Of a report that was written into a folder.
    pub fn of(report: &Report, folder: &Path) -> Self {
        let blocks = |check: &&Check| check.verdict == Verdict::Regression && check.action == Action::Block;
        Self {
            verdict: report.verdict,
            regressions: report.checks.iter().filter(blocks).count() as u64,
            folder: folder.to_owned(),
        }
    }
}

impl Sent {
    fn note(&mut self, what: &str, done: Result<String, CommandError>) {
        match done {
            Ok(done) if done.is_empty() => {}
            Ok(done) => self.done.push(done),
            Err(error) => self.trouble.push(format!("could not {what}: {}", in_full(&error))),
        }
    }

    fn commented(&mut self, posted: Option<Posted>) {
        let Some(Posted {
            comment,
            how,
            left_over,
        }) = posted
        else {
            return self.done.push("no comment was wished for this verdict".into());
        };
        let what = match how {
            How::Created => "wrote",
            How::Updated => "updated",
            How::Unchanged => "the comment says this already:",
            How::Left => "left a newer comment as it is:",
        };
        self.done.push(
            format!("{what} comment {} {}", comment.id, comment.url)
                .trim_end()
                .to_owned(),
        );
        if !left_over.is_empty() {
            self.done
                .push(format!("comments of ours that could not be removed: {left_over:?}"));
        }
        self.comment = Some((comment.id, comment.url));
    }
}

fn in_full(error: &CommandError) -> String {
    crate::commands::run::in_full(error)
}

/// Asks again right before posting: a pull request that is closed gets no comment, one that moved on is told so.
pub(super) fn stand(number: u64, place: &mut Place, forge: Option<&mut dyn Forge>, sent: &mut Sent) -> Option<Pull> {
    let (forge, sha) = (forge?, place.sha.clone().unwrap_or_default());
    match standing(forge, number, &sha) {
        Ok(Standing::Current(pull)) => Some(pull),
        Ok(Standing::Moved(pull)) => {
            place.notices.push(format!(
                "this is about `{}`, an older commit; the pull request is at `{}` by now",
                short(&sha),
                short(&pull.head.sha)
            ));
            Some(pull)
        }
        Ok(Standing::Closed(_)) => {
            sent.done.push(format!("pull request {number} is closed: no comment"));
            None
        }
        Err(error) => {
            sent.trouble
                .push(format!("could not read pull request {number}: {error}"));
            None
        }
    }
}

/// A text whose lines are none of ours.
fn behind_bars(text: &str) -> String {
    let lines = text.lines().map(|line| format!("\n| {line}"));
    format!(
        "no pull request is known; the comment would be:{}",
        lines.collect::<String>()
    )
}

fn short(sha: &str) -> &str {
    sha.get(..10).unwrap_or(sha)
}

fn posting(letter: Letter<'_>, place: &Place, wish: &Wish, previous: Vec<Past>) -> Posting {
    let measured = letter.measured_unix_s();
    let links = [("HTML report", &wish.report_url), ("run", &place.run_url)];
    let links = links.into_iter().filter_map(|(label, url)| Some((label, url.clone()?)));
    Posting {
        key: wish.key_text.clone(),
        notices: place.notices.clone(),
        links: links.collect(),
        result: place.sha.as_ref().map(|sha| Past {
            sha: sha.clone(),
            measured_unix_s: measured,
            word: letter.word().into(),
        }),
        previous,
    }
}

fn summarize(letter: Letter<'_>, place: &Place, wish: &Wish, office: &Office<'_>) -> Result<String, CommandError> {
    let Some(path) = &office.step.summary else {
        return Ok(String::new());
    };
    let text = letter.markdown(&posting(letter, place, wish, Vec::new()), office.step.summary_room())?;
    let text = office.guard.pass("the job summary", &text)?;
    if wish.dry_run {
        return Ok(format!(
            "would append {} bytes to the job summary `{}`",
            text.len(),
            path.display()
        ));
    }
    Ok(if office.step.summarize(text)? {
        "wrote the job summary".into()
    } else {
        "the job summary is full: nothing was added".into()
    })
}

fn comment(
    letter: Letter<'_>,
    place: &Place,
    wish: &Wish,
    (forge, pull): (&mut dyn Forge, &Pull),
    guard: &Guard,
) -> Result<Option<Posted>, CommandError> {
    let mut refused = None;
    let text = |old: Option<&str>| {
        let past = old.map(past_results).unwrap_or_default();
        // A late verdict on an older commit does not take the place of that on the newest.
        let is_newer = past.first().is_some_and(|past| past.sha == pull.head.sha);
        if is_newer && place.sha.as_ref() != Some(&pull.head.sha) {
            return None;
        }
        if old.is_none() && !letter.begins_a_comment(wish.comment) {
            return None;
        }
        let body = letter.markdown(&posting(letter, place, wish, past), usize::MAX);
        match body.and_then(|body| guard.pass("the comment", &body).map(str::to_owned)) {
            Ok(body) => Some(body),
            Err(error) => {
                refused = Some(error);
                None
            }
        }
    };
    let posted = upsert(forge, pull.number, &wish.key, wish.mode, text);
    match refused {
        Some(error) => Err(error),
        None => Ok(posted?),
    }
}

fn check(
    letter: Letter<'_>,
    (place, sha): (&Place, &str),
    wish: &Wish,
    forge: &mut dyn Forge,
    guard: &Guard,
) -> Result<String, CommandError> {
    let name = match wish.key_text.as_str() {
        "default" => CHECK.to_owned(),
        key => format!("{CHECK} ({key})"),
    };
    let summary = letter.markdown(&posting(letter, place, wish, Vec::new()), usize::MAX)?;
    let (summary, title) = (guard.pass("the check run", &summary)?.to_owned(), letter.title());
    guard.pass("the check run", &title)?;
    let conclusion = letter.conclusion(wish.fail_on);
    let details_url = wish.report_url.clone().or_else(|| place.run_url.clone());
    let check = CheckRun {
        name: name.clone(),
        head_sha: sha.to_owned(),
        conclusion,
        title: title.clone(),
        summary,
        annotations: letter.annotations(),
        details_url: details_url.clone(),
    };
    let status = Status {
        context: name,
        sha: sha.to_owned(),
        conclusion,
        description: title,
        target_url: details_url,
    };
    Ok(match tell(forge, &check, &status)? {
        Told::Check(id) => format!("wrote check run {id} on `{}`: {conclusion:?}", short(sha)),
        Told::Status(why) => format!("wrote a commit status on `{}`, as {why}", short(sha)),
    })
}

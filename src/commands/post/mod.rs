//! `perfgate post`: judges what a job measured by the rules of the base, and tells the pull request.
//!
//! The result may come from a fork: its samples are judged, its claims are compared, and nothing else of it is used.
//!
//! | file | what lives there |
//! |---|---|
//! | `facts.rs` | what is known for sure of the measuring job |
//! | `origin.rs` | which pull request it is, and whose rules hold |
//! | `judge.rs` | from the result and the rules to a letter |
//! | `plan.rs` | whether the right thing was measured |
//! | `pair.rs` | whether a baseline that came with it may be one |
//! | `nothing.rs` | why there is no verdict |
//! | `letter.rs` | what is posted, in every form |
//! | `annotate.rs` | what is said of the configuration's lines |
//! | `publish.rs` | job summary, comment, check |
//! | `dry.rs` | nothing sent |
//! | `wish.rs` | when and how, and what fails the job |

mod annotate;
mod dry;
mod facts;
mod judge;
mod letter;
mod nothing;
mod origin;
mod pair;
mod plan;
mod publish;
mod wish;

use std::path::Path;

use self::{
    dry::Dry,
    judge::{Judged, judged},
    origin::origin,
    publish::{Office, Place, publish, stand},
};
pub use self::{
    facts::Facts,
    letter::Letter,
    nothing::{failed, stopped},
    publish::{Outcome, Sent},
    wish::{FailOn, When, Wish},
};
use super::{
    CommandError, Done,
    guard::Guard,
    present::{self, Screen},
    trust,
};
use crate::{
    github::{Event, Forge, Step},
    render::{self, NoResult},
    report::Report,
};

/// Exit code of a verdict that stands and could not be posted.
pub const UNPOSTED: u8 = 5;

/// What is asked.
pub struct Asked<'a> {
    /// The result, or that there is none, and why.
    pub result: Source<'a>,
    /// The pull request, where whoever runs this names it.
    pub pull: Option<u64>,
    /// What the configuration is asked.
    pub rules: trust::Asked<'a>,
    /// How it is posted.
    pub wish: &'a Wish,
    /// Folder of the reports.
    pub report_dir: &'a Path,
    /// Whether the verdict is told in full; a gate has done so before.
    pub tells: bool,
    /// How terminal text is set.
    pub screen: Screen,
}

/// Where the result comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file that another job or step wrote.
    File(&'a Path),
    /// Nowhere: the measurement failed.
    Nothing(&'a NoResult),
}

/// What posting takes from outside.
pub struct Desk<'a> {
    /// The forge; `None` where it cannot be reached, and why.
    pub forge: Result<&'a mut dyn Forge, String>,
    /// The runner's files.
    pub step: &'a Step,
    /// What must not be sent.
    pub guard: &'a Guard,
}

/// Judges and posts. The exit code is the verdict's, or 5 where it passes and could not be posted.
///
/// # Errors
/// The event cannot be read, it names another pull request, or a report cannot be written.
pub fn post(asked: &Asked<'_>, desk: Desk<'_>) -> Result<(Done, Sent), CommandError> {
    let event = Event::of_this_job(asked.rules.variable)?;
    let facts = Facts::of(event.as_ref(), asked.rules.variable);
    let (forge, unreached) = match desk.forge {
        Ok(forge) => (Some(forge), None),
        Err(why) => (None, Some(why)),
    };
    if !asked.wish.dry_run {
        let (mut done, mut sent) = with_forge(asked, &facts, (forge, desk.step, desk.guard))?;
        let is_wanted = asked.wish.check_run || asked.wish.comment != When::Off;
        if let Some(why) = unreached.filter(|_| is_wanted) {
            sent.trouble.push(why);
        }
        done.exit_code = exit_code(done.exit_code, &sent);
        done.text = told(&done.text, &sent, &[]);
        return Ok((done, sent));
    }
    let mut dry = Dry::over(forge, facts.whole_pull.clone());
    let (mut done, sent) = with_forge(asked, &facts, (Some(&mut dry), desk.step, desk.guard))?;
    done.text = told(&done.text, &sent, &dry.would);
    Ok((done, sent))
}

/// The verdict's own code comes first: a regression that could not be posted is a regression.
fn exit_code(verdict: u8, sent: &Sent) -> u8 {
    if verdict == 0 && !sent.trouble.is_empty() {
        return UNPOSTED;
    }
    verdict
}

fn told(text: &str, sent: &Sent, would: &[String]) -> String {
    let lines = [text.trim_end().to_owned()].into_iter().filter(|text| !text.is_empty());
    let lines = lines.chain(would.iter().cloned());
    let lines = lines.chain(sent.done.iter().map(|line| format!("post: {line}")));
    let lines = lines.chain(sent.trouble.iter().map(|line| format!("post: not posted: {line}")));
    lines.map(|line| render::log_safe(&line) + "\n").collect()
}

type Means<'a> = (Option<&'a mut dyn Forge>, &'a Step, &'a Guard);

fn with_forge(
    asked: &Asked<'_>,
    facts: &Facts,
    (mut forge, step, guard): Means<'_>,
) -> Result<(Done, Sent), CommandError> {
    let mut sent = Sent::default();
    let mut place = Place {
        sha: facts.head.as_ref().map(|head| head.sha.clone()),
        run_url: facts.run_url.clone(),
        ..Place::default()
    };
    let origin = origin(asked, facts, &mut forge, &mut sent)?;
    if place.sha.is_none() {
        place.sha = origin.pull.as_ref().map(|pull| pull.head.sha.clone());
    }
    let rules = judge::rules(asked, facts, &origin.base, again(&mut forge));
    let guard = match &rules {
        Ok(rules) => guard.and(&rules.guard),
        Err(_) => guard.clone(),
    };
    // As late as it can be: what is posted next is about what is there now.
    let pull = origin
        .number
        .and_then(|number| stand(number, &mut place, again(&mut forge), &mut sent));
    let said = pull.as_ref().or(facts.whole_pull.as_ref()).or(origin.pull.as_ref());
    let judged = judged(asked, facts, rules, said);
    let mut office = Office {
        forge: again(&mut forge),
        step,
        guard: &guard,
    };
    let letter = match &judged {
        Judged::Report(report, annotations) => Letter::Report(report, annotations),
        Judged::Nothing(nothing, _) => Letter::Nothing(nothing),
    };
    publish(letter, (&place, pull.as_ref()), asked.wish, &mut office, &mut sent);
    let done = match &judged {
        Judged::Report(report, _) => {
            let done = reported(report, asked, &guard)?;
            sent.outcome = Some(Outcome::of(report, asked.report_dir));
            done
        }
        Judged::Nothing(nothing, exit_code) => {
            // What lies there came with the result, or is of an earlier verdict.
            present::remove_reports(asked.report_dir)?;
            Done {
                text: format!("no verdict: {}\n", nothing.what),
                exit_code: *exit_code,
            }
        }
    };
    Ok((done, sent))
}

/// The forge for a while: its own lifetime stands in the trait object, so that `as_deref_mut` would lend it for good.
fn again<'a>(forge: &'a mut Option<&mut dyn Forge>) -> Option<&'a mut dyn Forge> {
    match forge {
        Some(forge) => Some(&mut **forge),
        None => None,
    }
}

/// The reports of the verdict as it was judged here, over those that came with the result.
fn reported(report: &Report, asked: &Asked<'_>, guard: &Guard) -> Result<Done, CommandError> {
    let text = present::text(report, present::Format::Terminal, asked.screen)?;
    present::write_guarded(report, asked.report_dir, guard)?;
    let text = if asked.tells { guard.pass("the log", &text)? } else { "" };
    Ok(Done {
        text: text.to_owned(),
        exit_code: report.exit_code,
    })
}

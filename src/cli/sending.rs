//! The verbs that post: `post` and `gate --post`.

use std::path::{Path, PathBuf};

use super::{
    args::PlanArgs,
    complain, dispatch,
    flags::Verb,
    forms::FormArgs,
    measuring,
    posting::PostArgs,
    progress::Progress,
    rules,
    screen::{LiveArgs, screen},
    variable,
};
use crate::{
    commands::{
        CommandError, Done, capture, gate,
        gate_file::{self, Given},
        guard::Guard,
        post::{self, Asked, Desk, FailOn, Sent, Source, Wish},
        present::{Format, PROFILE_FILE, REPORT_FILE, RESULT_FILE, Screen},
        report,
        trust::{self, Rules},
    },
    github::{Client, Forge, Settings, Step},
    load::Interrupt,
    plan::Secrets,
    render::NoResult,
    target,
};

/// How a gate shows its measuring and its answer.
#[derive(Clone, Copy)]
struct Shown<'a> {
    /// What was measured already; `None`: it is measured now.
    file: Option<Given<'a>>,
    form: &'a FormArgs,
    live: LiveArgs,
    /// Whether a cell that got worse is profiled.
    profiles: bool,
}

/// What a verb that posts came to: its answer with the verdict's exit code, and what was sent.
type Posted = (Done, Option<Sent>);

/// Runs `post`.
fn post(result: Option<&Path>, posting: &PostArgs, plan: &PlanArgs) -> Result<Posted, CommandError> {
    let folder = report_dir(plan);
    let result = result.map_or_else(|| folder.join(RESULT_FILE), Path::to_owned);
    let guard = posting.guard();
    let by = (posting, plan, &posting.wish()?);
    let (done, sent) = send(Source::File(&result), &folder, &guard, by, false)?;
    Ok((done, Some(sent)))
}

/// Runs `gate`, and posts what came of it where that is asked for; a measurement that failed is posted as such.
fn gate(plan: &PlanArgs, form: Shown<'_>, posting: Option<&PostArgs>) -> Result<Posted, CommandError> {
    let Some(posting) = posting else {
        let rules = rules(plan.config.as_deref(), &plan.overrides)?;
        let measured = measured(&rules, form)?;
        return Ok((measured.later.profiled(measured.done), None));
    };
    // Wishes are read before the measuring starts, so that a bad one costs nothing.
    let wish = posting.wish()?;
    let (folder, rules) = (report_dir(plan), rules(plan.config.as_deref(), &plan.overrides));
    let guard = match &rules {
        Ok(rules) => posting.guard().and(&rules.guard),
        Err(_) => posting.guard(),
    };
    let by = (posting, plan, &wish);
    let unsent = |nothing: NoResult| send(Source::Nothing(&nothing), &folder, &guard, by, true);
    let failed = |error: CommandError| {
        let (told, _) = unsent(post::failed(&error, &logs(plan), &guard))?;
        complain(&told.text);
        Err(error)
    };
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => return failed(error),
    };
    let measured = match measured(&rules, form) {
        Ok(measured) => measured,
        Err(error) => return failed(error),
    };
    let Measured {
        done,
        result,
        logs,
        later,
    } = measured;
    if !result.is_file() {
        let (told, sent) = unsent(post::stopped(&done.text, &logs, &guard))?;
        return Ok((joined(&done, &told, false, posting.post_required), Some(sent)));
    }
    let folder = result.parent().unwrap_or(&folder);
    let (told, sent) = send(Source::File(&result), folder, &guard, by, true)?;
    let done = later.profiled(joined(&done, &told, true, posting.post_required));
    // The verdict is out, whatever became of the profiles; what they tell is added to a comment that is there.
    if sent.comment.is_some() && folder.join(PROFILE_FILE).is_file() {
        let again = wish.for_the_comment_alone();
        if let Err(error) = send(Source::File(&result), folder, &guard, (posting, plan, &again), true) {
            complain(&format!("the comment says nothing of the profiles: {error}"));
        }
    }
    Ok((done, Some(sent)))
}

/// The gate's own answer, then what was posted; the code is that of the verdict as it was posted.
///
/// A gate's task is the verdict: that it could not be posted is a warning, unless it is asked to be more.
fn joined(gate: &Done, told: &Done, is_verdict: bool, is_required: bool) -> Done {
    let code = if is_verdict { told.exit_code } else { gate.exit_code };
    Done {
        text: format!("{}\n{}", gate.text.trim_end(), told.text),
        exit_code: if code == post::UNPOSTED && !is_required {
            0
        } else {
            code
        },
    }
}

/// What a gate measured, judged and wrote.
struct Measured<'a> {
    done: Done,
    /// The result's file.
    result: PathBuf,
    /// The folder of the servers' logs.
    logs: PathBuf,
    later: Later<'a>,
}

/// What comes when the verdict is out: it must not wait for profilers, which may take long, or hang.
struct Later<'a> {
    rules: &'a Rules,
    secrets: Secrets,
    form: (Format, Screen),
    console: Progress,
    interrupt: Interrupt,
    is_wanted: bool,
}

impl Later<'_> {
    /// The same answer, with what was profiled.
    fn profiled(self, done: Done) -> Done {
        if !self.is_wanted {
            return done;
        }
        let with = (self.rules, self.secrets, self.form);
        capture::after_gate(done, with, &self.console, &self.interrupt)
    }
}

/// Measures and judges, and writes the verdict.
fn measured<'a>(rules: &'a Rules, form: Shown<'_>) -> Result<Measured<'a>, CommandError> {
    let resolved = &rules.resolved;
    let secrets = match form.file {
        Some(_) => Secrets::default(),
        None => trust::secrets(resolved, gate::goal(resolved), &variable)?,
    };
    // Read before the measuring starts, so that a bad one costs nothing.
    let template = form.form.template.as_deref();
    let template = template.map(|path| trust::template(path, rules.trusted.as_ref()));
    let template = template.transpose()?;
    let result = gate::report_dir(resolved).join(RESULT_FILE);
    let logs = resolved.settings.output.with_extension("logs");
    let interrupt = Interrupt::on_ctrl_c_then(target::stop_all);
    let (console, screen) = (measuring(resolved, form.live), form.form.screen()?);
    let format = form.form.format.into();
    let done = match form.file {
        Some(given) => gate_file::gate_file(given, rules, (format, screen), &console)?,
        None => gate::gate(rules, secrets.clone(), (format, screen), &console, &interrupt)?,
    };
    let done = match &template {
        Some(template) => report::by_template(done, template, &result.with_file_name(REPORT_FILE), (screen, &console)),
        None => done,
    };
    // What a template of somebody's own makes is no place for more.
    let format = if template.is_some() { Format::Json } else { format };
    let later = Later {
        rules,
        secrets,
        form: (format, screen),
        console,
        interrupt,
        is_wanted: form.profiles,
    };
    Ok(Measured {
        done,
        result,
        logs,
        later,
    })
}

fn logs(plan: &PlanArgs) -> PathBuf {
    PathBuf::from(plan.overrides.text("output").unwrap_or("session.json")).with_extension("logs")
}

fn report_dir(plan: &PlanArgs) -> PathBuf {
    PathBuf::from(plan.overrides.text("report-dir").unwrap_or(gate::DEFAULT_REPORT_DIR))
}

fn send(
    result: Source<'_>,
    report_dir: &Path,
    guard: &Guard,
    (posting, plan, wish): (&PostArgs, &PlanArgs, &Wish),
    is_told: bool,
) -> Result<(Done, Sent), CommandError> {
    let asked = Asked {
        result,
        pull: posting.pr_number,
        rules: trust::Asked {
            config: plan.config.as_deref(),
            variable: &variable,
            flags: &plan.overrides,
        },
        wish,
        report_dir,
        tells: matches!(result, Source::File(_)) && !is_told,
        screen: screen(),
    };
    let step = Step::from_variables(&variable);
    let client = Settings::from_variables(&posting.token_env, variable).and_then(|settings| Client::new(&settings));
    let mut client = client.map_err(|error| error.to_string());
    let forge = client
        .as_mut()
        .map(|client| client as &mut dyn Forge)
        .map_err(|why| why.clone());
    let desk = Desk {
        forge,
        step: &step,
        guard,
    };
    post::post(&asked, desk)
}

/// What a verb came to.
pub(super) struct Ran {
    /// Its answer, with the verdict's exit code.
    pub(super) done: Done,
    /// What was sent, where it posts.
    pub(super) sent: Option<Sent>,
    /// What of it fails the job.
    pub(super) fail_on: Option<FailOn>,
    /// Whether a job that passes has to be told of.
    pub(super) must_post: bool,
}

/// The answer with the exit code that the job has: what is let through must at least be seen.
pub(super) fn of_the_job(ran: Ran) -> Done {
    let code = ran.done.exit_code;
    let code = ran.fail_on.map_or(code, |fail_on| fail_on.exit_code(code));
    let is_unseen = ran.must_post && ran.sent.is_some_and(|sent| !sent.trouble.is_empty());
    Done {
        exit_code: if code == 0 && is_unseen { post::UNPOSTED } else { code },
        ..ran.done
    }
}

/// Runs any verb.
pub(super) fn ran(verb: Verb) -> Result<Ran, CommandError> {
    match verb {
        Verb::Gate {
            file,
            plan,
            form,
            live,
            ab,
            profile_on_regression: profiles,
            post,
            posting,
        } => {
            let file = file.as_deref().map(|file| judged(file, &plan)).transpose()?;
            let form = Shown {
                file,
                form: &form,
                live,
                profiles,
            };
            let posting = posting_of(post, &posting)?;
            let (done, sent) = gate(&with_ab(&plan, ab), form, posting)?;
            Ok(Ran {
                done,
                sent,
                fail_on: posting.and_then(PostArgs::fail_on),
                must_post: posting.is_some_and(|posting| posting.post_required && !posting.is_dry()),
            })
        }
        Verb::Post { result, posting, plan } => {
            let (done, sent) = self::post(result.as_deref(), &posting, &plan)?;
            Ok(Ran {
                done,
                sent,
                fail_on: posting.fail_on(),
                must_post: !posting.is_dry(),
            })
        }
        other => Ok(Ran {
            done: dispatch(other)?,
            sent: None,
            fail_on: None,
            must_post: false,
        }),
    }
}

/// Runs a verb that posts, with the exit code that its job has.
pub(super) fn run(verb: Verb) -> Result<Done, CommandError> {
    Ok(of_the_job(ran(verb)?))
}

/// The wishes of a gate that posts.
fn posting_of(post: bool, posting: &PostArgs) -> Result<Option<&PostArgs>, CommandError> {
    if !post && posting.is_dry() {
        return Err(CommandError::Usage(
            "`--dry-run` is for what is posted; give `--post` too".into(),
        ));
    }
    Ok(post.then_some(posting))
}

/// A file in the place of a measurement, of which no flag can say how it is to be made.
fn judged<'a>(file: &'a Path, plan: &'a PlanArgs) -> Result<Given<'a>, CommandError> {
    if let Some(flag) = plan.measuring_flag() {
        return Err(CommandError::Usage(format!(
            "`--{flag}` is for a measurement, and `{}` was measured already; leave one of both out",
            file.display()
        )));
    }
    Ok(Given {
        file,
        commit: plan.overrides.text("commit"),
    })
}

fn with_ab(plan: &PlanArgs, ab: bool) -> PlanArgs {
    let mut plan = plan.clone();
    if ab {
        plan.overrides.push("measure", "ab");
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_that_is_let_through_and_not_posted_is_exit_5() {
        let job = |code, fail_on, trouble: &[&str], must_post| {
            let sent = Sent {
                trouble: trouble.iter().map(|&trouble| trouble.to_owned()).collect(),
                ..Sent::default()
            };
            let done = Done {
                exit_code: code,
                ..Done::ok("")
            };
            of_the_job(Ran {
                done,
                sent: Some(sent),
                fail_on,
                must_post,
            })
            .exit_code
        };
        for (code, fail_on, trouble, must_post, expected) in [
            (3, Some(FailOn::Regression), &["no"][..], true, 5),
            (3, Some(FailOn::Regression), &["no"], false, 0),
            (3, Some(FailOn::Regression), &[], true, 0),
            (1, Some(FailOn::Never), &["no"], true, 5),
            (1, Some(FailOn::Regression), &["no"], true, 1),
            (3, None, &["no"], true, 3),
            (4, Some(FailOn::Never), &["no"], true, 4),
        ] {
            assert_eq!(
                job(code, fail_on, trouble, must_post),
                expected,
                "{code} {fail_on:?} {trouble:?}"
            );
        }
    }
}

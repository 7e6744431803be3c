//! `perfgate launch slurm`: a batch job with a worker for each shard, from its submission to the session of the whole.

use std::{
    env, fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{
    Order,
    folder::Folder,
    gather::{self, End},
    queue::{self, Job, State},
    script, task_ends,
};
use crate::{
    commands::{CommandError, Console, Done, gone, present::Screen},
    load::Interrupt,
    store,
};

/// Between two looks into the folder, which costs nobody anything.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// Between two questions to Slurm's controller, which many ask: at first, and at last.
const FIRST_QUESTION: Duration = Duration::from_secs(1);
const LAST_QUESTION: Duration = Duration::from_secs(15);
/// So long workers may write down what they have once they were asked to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long a job may take to be over for Slurm that has done all it does.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// Where, and with which options of `sbatch`.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// A folder that all nodes see; `None`: that of the session of the whole.
    pub dir: Option<&'a Path>,
    /// Further options of `sbatch`.
    pub options: &'a [String],
}

/// Cancels the job under way, if any: for who wants this process to end at once.
pub fn cancel_under_way() {
    queue::cancel_under_way();
}

/// The script of the job, which nobody submits.
///
/// # Errors
/// An option that cannot be, or a secret in the plan.
pub fn script(order: &Order<'_>, asked: Asked<'_>) -> Result<String, CommandError> {
    let folder = Folder::new(asked.dir, &order.resolved.settings.output)?;
    script_for(order, asked, &folder)
}

fn script_for(order: &Order<'_>, asked: Asked<'_>, folder: &Folder) -> Result<String, CommandError> {
    let options: Result<Vec<String>, String> = asked.options.iter().map(|text| script::option(text)).collect();
    let options = options.map_err(|problem| CommandError::Usage(format!("--sbatch: {problem}")))?;
    let perfgate = env::current_exe().map_err(|source| CommandError::File {
        what: "find",
        path: "perfgate".into(),
        source,
    })?;
    let text = script::text(order, folder, &options, &perfgate.display().to_string());
    order.guard.pass("the job's script", &text)?;
    Ok(text)
}

/// Submits the job, waits for it, and merges what its workers measured.
///
/// Exit code 0, or 4 where the whole is invalid.
///
/// # Errors
/// The job cannot be submitted, or left nothing that is a whole.
pub fn launch(
    order: &Order<'_>,
    asked: Asked<'_>,
    screen: Screen,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Done, CommandError> {
    let folder = Folder::new(asked.dir, &order.resolved.settings.output)?;
    let text = script_for(order, asked, &folder)?;
    store::claim_output(&order.resolved.settings.output)?;
    folder.make()?;
    let path = folder.path().join("job.sh");
    let job = store::write_bytes(&path, text.as_bytes())
        .map_err(CommandError::from)
        .and_then(|()| Job::submit(&path));
    let job = job.inspect_err(|_| {
        // Nothing but the script is in it.
        let _ = folder.remove();
    })?;
    console.say(&format!(
        "job {} submitted, its files are in `{}`",
        job.id(),
        folder.path().display()
    ));
    let mut watch = Watch::of((order, &folder, &job), console);
    let state = watch.until_over(interrupt);
    console.end();
    queue::leave();
    let is_well = matches!(&state, State::Over(how) if how == "COMPLETED");
    let end = End {
        is_interrupted: interrupt.is_set(),
        job: (!is_well).then(|| match state {
            State::Over(how) => format!("job {}: {how}", job.id()),
            _ => format!("job {}: Slurm knows it no more", job.id()),
        }),
    };
    gather::gather(order, (&folder, &end), screen, console)
}

/// A job that is waited for.
struct Watch<'a> {
    order: &'a Order<'a>,
    folder: &'a Folder,
    job: &'a Job,
    console: &'a dyn Console,
    state: State,
    /// When Slurm is asked next, and how long after that again.
    question: Instant,
    pause: Duration,
    told: String,
    /// When it was seen that the job has done all it does, and when its workers were asked to stop.
    done: Option<Instant>,
    asked_to_stop: Option<Instant>,
    is_deaf: bool,
}

impl<'a> Watch<'a> {
    fn of((order, folder, job): (&'a Order<'a>, &'a Folder, &'a Job), console: &'a dyn Console) -> Self {
        Self {
            order,
            folder,
            job,
            console,
            state: State::Waits(String::new()),
            question: Instant::now(),
            pause: FIRST_QUESTION,
            told: String::new(),
            done: None,
            asked_to_stop: None,
            is_deaf: false,
        }
    }

    fn until_over(&mut self, interrupt: &Interrupt) -> State {
        loop {
            self.ask();
            if matches!(self.state, State::Over(_) | State::Forgotten) {
                return self.state.clone();
            }
            if self.done.is_some_and(|since| since.elapsed() > AFTERWARDS) {
                return State::Forgotten;
            }
            if interrupt.is_set() {
                self.stop();
            }
            self.mark_the_dead();
            self.tell();
            if self.done.is_none() && self.folder.has_ended() {
                self.done = Some(Instant::now());
                self.hurry();
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Asks Slurm, where it is time to.
    fn ask(&mut self) {
        if Instant::now() < self.question {
            return;
        }
        match self.job.look() {
            Ok(state) => self.state = state,
            Err(trouble) if !self.is_deaf => {
                self.is_deaf = true;
                self.console
                    .warn(&format!("squeue does not answer ({trouble}); waiting goes on"));
            }
            Err(_) => {}
        }
        self.question = Instant::now() + self.pause;
        if self.done.is_none() && self.asked_to_stop.is_none() {
            self.pause = (self.pause * 3 / 2).min(LAST_QUESTION);
        }
    }

    fn hurry(&mut self) {
        self.question = Instant::now();
        self.pause = Duration::from_millis(500);
    }

    /// Ctrl-C: workers that run are asked first, and have time to write down what they have.
    fn stop(&mut self) {
        match self.asked_to_stop {
            None => {
                self.console.say("interrupted: the workers are asked to stop");
                let runs = matches!(self.state, State::Runs(_));
                if runs {
                    self.job.interrupt();
                } else if let Err(trouble) = self.job.cancel() {
                    self.console
                        .warn(&format!("job {} may still wait: {trouble}", self.job.id()));
                }
                self.asked_to_stop = Some(Instant::now());
                self.hurry();
            }
            Some(since) if since.elapsed() > PATIENCE => {
                if let Err(trouble) = self.job.cancel() {
                    self.console
                        .warn(&format!("job {} may still run: {trouble}", self.job.id()));
                }
                self.asked_to_stop = Some(Instant::now());
            }
            Some(_) => {}
        }
    }

    /// Workers that could not say themselves that they come no more.
    fn mark_the_dead(&self) {
        let log = fs::read(self.folder.job_log()).unwrap_or_default();
        for (task, how) in task_ends::of(&String::from_utf8_lossy(&log)) {
            if task < self.order.shards {
                gone::say(&self.folder.meeting(), task, &how);
            }
        }
    }

    fn tell(&mut self) {
        let id = self.job.id();
        let now = match &self.state {
            State::Waits(why) if why.is_empty() || why == "None" => format!("job {id} waits"),
            State::Waits(why) => format!("job {id} waits: {why}"),
            State::Runs(nodes) => match self.folder.begun() {
                0 => format!("job {id} runs on {nodes}"),
                begun => format!("job {id} on {nodes}: run {begun} of {}", self.order.runs()),
            },
            State::Over(_) | State::Forgotten => return,
        };
        if now != self.told {
            self.console.doing(&now);
            self.told = now;
        }
    }
}

//! `perfgate noise`: a server against itself, from stored sessions or measured now.

use std::{env, path::PathBuf};

mod itself;

use super::{
    CommandError, Console, Done,
    ab::{self, Follow, Wanted},
    import,
    present::Format,
    reference,
    trust::{self, Goal, Rules},
};
use crate::{
    compare::{Background, Fingerprint, PairNoise, compare, fingerprint},
    load::Interrupt,
    measure::{Measurements, invalid_because, measure},
    noise::{self, Halves, Looks, Material},
    plan::{Alternation, Arms, Secrets},
    render,
    session::{Ended, Session},
    store::{self, Baselines, Link, Stored},
};

/// What is asked of the noise.
pub struct Asked {
    /// Session and baseline files; none: the stored baselines.
    pub files: Vec<PathBuf>,
    /// Pairs of the server against itself that are measured now; `None`: nothing is.
    pub pairs: Option<u32>,
    /// Measurements that are put together anew to see how often the gate blocks.
    pub resamples: u32,
    /// Whether to print a configuration that this machine can hold instead.
    pub suggest: bool,
    /// Form of the answer.
    pub format: Format,
}

/// Seed of the draws: the same sessions give the same answer.
const SEED: u64 = 42;

/// Shows how far apart one server lies here, what a gate can tell with that, and how often it would block for nothing.
///
/// # Errors
/// When a file cannot be read, nothing is there to look at, or the measurement cannot begin.
pub fn noise(
    asked: &Asked,
    rules: &Rules,
    secrets: impl FnOnce(Goal<'_>) -> Result<Secrets, CommandError>,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Done, CommandError> {
    let resolved = &rules.resolved;
    let looks = Looks {
        pairs: resolved.alternation.looks.clone(),
        blocks: resolved.alternation.blocks,
    };
    let material = match asked.pairs {
        Some(pairs) => {
            let arms = itself::arms(resolved, console)?;
            let secrets = secrets(Goal::Arms(Some(&arms)))?;
            measured_now(pairs, rules, (arms, secrets), (console, interrupt))?
        }
        None => stored(asked, rules, console)?,
    };
    let (material, older) = material.since_last_step(&reference::gated(&resolved.policy));
    if older > 0 {
        console.warn(&format!(
            "{older} older sessions are left out: the level changed after them, and a step is no noise"
        ));
    }
    let found = noise::noise(&material, &resolved.policy, &looks);
    if asked.suggest
        && found
            .rows
            .iter()
            .all(|row| row.spread.between_runs.is_none() && row.planned.is_none())
    {
        return Err(CommandError::Usage(
            "nothing is known of the noise here: give sessions of three runs or more, or measure with `--pairs 12`"
                .into(),
        ));
    }
    if asked.suggest {
        let suggestion = noise::suggest(&found, &looks);
        return Ok(Done::ok(render::suggestion_yaml(&suggestion, &found)));
    }
    let blocks = noise::false_blocks(&material, &resolved.policy, &looks, (asked.resamples, SEED));
    Ok(Done::ok(match asked.format {
        Format::Terminal => render::terminal_noise(&found, &blocks),
        Format::Json => render::noise_json(&found, &blocks, &noise::suggest(&found, &looks))?,
        Format::Markdown | Format::Html | Format::HtmlWhole => {
            return Err(CommandError::Usage("noise is shown as `terminal` or `json`".into()));
        }
    }))
}

/// The sessions of files, or those of one baseline of the store, with what is known of the noise of their pairs.
fn stored(asked: &Asked, rules: &Rules, console: &dyn Console) -> Result<Material, CommandError> {
    let baselines = &rules.baselines;
    let files = match asked.files.as_slice() {
        [] => vec![the_baseline(baselines, rules.resolved.settings.baseline.as_deref())?],
        files => files.to_vec(),
    };
    let mut newest: Option<Session> = None;
    let (mut sessions, mut halves): (Vec<Measurements>, Vec<Halves>) = Default::default();
    let mut kinds: Vec<(Fingerprint, PathBuf)> = Vec::new();
    for file in files {
        let mut note = |session: &Session| {
            let print = Fingerprint::of(session);
            if kinds.iter().all(|(known, _)| !unlike(known, &print).is_empty()) {
                kinds.push((print, file.clone()));
            }
        };
        let keep = |session: Session, _: &Link| {
            note(&session);
            let measured = (measure(&session), noise::halves(&session));
            store::keep_newer(&mut newest, session);
            measured
        };
        let read = match asked.files.as_slice() {
            [] => baselines.read_with(&file, keep)?,
            _ => import::read_with(&file, keep)?,
        };
        let found = match read {
            Stored::Baseline(baseline) => baseline.history,
            Stored::Session(session) => {
                note(&session);
                let measured = (measure(&session), noise::halves(&session));
                store::keep_newer(&mut newest, session);
                vec![measured]
            }
        };
        for (measured, its_halves) in found {
            if sessions.contains(&measured) {
                console.warn(&format!(
                    "a session of `{}` is there already, and counts once",
                    file.display()
                ));
            } else {
                sessions.push(measured);
                halves.extend(its_halves);
            }
        }
    }
    refuse_unlike(&kinds)?;
    let known = match &newest {
        Some(session) => {
            let print = Fingerprint::of(session);
            baselines.pair_noise(&print.plan_hash(), &print.machine_hash())?
        }
        None => PairNoise::default(),
    };
    Ok(Material::of(sessions, known).with_halves(halves))
}

/// One kind of session is all that there may be; each is named by the first file that has it.
fn refuse_unlike(kinds: &[(Fingerprint, PathBuf)]) -> Result<(), CommandError> {
    let [(first, _), (other, _), ..] = kinds else {
        return Ok(());
    };
    let files: Vec<String> = kinds.iter().map(|(_, file)| format!("`{}`", file.display())).collect();
    Err(CommandError::Usage(format!(
        "{} are not sessions of one measurement on one machine, and the difference is no noise: give those that agree in {}",
        files.join(", "),
        unlike(first, other).join(", ")
    )))
}

/// The fields, in backticks, in which two sessions differ so that they show no noise of one thing: those of what was asked
/// and of the machine. Another version of the engine is a step, which is looked for; cells and blocks are told apart.
fn unlike(one: &Fingerprint, other: &Fingerprint) -> Vec<String> {
    let apart = ["plan.blocks", "plan.cells", "plan.schedule"];
    let fields = one.unlike(other).into_iter();
    let fields = fields.filter(|field| !fingerprint::is_of_the_arm(field) && !apart.contains(&field.as_str()));
    fields.map(|field| format!("`{field}`")).collect()
}

/// The file of the baseline that is meant, or of the only one.
fn the_baseline(baselines: &Baselines, name: Option<&str>) -> Result<PathBuf, CommandError> {
    if let Some(name) = name {
        return Ok(baselines.path(name)?);
    }
    match baselines.list()?.as_slice() {
        [only] => Ok(only.file.clone()),
        [] => Err(CommandError::Usage(
            "there is no baseline to look at; give session files, or measure now with `--pairs 12`".into(),
        )),
        several => Err(CommandError::Usage(format!(
            "there are {} baselines; say which one with `--baseline`, as `perfgate baseline list` names it",
            several.len()
        ))),
    }
}

/// Nobody judges: every pair is wanted.
struct AllPairs;

impl Follow for AllPairs {
    fn on_pair(&mut self, _: &[Session; 2]) {}

    fn why_stop(&mut self, _: &[Session; 2]) -> Option<String> {
        None
    }
}

/// Measures the server against itself; what its pairs show is kept as a prior of later gates.
fn measured_now(
    pairs: u32,
    rules: &Rules,
    (arms, secrets): (Arms, Secrets),
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Material, CommandError> {
    let resolved = &rules.resolved;
    let wanted = Wanted {
        plan: resolved.plan.clone(),
        alternation: Alternation {
            looks: vec![pairs],
            ..resolved.alternation.clone()
        },
        arms,
        secrets,
        dataset_dir: &resolved.settings.dataset_dir,
        idle_answers: resolved.settings.idle_answers.clone(),
        log_dir: resolved.settings.output.with_extension("logs"),
        commit: resolved.settings.commit.clone(),
        built: resolved.settings.built.clone(),
        withholds_secrets: false,
    };
    let [baseline, candidate] = ab::measure(&wanted, &mut AllPairs, console, interrupt)?;
    for session in [&baseline, &candidate] {
        if let Ended::Aborted(reason) = &session.ended {
            console.warn(reason);
        }
    }
    let (old, new) = (measure(&baseline), measure(&candidate));
    let comparison = compare(&old, &new, &Background::default());
    let id = candidate
        .pairing
        .as_ref()
        .map(|pairing| pairing.id.clone())
        .unwrap_or_default();
    let shown = PairNoise::of(&comparison, &id, candidate.started_unix_s);
    keep(&shown, [&baseline, &candidate], &rules.baselines, console)?;
    let halves = [&baseline, &candidate].into_iter().flat_map(noise::halves);
    Ok(Material::of(vec![old, new], PairNoise::default()).with_halves(halves.collect()))
}

/// Keeps what sound pairs show, where baselines may be written.
fn keep(
    shown: &PairNoise,
    sessions: [&Session; 2],
    baselines: &Baselines,
    console: &dyn Console,
) -> Result<(), CommandError> {
    let print = Fingerprint::of(sessions[1]);
    let is_sound = |session: &Session| session.ended == Ended::Complete && invalid_because(session).is_none();
    if !sessions.into_iter().all(is_sound) {
        console.warn("these pairs carry no verdict: their noise is not kept for later gates");
    } else if let Err(error) = trust::refuse_baseline_write(&|name| env::var(name).ok(), &trust::here()?, None) {
        console.warn(&format!("{error}; the noise of these pairs is not kept"));
    } else if baselines.is_read_only() {
        console
            .warn("the baselines are those of a commit, which nothing adds to: the noise of these pairs is not kept");
    } else if !shown.0.is_empty() {
        let path = baselines.add_pair_noise(&print.plan_hash(), &print.machine_hash(), &shown.0)?;
        console.say(&format!("kept for later gates in `{}`", path.display()));
    }
    Ok(())
}

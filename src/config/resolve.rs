//! From layers to a plan: each key from the highest layer that has it, and a note of which that was.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    address::StoreAddress,
    error::ConfigError,
    keys::{CONFIG_ENV, DEFAULT_FILE},
    layers::{Layer, Overrides},
    node::Source,
    policy::Rules,
    resolver::Resolver,
    runner::RunnerSettings,
    texts::is_header_value,
};
use crate::{
    capacity::Spacing,
    plan::{Alternation, Arms, Arrivals, Axis, Capacity, FromVariable, Meeting, Plan, Profiling, Secrets},
    verdict::Policy,
};

/// All that was configured, and where each value came from.
#[derive(Debug)]
pub struct Resolved {
    /// What to measure.
    pub plan: Plan,
    /// How to judge.
    pub policy: Policy,
    /// What to write, and where.
    pub settings: Settings,
    /// Spacing of the sends in open loop.
    pub arrivals: Arrivals,
    /// What `capacity` searches.
    pub capacity: Capacity,
    /// What `sweep` climbs.
    pub sweep: Sweep,
    /// How `gate` measures.
    pub measure: Measure,
    /// How an A/B measurement alternates, and when it looks.
    pub alternation: Alternation,
    /// The two servers of an A/B measurement; `None` where not both are told.
    pub arms: Option<Arms>,
    /// The only one of them that is told, on both sides.
    pub only_arm: Option<Arms>,
    /// How a cell that got worse is profiled.
    pub profiling: Profiling,
    /// Where the values of the extra headers come from, by name, in the plan's order.
    pub header_sources: Vec<(String, HeaderSource)>,
    /// Every value as text with its origin, in the order of the file's keys.
    pub origins: Vec<Origin>,
    /// What the user should know of the configuration, in sentences.
    pub notes: Vec<String>,
}

/// What to write, and where; nothing here moves a number.
///
/// Paths that stand in the configuration file are relative to it, and already joined; paths from flags, variables and
/// defaults are relative to the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Session file that a run writes.
    pub output: PathBuf,
    /// No progress bar.
    pub quiet: bool,
    /// Where the stored baselines are.
    pub store: StoreAddress,
    /// Folder of the reports, where one was named.
    pub report_dir: Option<PathBuf>,
    /// Baseline to compare with: a name or a file.
    pub baseline: Option<String>,
    /// Commit under test.
    pub commit: Option<String>,
    /// The commit that is checked out, where it is another: a pull request's merged with its base.
    pub built: Option<String>,
    /// Folder that a relative dataset path counts from; empty for the working directory.
    pub dataset_dir: PathBuf,
    /// What becomes of `output_tokens` where every row of the dataset or trace states how long its answer is.
    pub idle_answers: Option<IdleAnswers>,
    /// Another tool that measures in perfgate's place, where there is one.
    pub runner: Option<RunnerSettings>,
    /// The GPUs that are looked at, by number, UUID or MIG instance; empty: those of `CUDA_VISIBLE_DEVICES`, else all.
    pub gpus: Vec<String>,
    /// The library that tells of them; `None`: the driver's.
    pub nvml_lib: Option<PathBuf>,
    /// How a shard finds out when to begin, where the plan is shared out.
    pub meeting: Option<Meeting>,
    /// The configuration file that was read, if any.
    pub file: Option<PathBuf>,
    /// Commit, branch or tag that the rules of a pull request are read from, where one was named.
    pub trusted_ref: Option<String>,
}

/// What becomes of an `output_tokens` that turns out to do nothing, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdleAnswers {
    /// It was meant for these prompts: nothing is measured.
    Refused(String),
    /// It stands beside a dataset in the file, and describes it.
    Noted(String),
}

/// How `gate` measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// The candidate alone, against a stored baseline.
    #[default]
    Alone,
    /// Baseline and candidate in alternation.
    Ab,
}

/// A ladder of load levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sweep {
    /// What is raised.
    pub axis: Axis,
    /// First level.
    pub from: f64,
    /// Last level, above the first.
    pub to: f64,
    /// Number of levels, at least 2.
    pub steps: u32,
    /// How the levels lie between first and last.
    pub spacing: Spacing,
}

/// Where a header's value comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum HeaderSource {
    /// As it stands in file, variable or flag.
    Text(String),
    /// From the environment variable of this name.
    Env(String),
}

impl fmt::Debug for HeaderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::Env(variable) => write!(f, "Env({variable})"),
        }
    }
}

/// One resolved value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its dotted place in the file.
    pub key: String,
    /// As text; secrets never.
    pub value: String,
    /// The layer that it came from.
    pub source: Source,
}

/// Reads and checks all layers, and resolves them.
///
/// `file` is the file named by `--config`; without it `PERFGATE_CONFIG` and then `perfgate.yaml`, where it exists.
///
/// # Errors
/// The first thing that is wrong with a layer, with its place.
pub fn resolve(
    file: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
    flags: &Overrides,
) -> Result<Resolved, ConfigError> {
    let file = find_file(file, env);
    let layer = file.as_deref().map(Layer::from_file).transpose()?;
    resolve_layers(layer, (file, true), env, flags)
}

/// A configuration file that was read elsewhere than from the work tree, as at a commit.
#[derive(Clone, Copy, Debug)]
pub struct FileText<'a> {
    /// What messages call it (`perfgate.yaml at 1a2b3c4d5e6f`).
    pub name: &'a str,
    /// Where it would stand: relative paths in it count from its folder.
    pub path: &'a Path,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The same with a file whose bytes are given, or without any; what lies beside it on disk is not looked at.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_text(
    file: Option<&FileText<'_>>,
    env: &dyn Fn(&str) -> Option<String>,
    flags: &Overrides,
) -> Result<Resolved, ConfigError> {
    let layer = file.map(|file| Layer::from_text(file.bytes, file.name)).transpose()?;
    resolve_layers(layer, (file.map(|file| file.path.to_owned()), false), env, flags)
}

fn resolve_layers(
    layer: Option<Layer>,
    (file, on_disk): (Option<PathBuf>, bool),
    env: &dyn Fn(&str) -> Option<String>,
    flags: &Overrides,
) -> Result<Resolved, ConfigError> {
    let mut layers: Vec<Layer> = layer.into_iter().collect();
    layers.push(Layer::from_env(env)?);
    layers.push(Layer::from_flags(flags)?);
    let rules = Rules::resolve(&layers)?;
    let base_dir = file
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .unwrap_or_default();
    Resolver::new(layers, base_dir, on_disk).resolve(file, rules)
}

/// The file that is meant, whether or not it is there: the one named by `--config`, or by `PERFGATE_CONFIG`, or
/// `perfgate.yaml`.
pub fn file_meant(file: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    file_named(file, env).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
}

fn file_named(file: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = file.map(Path::to_owned);
    named.or_else(|| env(CONFIG_ENV).filter(|text| !text.is_empty()).map(PathBuf::from))
}

fn find_file(file: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = file_named(file, env);
    named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.symlink_metadata().is_ok()))
}

impl Resolved {
    /// Reads the API key and the headers' values from the environment; call it when a run starts, not before.
    ///
    /// # Errors
    /// A variable that is named and not set, or whose value no header may hold.
    pub fn secrets(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Secrets, ConfigError> {
        let api_key = self.plan.target.api_key_env.as_deref();
        let api_key = api_key
            .map(|variable| secret(env, "target.api_key_env", variable))
            .transpose()?;
        let mut headers = Vec::with_capacity(self.header_sources.len());
        for (name, source) in &self.header_sources {
            let value = match source {
                HeaderSource::Text(text) => text.clone(),
                HeaderSource::Env(variable) => secret(env, &format!("target.headers.{name}"), variable)?,
            };
            headers.push((name.clone(), value));
        }
        let named = self.secret_variables().map(|(key, variable)| {
            Ok(FromVariable {
                value: secret(env, &key, variable)?,
                variable: variable.to_owned(),
                key,
            })
        });
        let from_variables = named.collect::<Result<_, ConfigError>>()?;
        Ok(Secrets {
            api_key,
            headers,
            from_variables,
        })
    }

    /// The keys whose values come from variables (`target.api_key_env`), with the variables' names.
    pub fn secret_variables(&self) -> impl Iterator<Item = (String, &str)> {
        let api_key = self.plan.target.api_key_env.as_deref();
        let api_key = api_key.map(|variable| ("target.api_key_env".to_owned(), variable));
        let headers = self.header_sources.iter().filter_map(|(name, source)| match source {
            HeaderSource::Env(variable) => Some((format!("target.headers.{name}"), variable.as_str())),
            HeaderSource::Text(_) => None,
        });
        api_key.into_iter().chain(headers)
    }
}

fn secret(env: &dyn Fn(&str) -> Option<String>, key: &str, variable: &str) -> Result<String, ConfigError> {
    let value = env(variable).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| ConfigError::SecretMissing {
        key: key.to_owned(),
        variable: variable.to_owned(),
    })?;
    if !is_header_value(&value) {
        return Err(ConfigError::SecretUnusable { key: key.to_owned() });
    }
    Ok(value)
}

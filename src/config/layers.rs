//! The layers under a resolved plan: file, environment, flags, each read and checked on its own.

use std::{fs, io::Read, path::Path};

use serde_path_to_error::Segment;

use super::{
    error::ConfigError,
    keys::{self, KEYS},
    lengths::LengthsTwin,
    nearest::no_metric,
    node::{Node, Source, Step, Value},
    show,
    texts::is_header_name,
    twin::{ALL, ConfigFile, SCHEMA},
    typed,
    values::{RateRps, Streams},
    yaml,
};
use crate::metric::Metric;

/// Far above any configuration that a person writes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// One layer: its tree, and what the tree says.
#[derive(Debug)]
pub(super) struct Layer {
    root: Node,
    /// Name of the file, in errors.
    file: String,
    pub(super) twin: ConfigFile,
}

/// Flags as typed, in order: name without dashes, and text (`true` for a bare switch).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(Vec<(String, String)>);

impl Overrides {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one flag with its text.
    pub fn push(&mut self, flag: &str, text: &str) {
        self.0.push((flag.to_owned(), text.to_owned()));
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(flag, text)| (flag.as_str(), text.as_str()))
    }

    /// The last text of a flag.
    pub fn text(&self, flag: &str) -> Option<&str> {
        self.texts(flag).pop()
    }

    fn texts(&self, flag: &str) -> Vec<&str> {
        let given = self.0.iter().filter(|(name, _)| name == flag);
        given.map(|(_, text)| text.as_str()).collect()
    }
}

impl Layer {
    /// The layer of a configuration file.
    pub(super) fn from_file(file: &Path) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        Self::from_text(&read_bytes(file)?, &name)
    }

    /// The layer of a configuration file's bytes; `name` is what messages call it.
    pub(super) fn from_text(bytes: &[u8], name: &str) -> Result<Self, ConfigError> {
        let root = yaml::parse(&text_of(bytes, name)?, name)?;
        check_version(&root, name)?;
        Self::read(root, name.to_owned())
    }

    /// The layer of the environment; an empty variable counts as absent, as CI systems pass inputs left blank.
    pub(super) fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut root = Node::map(Source::Default);
        for key in KEYS {
            let Some(text) = env(key.env).filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            let source = Source::Env(key.env);
            let node = typed::node(key, &[&text], source).map_err(|m| ConfigError::at(source, "", key.path, &m))?;
            root.set(key.path, node);
        }
        Self::read(root, String::new())
    }

    /// The layer of the flags.
    pub(super) fn from_flags(flags: &Overrides) -> Result<Self, ConfigError> {
        if let Some((name, _)) = flags.0.iter().find(|(name, _)| keys::by_flag(name).is_none()) {
            let place = format!("`--{name}`");
            let message = "there is no such flag".into();
            return Err(ConfigError::Invalid { place, message });
        }
        let mut root = Node::map(Source::Default);
        for key in KEYS {
            let texts = flags.texts(key.flag);
            if texts.is_empty() {
                continue;
            }
            let source = Source::Flag(key.flag);
            let node = typed::node(key, &texts, source).map_err(|m| ConfigError::at(source, "", key.path, &m))?;
            root.set(key.path, node);
        }
        Self::read(root, String::new())
    }

    fn read(root: Node, file: String) -> Result<Self, ConfigError> {
        if !matches!(root.value, Value::Map(_)) {
            return Err(ConfigError::in_file(
                &file,
                1,
                "",
                "expected keys with values, such as `repeat: 5`",
            ));
        }
        let twin = serde_path_to_error::deserialize(&root).map_err(|error| {
            let path: Vec<Step> = error.path().iter().filter_map(step).collect();
            located(&root, &file, &path, &error.inner().0)
        })?;
        let layer = Self { root, file, twin };
        layer.check_together()?;
        Ok(layer)
    }

    /// Where the value of a dotted path stands; the name of a fingerprint field holds dots itself.
    pub(super) fn source(&self, path: &str) -> Source {
        let named = path.split_once('.');
        if let Some(entry) = named.and_then(|(key, name)| self.root.entry(key)?.node.entry(name)) {
            return entry.source;
        }
        let steps: Vec<Step> = path.split('.').flat_map(steps).collect();
        self.root.source_at(&steps)
    }

    /// Where one entry of a top-level map stands; its name may hold dots, or be a path into nested maps.
    pub(super) fn entry_source(&self, path: &str, name: &str) -> Source {
        self.source(&format!("{path}.{name}"))
    }

    /// An error about a dotted path of this layer.
    pub(super) fn error(&self, path: &str, message: &str) -> ConfigError {
        ConfigError::at(self.source(path), &self.file, path, message)
    }

    /// Whether this layer gives the key of a dotted path.
    pub(super) fn names(&self, path: &str) -> bool {
        let mut keys = path.split('.');
        let node = keys.try_fold(&self.root, |node, key| node.entry(key).map(|entry| &entry.node));
        node.is_some_and(|node| !matches!(node.value, Value::Null))
    }

    /// Name of the file, empty where the layer is none.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Where the value of a dotted path stands, in words (`perfgate.yaml:7`, `--rate`).
    pub(super) fn place(&self, path: &str) -> String {
        show::place(self.source(path), Some(&self.file))
    }

    /// Every level of `concurrency`, its ranges walked.
    pub(super) fn streams(&self) -> impl Iterator<Item = Streams> {
        let steps = self.twin.concurrency.iter().flat_map(|list| &list.0);
        steps.flat_map(|steps| steps.0.iter().copied())
    }

    /// Every level of `rate`, its ranges walked.
    pub(super) fn rates(&self) -> impl Iterator<Item = RateRps> {
        let steps = self.twin.rate.iter().flat_map(|list| &list.0);
        steps.flat_map(|steps| steps.0.iter().copied())
    }

    /// What one value alone cannot tell.
    fn check_together(&self) -> Result<(), ConfigError> {
        let twin = &self.twin;
        let target = twin.target.as_ref();
        if let (Some(top), Some(inner)) = (&twin.model, target.and_then(|target| target.model.as_ref()))
            && top != inner
        {
            let message = format!("`{}` differs from `model`, which is `{}`; keep one", inner.0, top.0);
            return Err(self.error("target.model", &message));
        }
        if twin.warmup.is_some() && twin.warmup_requests.is_some() {
            let message = format!(
                "it is the same as `warmup_requests` ({}); keep one",
                self.place("warmup_requests")
            );
            return Err(self.error("warmup", &message));
        }
        if twin.trace_speed.is_some() && twin.trace.as_ref().is_some_and(|trace| trace.speed().is_some()) {
            let message = format!(
                "it is the same as `trace.speed` ({}); keep one",
                self.place("trace.speed")
            );
            return Err(self.error("trace_speed", &message));
        }
        self.check_levels()?;
        self.check_lengths("input_tokens", twin.input_tokens)?;
        self.check_lengths("output_tokens", twin.output_tokens)?;
        self.check_headers()?;
        self.check_models()?;
        self.check_metrics()
    }

    fn check_models(&self) -> Result<(), ConfigError> {
        let names: Vec<&str> = self
            .twin
            .models
            .iter()
            .flatten()
            .map(|model| model.name.0.as_str())
            .collect();
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|earlier| earlier == name) {
                let message = format!("`{name}` is given twice; give each model one weight");
                return Err(self.error("models", &message));
            }
        }
        Ok(())
    }

    fn check_levels(&self) -> Result<(), ConfigError> {
        let streams = self.streams().map(|level| level.0.to_string());
        let rates = self.rates().map(|level| level.0.to_string());
        for (path, levels) in [("concurrency", streams.collect::<Vec<_>>()), ("rate", rates.collect())] {
            for (at, level) in levels.iter().enumerate() {
                if levels.iter().take(at).any(|earlier| earlier == level) {
                    return Err(self.error(path, &format!("`{level}` is given twice; each level is one cell")));
                }
            }
        }
        Ok(())
    }

    fn check_lengths(&self, path: &str, lengths: Option<LengthsTwin>) -> Result<(), ConfigError> {
        let checked = lengths.map(LengthsTwin::lengths).transpose();
        checked.map(|_| ()).map_err(|message| self.error(path, &message))
    }

    fn check_headers(&self) -> Result<(), ConfigError> {
        let headers = self.twin.target.as_ref().and_then(|target| target.headers.as_ref());
        let names: Vec<&String> = headers.into_iter().flat_map(|headers| headers.keys()).collect();
        for (at, name) in names.iter().enumerate() {
            if !is_header_name(name) {
                let message = "this names no HTTP header; use letters, digits and `-`";
                return Err(self.error(&format!("target.headers.{name}"), message));
            }
            if names.iter().take(at).any(|earlier| earlier.eq_ignore_ascii_case(name)) {
                let message = "header given twice, in other letter case; keep one";
                return Err(self.error(&format!("target.headers.{name}"), message));
            }
        }
        Ok(())
    }

    fn check_metrics(&self) -> Result<(), ConfigError> {
        let gates = self
            .twin
            .gates
            .iter()
            .flatten()
            .filter(|(key, gate)| gate.metric(key).is_ok_and(|metric| metric.is_none()))
            .map(|(key, _)| ("gates", key.as_str()));
        let limits = self.twin.threshold.iter().flat_map(|threshold| threshold.metrics());
        let ceilings = self.twin.ceilings.iter().flat_map(|bounds| bounds.keys());
        let ceilings = ceilings.map(|key| ("ceilings", key.as_str()));
        for (key, gate) in self.twin.gates.iter().flatten() {
            gate.metric(key)
                .map_err(|message| self.error(&format!("gates.{key}"), &message))?;
        }
        for (path, key) in gates.chain(ceilings).chain(limits.map(|(key, _)| ("threshold", key))) {
            if Metric::from_key(key).is_some() || (path == "threshold" && key == ALL) {
                continue;
            }
            return Err(self.error(&format!("{path}.{key}"), &no_metric(key)));
        }
        Ok(())
    }
}

/// One part of a dotted path: a key, perhaps with an index (`stages[1]`).
fn steps(part: &str) -> Vec<Step> {
    let indexed = part.strip_suffix(']').and_then(|part| part.split_once('['));
    let indexed = indexed.and_then(|(key, index)| Some((key, index.parse().ok()?)));
    match indexed {
        Some((key, index)) => vec![Step::Key(key.to_owned()), Step::Index(index)],
        None => vec![Step::Key(part.to_owned())],
    }
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

fn located(root: &Node, file: &str, path: &[Step], message: &str) -> ConfigError {
    let mut name = String::new();
    for step in path {
        match step {
            Step::Key(key) if name.is_empty() => name.clone_from(key),
            Step::Key(key) => name = format!("{name}.{key}"),
            Step::Index(index) => name = format!("{name}[{index}]"),
        }
    }
    ConfigError::at(root.source_at(path), file, &name, message)
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(unreadable)?;
    opened
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

pub(super) fn text_of(bytes: &[u8], name: &str) -> Result<String, ConfigError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfigError::not_yaml(
            name,
            None,
            "larger than 1 MiB; this is no configuration file",
        ));
    }
    let text = str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    // Windows editors put a byte-order mark in front, which would shift every place in the text.
    let text = text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text).to_owned());
    text.ok_or_else(|| ConfigError::not_yaml(name, None, "not UTF-8 text; this is no configuration file"))
}

/// A newer or foreign file is refused by name, before its unknown keys are.
fn check_version(root: &Node, file: &str) -> Result<(), ConfigError> {
    let Value::Map(entries) = &root.value else {
        return Ok(());
    };
    let Some(entry) = entries.iter().find(|entry| entry.key == "schema") else {
        return Ok(());
    };
    let version = match &entry.node.value {
        Value::Text(version) if version == SCHEMA => return Ok(()),
        Value::Text(version) => version,
        _ => "",
    };
    let newer = version
        .strip_prefix("perfgate-llm/")
        .and_then(|number| number.parse::<u32>().ok());
    let message = match newer {
        Some(2..) => format!("`{version}` needs a newer perfgate; this one reads `{SCHEMA}`"),
        _ if version.is_empty() => format!("expected the text `{SCHEMA}`"),
        _ => format!("`{version}` is not a format of perfgate; write `{SCHEMA}`"),
    };
    let Source::File { line } = entry.source else {
        return Ok(());
    };
    Err(ConfigError::in_file(file, line, "schema", &message))
}

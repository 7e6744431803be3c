//! From layers to the settings: what is written and read, and where.

use std::path::PathBuf;

use super::{
    address::StoreAddress, layers::Layer, node::Source, resolve::Settings, resolver::Resolver, texts::Word,
    twin::ConfigFile,
};
use crate::plan::{Plan, Prompts};

/// Where baselines are stored when nothing is said.
pub const DEFAULT_STORE: &str = "baselines";

impl Resolver {
    pub(super) fn settings(&mut self, file: Option<PathBuf>) -> Settings {
        let baseline = self.word("baseline", "(the store's)", |twin| {
            twin.baseline.clone().map(|word| word.0)
        });
        let (gpus, nvml_lib) = self.gpus();
        Settings {
            gpus,
            nvml_lib,
            baseline: baseline.map(|name| self.beside_file("baseline", name)),
            store: self.store(),
            output: self.path("output", "session.json", |twin| twin.output.clone()),
            report_dir: self.report_dir(),
            commit: self.word("commit", "(unknown)", |twin| twin.commit.clone().map(|word| word.0)),
            built: None,
            quiet: self.value("quiet", false, |twin| twin.quiet, bool::to_string),
            dataset_dir: self.dataset_dir(),
            idle_answers: None,
            runner: None,
            meeting: None,
            trusted_ref: self.word("trusted_ref", "(the base of a pull request)", |twin| {
                twin.trusted_ref.clone().map(|word| word.0)
            }),
            file,
        }
    }

    fn path(&mut self, key: &str, default: &str, get: impl Fn(&ConfigFile) -> Option<Word>) -> PathBuf {
        let found = self.find(key, get).map(|(word, source)| (word.0, source));
        let (text, source) = found.unwrap_or((default.to_owned(), Source::Default));
        self.note(key, text.clone(), source);
        self.joined(&text, source)
    }

    /// Where baselines are stored; only a folder counts from where the file stands.
    fn store(&mut self) -> StoreAddress {
        let found = self.find("store", |twin| twin.store.clone());
        let (text, source) = found.map_or((DEFAULT_STORE.to_owned(), Source::Default), |(text, source)| {
            (text.0, source)
        });
        self.note("store", text.clone(), source);
        match StoreAddress::parse(&text) {
            // A layer is refused whose address cannot be read.
            Err(_) | Ok(StoreAddress::Folder(_)) => StoreAddress::Folder(self.joined(&text, source)),
            Ok(address) => address,
        }
    }

    /// Paths in the file are meant from where the file stands.
    pub(super) fn joined(&self, text: &str, source: Source) -> PathBuf {
        match source {
            Source::File { .. } => self.base_dir.join(text),
            Source::Default | Source::Env(_) | Source::Flag(_) => PathBuf::from(text),
        }
    }

    /// A baseline in the file is a name, unless such a file stands beside it.
    fn beside_file(&self, key: &str, name: String) -> String {
        let source = self
            .origins
            .iter()
            .find(|origin| origin.key == key)
            .map(|origin| origin.source);
        let path = source
            .map(|source| self.joined(&name, source))
            .filter(|path| self.on_disk && path.is_file());
        path.map_or(name, |path| path.display().to_string())
    }

    fn report_dir(&mut self) -> Option<PathBuf> {
        let found = self.find("report_dir", |twin| twin.report_dir.clone());
        let (text, source) = found.map_or((None, Source::Default), |(word, source)| (Some(word.0), source));
        self.note(
            "report_dir",
            text.clone().unwrap_or_else(|| "(as the command says)".into()),
            source,
        );
        text.map(|text| self.joined(&text, source))
    }

    /// Where relative paths of the plan count from: the layer that names the prompts, else the one that names the
    /// tokenizer.
    pub(super) fn dataset_dir(&self) -> PathBuf {
        let names = |layer: &&Layer| layer.twin.dataset.is_some() || layer.twin.trace.is_some();
        let prompts = self.layers.iter().rev().find(names).map(|layer| {
            let key = if layer.twin.trace.is_some() { "trace" } else { "dataset" };
            layer.source(key)
        });
        let tokenizer = || self.find("tokenizer", |twin| twin.tokenizer.clone());
        let source = prompts.or_else(|| tokenizer().map(|(_, source)| source));
        source.map_or_else(PathBuf::new, |source| self.joined("", source))
    }

    pub(super) fn note_dataset(&mut self, plan: &Plan, settings: &Settings) {
        let (kind, path) = match &plan.workload.prompts {
            Prompts::Dataset { path, .. } => ("dataset", path),
            Prompts::Trace { path, .. } => ("trace", path),
            Prompts::Synthetic { .. } | Prompts::SharedPrefix { .. } | Prompts::Foreign { .. } => return,
        };
        let file = settings.dataset_dir.join(path);
        if !file.is_file() {
            let path = file.display();
            self.notes
                .push(format!("{kind} `{path}` is no file; a run will stop until it is there"));
        }
        if self.find("input_tokens", |twin| twin.input_tokens).is_some() {
            self.notes.push(format!(
                "`input_tokens` has no effect beside a {kind}, whose prompts have their own lengths"
            ));
        }
    }
}

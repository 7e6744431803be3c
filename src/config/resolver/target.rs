//! The server under test: its addresses, and how it is spoken to.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Resolver, arms::usual_page};
use crate::{
    config::{
        node::Source,
        resolve::HeaderSource,
        show,
        spans::Span,
        twin::{ApiTwin, ConfigFile, GpuTwin, HeaderTwin, SpreadTwin, TargetTwin, TimeoutsTwin},
        values::Whole,
    },
    plan::{Api, CacheReset, Target, Timeouts},
};

/// Where vLLM and most others listen.
const DEFAULT_URL: &str = "http://127.0.0.1:8000";

impl Resolver {
    pub(super) fn target(&mut self) -> (Target, Vec<(String, HeaderSource)>) {
        let (url, more_urls) = self.urls();
        let usual = Target::at(&url);
        let spread = self.in_target(
            "target.spread",
            |t| t.spread.map(SpreadTwin::spread),
            |s| s.name().into(),
        );
        let model = self.model();
        let api = self.value(
            "target.api",
            usual.api,
            |twin| twin.target.as_ref()?.api.map(ApiTwin::api),
            |api| api.name().to_owned(),
        );
        let streaming = self.in_target("target.streaming", |t| t.streaming, bool::to_string);
        let header_sources = self.headers();
        let api_key_env = self.word("target.api_key_env", "(none)", |twin| {
            twin.target.as_ref()?.api_key_env.clone().map(|name| name.0)
        });
        let target = Target {
            more_urls,
            spread: spread.unwrap_or(usual.spread),
            model,
            api,
            streaming: streaming.unwrap_or(usual.streaming),
            header_names: header_sources.iter().map(|(name, _)| name.clone()).collect(),
            api_key_env,
            timeouts: self.timeouts(),
            extra_body: self.extra_body(api),
            ..self.connections(usual)
        };
        (target, header_sources)
    }

    /// How the server is spoken to below its API.
    fn connections(&mut self, usual: Target) -> Target {
        let http = self.in_target("target.http", |t| t.http.map(|http| http.0), |http| http.name().into());
        let reuse = self.in_target("target.reuse_connections", |t| t.reuse_connections, bool::to_string);
        let ca_file = self.find("target.ca_file", |twin| twin.target.as_ref()?.ca_file.clone());
        let ca_file = ca_file.map(|(file, source)| {
            self.note("target.ca_file", file.0.clone(), source);
            self.joined(&file.0, source).display().to_string()
        });
        let retries = self.in_target("target.retries", |t| t.retries.map(Whole::as_u32), u32::to_string);
        let cache_reset = self.in_target(
            "target.cache_reset",
            |t| t.cache_reset.clone().map(|reset| reset.0),
            |reset| match reset {
                CacheReset::Auto => "auto".into(),
                CacheReset::Off => "off".into(),
                CacheReset::Path(path) => path.clone(),
            },
        );
        let metrics = self.in_target(
            "target.metrics",
            |t| t.metrics.clone().map(|page| page.0),
            |page| page.text().to_owned(),
        );
        let interval = self.in_target(
            "target.metrics_interval",
            |t| t.metrics_interval.map(|span| span.0),
            |time| format!("{time:?}"),
        );
        let exporter = self.in_target("target.gpu_exporter", |t| t.gpu_exporter.clone(), |page| page.0.clone());
        Target {
            gpu_exporter: exporter.map(|page| usual_page(page.0)),
            metrics: metrics.unwrap_or_default(),
            metrics_interval: interval.unwrap_or(usual.metrics_interval),
            http: http.unwrap_or(usual.http),
            reuse_connections: reuse.unwrap_or(usual.reuse_connections),
            ca_file,
            retries: retries.unwrap_or(usual.retries),
            cache_reset: cache_reset.unwrap_or_default(),
            ..usual
        }
    }

    /// The GPUs that are looked at, and the library that tells of them.
    pub(in crate::config) fn gpus(&mut self) -> (Vec<String>, Option<PathBuf>) {
        let names = |gpus: &Vec<GpuTwin>| gpus.iter().map(|gpu| gpu.0.clone()).collect::<Vec<String>>();
        let gpus = self.in_target("target.gpus", |t| t.gpus.clone(), |gpus| show::list(&names(gpus)));
        let library = self.in_target("target.nvml_lib", |t| t.nvml_lib.clone(), |library| library.0.clone());
        (
            gpus.as_ref().map(names).unwrap_or_default(),
            library.map(|library| PathBuf::from(library.0)),
        )
    }

    fn in_target<T>(
        &mut self,
        key: &str,
        get: impl Fn(&TargetTwin) -> Option<T>,
        text: impl Fn(&T) -> String,
    ) -> Option<T> {
        self.given(key, |twin| twin.target.as_ref().and_then(&get), text)
    }

    /// The highest layer that sets `url` or `urls` decides both; `url` comes first.
    fn urls(&mut self) -> (String, Vec<String>) {
        let found = self.layers.iter().rev().find_map(|layer| {
            let target = layer.twin.target.as_ref()?;
            let first = target.url.iter().map(|url| (url.0.clone(), "target.url"));
            let more = target.urls.iter().flatten().map(|url| (url.0.clone(), "target.urls"));
            let urls: Vec<(String, &str)> = first.chain(more).collect();
            let (_, key) = urls.first()?;
            let source = layer.source(key);
            Some((urls, source))
        });
        let Some((urls, source)) = found else {
            self.note("target.url", DEFAULT_URL.into(), Source::Default);
            return (DEFAULT_URL.to_owned(), Vec::new());
        };
        let mut urls = urls.into_iter();
        let first = urls.next().map_or_else(|| DEFAULT_URL.to_owned(), |(url, _)| url);
        self.note("target.url", first.clone(), source);
        let more: Vec<String> = urls.map(|(url, _)| url).collect();
        if !more.is_empty() {
            self.note("target.urls", show::list(&more), source);
        }
        (first, more)
    }

    /// `model` stands at the top level or in the target; the layers agree with themselves.
    fn model(&mut self) -> Option<String> {
        let found = self.layers.iter().rev().find_map(|layer| {
            let inner = layer.twin.target.as_ref().and_then(|target| target.model.as_ref());
            let top = layer.twin.model.as_ref().map(|model| (model, "model"));
            let (model, key) = top.or_else(|| inner.map(|model| (model, "target.model")))?;
            Some((model.0.clone(), layer.source(key)))
        });
        let (text, source) = found
            .clone()
            .unwrap_or(("(the server's only model)".into(), Source::Default));
        self.note("model", text, source);
        found.map(|(model, _)| model)
    }

    /// Headers add up over the layers; a higher one replaces its namesake, whatever the letter case.
    fn headers(&mut self) -> Vec<(String, HeaderSource)> {
        let mut merged: BTreeMap<String, (String, HeaderSource, Source)> = BTreeMap::new();
        for layer in &self.layers {
            let headers = layer.twin.target.as_ref().and_then(|target| target.headers.as_ref());
            for (name, value) in headers.into_iter().flatten() {
                let value = match value {
                    HeaderTwin::Text(text) => HeaderSource::Text(text.clone()),
                    HeaderTwin::Env(from) => HeaderSource::Env(from.env.0.clone()),
                };
                let place = layer.entry_source("target.headers", name);
                merged.insert(name.to_ascii_lowercase(), (name.clone(), value, place));
            }
        }
        let mut sources = Vec::with_capacity(merged.len());
        for (name, value, place) in merged.into_values() {
            let text = match &value {
                HeaderSource::Text(_) => "(hidden)".to_owned(),
                HeaderSource::Env(variable) => format!("env:{variable}"),
            };
            self.note(&format!("target.headers.{name}"), text, place);
            sources.push((name, value));
        }
        sources
    }

    fn timeouts(&mut self) -> Timeouts {
        let default = Timeouts::default();
        let mut phase = |name: &str, default, get: fn(&TimeoutsTwin) -> Option<Span>| {
            let get = |twin: &ConfigFile| get(twin.target.as_ref()?.timeouts.as_ref()?).map(|span| span.0);
            self.value(&format!("target.timeouts.{name}"), default, get, |time| {
                format!("{time:?}")
            })
        };
        Timeouts {
            connect: phase("connect", default.connect, |twin| twin.connect),
            first_token: phase("first_token", default.first_token, |twin| twin.first_token),
            between_tokens: phase("between_tokens", default.between_tokens, |twin| twin.between_tokens),
            total: phase("total", default.total, |twin| twin.total),
        }
    }

    fn extra_body(&mut self, api: Api) -> BTreeMap<String, String> {
        let default = usual_body(api).iter();
        let default = default.map(|(key, json)| ((*key).to_owned(), (*json).to_owned()));
        let default = default.collect();
        let get = |twin: &ConfigFile| {
            let fields = twin.extra_body.as_ref()?.iter();
            Some(fields.map(|(key, json)| (key.clone(), json.to_string())).collect())
        };
        self.value("extra_body", default, get, |fields: &BTreeMap<String, String>| {
            let fields: Vec<String> = fields.iter().map(|(key, json)| format!("{key:?}: {json}")).collect();
            format!("{{{}}}", fields.join(", "))
        })
    }
}

/// Answers of full length and without chance, so that two sessions do the same work, as far as the API has words for it:
/// embeddings and tensors have no answer to steer, TGI answers without chance unless told otherwise and refuses a
/// temperature of 0, and Anthropic's own server refuses fields that it does not know.
const fn usual_body(api: Api) -> &'static [(&'static str, &'static str)] {
    match api {
        Api::Chat | Api::Completions | Api::Responses | Api::KserveGenerate => {
            &[("ignore_eos", "true"), ("temperature", "0")]
        }
        Api::Messages => &[("temperature", "0")],
        Api::Embeddings | Api::KserveInfer | Api::Tgi => &[],
    }
}

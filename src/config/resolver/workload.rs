//! What is sent: prompts, answer lengths, conversations, images, models.

use super::Resolver;
use crate::{
    config::{
        error::ConfigError,
        layers::Layer,
        lengths::LengthsTwin,
        node::Source,
        show,
        twin::{ConfigFile, ImagesTwin, SharedPrefixTwin},
        values::Whole,
    },
    plan::{Conversation, Lengths, ModelShare, Prompts, ThinkTime, Tokenizer, Workload},
};

/// The dataset that stands for prompts made from the seed.
const SYNTHETIC: &str = "synthetic";

/// Keys that each say where prompts come from.
const SOURCES: [&str; 3] = ["dataset", "trace", "shared_prefix"];

impl Resolver {
    pub(super) fn workload(&mut self) -> Result<Workload, ConfigError> {
        let input_tokens = self.lengths("input_tokens", 512, |twin| twin.input_tokens)?;
        let output_tokens = self.lengths("output_tokens", 128, |twin| twin.output_tokens)?;
        let usual = Workload::new(self.prompts(input_tokens)?, output_tokens);
        let images = self.given(
            "images",
            |twin| twin.images.map(ImagesTwin::images),
            |images| format!("{} of {}×{}", images.per_request, images.width_px, images.height_px),
        );
        let batch = self.given("batch", |twin| twin.batch.map(Whole::as_u32), u32::to_string);
        let reuse_prompts = self.given("reuse_prompts", |twin| twin.reuse_prompts, bool::to_string);
        Ok(Workload {
            tokenizer: self.tokenizer(),
            conversation: self.conversation()?,
            images,
            models: self.models(),
            batch: batch.unwrap_or(usual.batch),
            reuse_prompts: reuse_prompts.unwrap_or(usual.reuse_prompts),
            ..usual
        })
    }

    /// The highest layer that names a source of prompts decides; each layer names one at most.
    fn prompts(&mut self, input_tokens: Lengths) -> Result<Prompts, ConfigError> {
        let named = |layer: &Layer| SOURCES.into_iter().filter(|key| layer.names(key)).collect::<Vec<_>>();
        let deciding = self.layers.iter().rev().map(|layer| (layer, named(layer)));
        let Some((layer, sources)) = deciding.into_iter().find(|(_, sources)| !sources.is_empty()) else {
            self.note("dataset", SYNTHETIC.into(), Source::Default);
            return Ok(Prompts::Synthetic { input_tokens });
        };
        if let [first, second, ..] = sources.as_slice() {
            let message = format!("it gives prompts, as `{first}` ({}) does; keep one", layer.place(first));
            return Err(layer.error(second, &message));
        }
        if let Some(prefix) = layer.twin.shared_prefix {
            let (prompts, source) = (
                shared_prefix(layer, prefix, input_tokens)?,
                layer.source("shared_prefix"),
            );
            let groups = prefix.groups.as_u32();
            self.note("shared_prefix", format!("{groups} groups"), source);
            return Ok(prompts);
        }
        if let Some(trace) = layer.twin.trace.clone() {
            let source = layer.source("trace");
            self.note("trace", trace.file().to_owned(), source);
            return Ok(Prompts::Trace {
                path: trace.file().to_owned(),
                format: trace.format(),
                sha256: None,
            });
        }
        let Some(dataset) = layer.twin.dataset.clone() else {
            return Ok(Prompts::Synthetic { input_tokens });
        };
        let source = layer.source("dataset");
        self.note("dataset", dataset.file().to_owned(), source);
        if dataset.file() == SYNTHETIC {
            return Ok(Prompts::Synthetic { input_tokens });
        }
        let (prompt_column, output_column) = dataset.columns();
        Ok(Prompts::Dataset {
            path: dataset.file().to_owned(),
            format: dataset.format(),
            prompt_column,
            output_column,
            sha256: None,
        })
    }

    fn conversation(&mut self) -> Result<Option<Conversation>, ConfigError> {
        let found = self.layers.iter().rev();
        let found = found
            .clone()
            .find_map(|layer| layer.twin.conversation.map(|twin| (twin, layer)));
        let Some((twin, layer)) = found else { return Ok(None) };
        let turns = twin
            .turns
            .lengths()
            .map_err(|message| layer.error("conversation.turns", &message))?;
        let think_time = twin.think_time();
        let pause = match think_time {
            ThinkTime::Fixed(time) => format!("{time:?}"),
            ThinkTime::Exponential(mean) => format!("{mean:?} on average"),
        };
        let source = layer.source("conversation");
        self.note("conversation", format!("{turns} turns, think time {pause}"), source);
        Ok(Some(Conversation { turns, think_time }))
    }

    /// A file that is not read from where the dataset's path counts from is named in full.
    fn tokenizer(&mut self) -> Tokenizer {
        let Some((word, source)) = self.find("tokenizer", |twin| twin.tokenizer.clone()) else {
            return Tokenizer::Auto;
        };
        self.note("tokenizer", word.0.clone(), source);
        match word.0.as_str() {
            "auto" => Tokenizer::Auto,
            "server" => Tokenizer::Server,
            "calibrated" => Tokenizer::Calibrated,
            "words" => Tokenizer::Words,
            file => {
                let folder = self.joined("", source);
                let path = if folder == self.dataset_dir() {
                    file.to_owned()
                } else {
                    let path = folder.join(file);
                    std::path::absolute(&path).unwrap_or(path).display().to_string()
                };
                Tokenizer::File { path, sha256: None }
            }
        }
    }

    fn models(&mut self) -> Vec<ModelShare> {
        let get = |twin: &ConfigFile| {
            let models = twin.models.as_ref()?.iter();
            let share = |name: &str, weight: f64| ModelShare {
                name: name.to_owned(),
                weight,
            };
            Some(
                models
                    .map(|model| share(&model.name.0, model.weight.map_or(1.0, |weight| weight.0)))
                    .collect(),
            )
        };
        let text = |models: &Vec<ModelShare>| {
            let models: Vec<String> = models
                .iter()
                .map(|model| format!("{} × {}", model.name, model.weight))
                .collect();
            show::list(&models)
        };
        self.given("models", get, text).unwrap_or_default()
    }

    fn lengths(
        &mut self,
        key: &str,
        default: u32,
        get: impl Fn(&ConfigFile) -> Option<LengthsTwin>,
    ) -> Result<Lengths, ConfigError> {
        let found = self
            .layers
            .iter()
            .rev()
            .find_map(|layer| get(&layer.twin).map(|twin| (twin, layer)));
        let (lengths, source) = match found {
            None => (Lengths::Fixed(default), Source::Default),
            Some((twin, layer)) => {
                let lengths = twin.lengths().map_err(|message| layer.error(key, &message))?;
                (lengths, layer.source(key))
            }
        };
        self.note(key, lengths.to_string(), source);
        Ok(lengths)
    }
}

fn shared_prefix(layer: &Layer, twin: SharedPrefixTwin, input_tokens: Lengths) -> Result<Prompts, ConfigError> {
    let prefix_tokens = twin
        .prefix_tokens
        .lengths()
        .map_err(|message| layer.error("shared_prefix.prefix_tokens", &message))?;
    Ok(Prompts::SharedPrefix {
        groups: twin.groups.as_u32(),
        prefix_tokens,
        input_tokens,
        prompts_per_group: twin.prompts_per_group.map(Whole::as_u32),
    })
}

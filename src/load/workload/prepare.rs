//! Reads what the prompts of a plan are made of.

use std::{path::Path, sync::Arc};

use super::{PromptSet, Source};
use crate::{
    load::{
        LoadError, dataset,
        dialect::names_model,
        mix::Mix,
        prefix::Prefixes,
        schedule::{Scheduler, check},
        tokenizer::{self, Local},
        trace,
        vocabulary::Vocabulary,
    },
    plan::{Api, Images, Load, Plan, Prompts, Tokenizer},
};

/// The longest side of a synthetic image, in pixels.
const MAX_SIDE_PX: u32 = 16_384;

impl PromptSet {
    /// Reads what the prompts are made of; a relative path counts from `base_dir`.
    ///
    /// # Errors
    /// The dataset or tokenizer is unreadable, empty, or has a row that cannot be sent; the plan asks for no requests,
    /// or for what its API cannot take.
    pub fn prepare(plan: &Plan, base_dir: &Path) -> Result<Self, LoadError> {
        if plan.requests_per_run == 0 {
            return Err(LoadError::Plan {
                key: "requests",
                value: "0".into(),
                wanted: "at least 1",
            });
        }
        let workload = &plan.workload;
        if let Some(images) = workload.images {
            check_images(images, plan.target.api)?;
        }
        if !workload.models.is_empty() && !names_model(plan.target.api) {
            return Err(LoadError::Plan {
                key: "models",
                value: format!("with `api: {}`", plan.target.api.name()),
                wanted: "them to an API whose requests name their model",
            });
        }
        let words = Words::of(&workload.tokenizer, base_dir)?;
        Ok(Self {
            seed: plan.seed,
            api: plan.target.api,
            output_tokens: workload.output_tokens,
            requests_per_run: most_requests(plan),
            warmup_requests: plan.warmup_limit.unwrap_or(plan.warmup_requests),
            loads: plan.loads.clone(),
            repeats: plan.repeats,
            reuse_prompts: workload.reuse_prompts,
            batch: texts_per_request(plan),
            images: workload.images,
            mix: Mix::new(&workload.models)?,
            source: source(plan, base_dir, &words)?,
            vocabulary: words.vocabulary,
            tokenizer: words.tokenizer,
            fit_note: None,
            fit_is_good: false,
        })
    }
}

/// The words of prompts, as far as they are known before the server is asked.
struct Words {
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    local: Option<Arc<Local>>,
}

impl Words {
    fn of(configured: &Tokenizer, base_dir: &Path) -> Result<Self, LoadError> {
        let Tokenizer::File { path, .. } = configured else {
            return Ok(Self {
                vocabulary: Vocabulary::assumed(),
                tokenizer: configured.clone(),
                local: None,
            });
        };
        let file = tokenizer::read(&dataset::resolve(path, base_dir))?;
        Ok(Self {
            vocabulary: file.vocabulary,
            tokenizer: Tokenizer::File {
                path: path.clone(),
                sha256: Some(file.sha256),
            },
            local: Some(file.local),
        })
    }

    /// The tokens of any text: counted where there is a file, else four for three words.
    fn count(&self, text: &str) -> u32 {
        if let Some(local) = &self.local {
            return local.count(text);
        }
        let words = text.split_whitespace().count();
        u32::try_from(words.saturating_mul(4).div_ceil(3)).unwrap_or(u32::MAX)
    }
}

fn source(plan: &Plan, base_dir: &Path, words: &Words) -> Result<Source, LoadError> {
    match &plan.workload.prompts {
        Prompts::Trace { path, format, .. } => {
            let path = dataset::resolve(path, base_dir);
            let most = usize::try_from(plan.requests_per_run).unwrap_or(usize::MAX);
            let trace = trace::read(&path, *format, plan.target.api, most)?;
            Ok(Source::Trace(Arc::new(trace)))
        }
        Prompts::Foreign { name, .. } => Err(LoadError::Foreign { name: name.clone() }),
        Prompts::Synthetic { input_tokens } => Ok(Source::Synthetic(*input_tokens)),
        Prompts::SharedPrefix {
            groups,
            prefix_tokens,
            input_tokens,
            prompts_per_group,
        } => {
            let (seed, in_a_row) = (plan.seed, *prompts_per_group);
            let vocabulary = &words.vocabulary;
            let prefixes = Prefixes::new(seed, *groups, prefix_tokens, *input_tokens, in_a_row, vocabulary);
            Ok(Source::SharedPrefix(prefixes))
        }
        Prompts::Dataset {
            path,
            format,
            prompt_column,
            output_column,
            ..
        } => {
            let dataset = dataset::read(&dataset::Source {
                path: &dataset::resolve(path, base_dir),
                api: plan.target.api,
                format: *format,
                prompt_column: prompt_column.as_deref(),
                output_column: output_column.as_deref(),
                count: &|text| words.count(text),
                seed: plan.seed,
                wanted: rows_sent(plan),
            })?;
            Ok(Source::Dataset {
                rows: Arc::new(dataset.rows),
                sha256: dataset.sha256,
                census: dataset.census,
            })
        }
    }
}

/// The most rows that a session of the plan sends.
fn rows_sent(plan: &Plan) -> u64 {
    let warmup = plan.warmup_limit.unwrap_or(0).max(plan.warmup_requests);
    let a_run = u64::from(most_requests(plan)) + u64::from(warmup);
    if plan.loads.iter().any(is_search) {
        return u64::MAX;
    }
    // A load that the plan does not name comes after all that it does.
    u64::from(plan.repeats) * (plan.loads.len() as u64 + 1) * a_run * u64::from(texts_per_request(plan))
}

/// The most requests of one run: stages may send more or fewer than the plan's other loads.
fn most_requests(plan: &Plan) -> u32 {
    // The runner will say why such loads have no schedule.
    if check(plan).is_err() {
        return plan.requests_per_run;
    }
    let scheduler = Scheduler::new(plan, Vec::new());
    let requests = |load: &Load| match load {
        Load::Stages { .. } | Load::Rate { .. } | Load::Ramp { .. } => scheduler.measured(load).requests(),
        Load::Concurrency(_) | Load::Trace { .. } | Load::Capacity(_) => plan.requests_per_run,
    };
    let most = plan.loads.iter().map(requests).max();
    most.unwrap_or(plan.requests_per_run)
}

/// Whether nobody knows before how many runs a load takes.
pub(super) const fn is_search(load: &Load) -> bool {
    matches!(load, Load::Capacity(_))
}

/// Only embeddings take several.
fn texts_per_request(plan: &Plan) -> u32 {
    match plan.target.api {
        Api::Embeddings => plan.workload.batch.max(1),
        _ => 1,
    }
}

fn check_images(images: Images, api: Api) -> Result<(), LoadError> {
    let refuse = |value: String, wanted| LoadError::Plan {
        key: "images",
        value,
        wanted,
    };
    let sides = [images.width_px, images.height_px];
    if sides.iter().any(|side| !(1..=MAX_SIDE_PX).contains(side)) {
        let [width, height] = sides;
        return Err(refuse(format!("{width}x{height}"), "sides of 1 to 16384 pixels"));
    }
    if api != Api::Chat {
        return Err(refuse(
            format!("with `api: {}`", api.name()),
            "images to `api: chat` only",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_need_a_size_and_the_chat_api() {
        let images = |width_px, height_px| Images {
            width_px,
            height_px,
            per_request: 1,
        };
        assert!(check_images(images(1, MAX_SIDE_PX), Api::Chat).is_ok());
        for (images, api, expected) in [
            (images(0, 5), Api::Chat, "`0x5`; give sides"),
            (images(5, MAX_SIDE_PX + 1), Api::Chat, "give sides"),
            (images(5, 5), Api::Completions, "`with `api: completions``"),
        ] {
            let problem = check_images(images, api).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}

//! Embeddings: one vector an input.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Facts, Voice};

#[derive(Debug)]
pub(super) struct Embeddings;

/// Length of a vector: short, as its numbers mean nothing.
const DIMENSIONS: u32 = 8;

impl Voice for Embeddings {
    /// This API has no streams; a body of it never asks for one.
    fn tokens(&self, _: &Facts, _: Range<u32>, _: &mut String) {}

    fn whole(&self, facts: &Facts) -> Value {
        let vector: Vec<f64> = (0..DIMENSIONS)
            .map(|at| f64::from(at) / f64::from(DIMENSIONS))
            .collect();
        let entry = |index| json!({"object": "embedding", "index": index, "embedding": vector});
        let data: Vec<Value> = (0..facts.ask.inputs).map(entry).collect();
        let prompt = facts.ask.prompt_tokens;
        let usage = json!({"prompt_tokens": prompt, "total_tokens": prompt, "completion_tokens": 0});
        json!({"object": "list", "data": data, "model": facts.model, "usage": usage})
    }
}

//! Inference by `KServe` v2: `POST /v2/models/NAME/infer`, tensors as JSON, one whole answer.
//!
//! Source: <https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol>. The prompt is a `BYTES`
//! tensor `text_input` of shape `[1]`. `extra_body.inputs` adds further tensors; one without `data` says how the prompt's
//! own tensor is called and shaped.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Limit, Speech, json, no_event,
    said::{Course, Said, Text},
    text_json,
};

pub(super) const SPEECH: Speech = Speech {
    stream_path: "/v2/models/{model}/infer",
    whole_path: "/v2/models/{model}/infer",
    names_model: false,
    fields: |_| json!({}),
    limit: Some(Limit::parameter("max_tokens")),
    prompt_field: "inputs",
    prompt: text_json,
    frame: Some(frame),
    end_mark: None,
    event: no_event,
    whole,
};

/// The tensors around the prompt's text.
fn frame(extra: Option<&Value>) -> Result<(String, String), String> {
    let mut own = json!({"name": "text_input", "shape": [1], "datatype": "BYTES"});
    let mut after = String::from("]}");
    let given = match extra {
        None => Vec::new(),
        Some(Value::Array(tensors)) if tensors.iter().all(Value::is_object) => tensors.clone(),
        Some(_) => return Err("give a list of tensors, as `inputs` of the infer request".into()),
    };
    for tensor in given {
        if tensor.get("data").is_some() {
            after = format!("{after},{tensor}");
        } else if let (Some(own), Value::Object(ours)) = (own.as_object_mut(), tensor) {
            own.extend(ours);
        }
    }
    let open = own.to_string();
    let open = open.strip_suffix('}').unwrap_or(&open);
    Ok((format!("\"inputs\":[{open},\"data\":["), format!("{after}]")))
}

#[derive(Deserialize)]
struct Inferred<'a> {
    #[serde(borrow)]
    outputs: Option<Vec<Tensor<'a>>>,
    #[serde(borrow, default)]
    error: Text<'a>,
}

#[derive(Deserialize)]
struct Tensor<'a> {
    #[serde(borrow, default)]
    data: Text<'a>,
}

fn whole(body: &[u8], _inputs: u32) -> Result<Said<'_>, String> {
    let inferred: Inferred<'_> = json(body)?;
    if inferred.error.filled {
        return Ok(Said::failed());
    }
    let outputs = inferred.outputs.ok_or("no `outputs`")?;
    Ok(Said {
        answer: outputs.iter().any(|tensor| tensor.data.filled),
        course: Course::Over,
        ..Said::default()
    })
}

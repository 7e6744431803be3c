//! Which paths answer prompts, and what a path says of the request.

use crate::plan::Api;

/// What the path of a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) api: Api,
    /// Whether the answer is a stream, where that is not the body's to say.
    pub(super) stream: Option<bool>,
    /// The model, where the path names it.
    pub(super) model: Option<String>,
}

impl Route {
    /// The route of a path; `None` where nothing is generated.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (api, stream) = match path {
            "/v1/chat/completions" => (Api::Chat, None),
            "/v1/completions" => (Api::Completions, None),
            "/v1/responses" => (Api::Responses, None),
            "/v1/embeddings" => (Api::Embeddings, Some(false)),
            "/v1/messages" => (Api::Messages, None),
            "/generate_stream" => (Api::Tgi, Some(true)),
            "/generate" => (Api::Tgi, Some(false)),
            _ => return Self::of_model(path.strip_prefix("/v2/models/")?),
        };
        let model = None;
        Some(Self { api, stream, model })
    }

    /// `NAME/VERB` of `KServe` v2.
    fn of_model(rest: &str) -> Option<Self> {
        let (model, verb) = rest.split_once('/')?;
        let (api, stream) = match verb {
            "generate_stream" => (Api::KserveGenerate, true),
            "generate" => (Api::KserveGenerate, false),
            "infer" => (Api::KserveInfer, false),
            _ => return None,
        };
        Some(Self {
            api,
            stream: Some(stream),
            model: Some(model.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_api_stream_and_model() {
        let model = Some("sim".to_owned());
        for (path, expected) in [
            ("/v1/messages", Some((Api::Messages, None, None))),
            ("/generate", Some((Api::Tgi, Some(false), None))),
            (
                "/v2/models/sim/generate_stream",
                Some((Api::KserveGenerate, Some(true), model.clone())),
            ),
            ("/v2/models/sim/infer", Some((Api::KserveInfer, Some(false), model))),
            ("/v2/models/sim", None),
            ("/v2/models/sim/ready", None),
            ("/v1/models", None),
        ] {
            let found = Route::of(path).map(|route| (route.api, route.stream, route.model));
            assert_eq!(found, expected, "{path}");
        }
    }
}
